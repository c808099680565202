"""Office hours by the clock on the wall, over midnight and over the change of summer time."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.policy import OfficeHours
from feedback_assets.policy.hours import WEEKDAYS, is_open, next_opening
from feedback_assets_tests.policy.situations import moment

BERLIN = OfficeHours(time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("when", "opened"),
    [
        ("2024-03-15T07:59", False),  # a Friday, 08:59 in Berlin
        ("2024-03-15T08:00", True),
        ("2024-03-15T15:59", True),
        ("2024-03-15T16:00", False),
        ("2024-03-16T10:00", False),  # a Saturday
        ("2024-04-01T06:59", False),  # summer time has begun: 08:59
        ("2024-04-01T07:00", True),
    ],
)
def test_a_working_week(when: str, opened: bool) -> None:
    assert is_open(BERLIN, moment(when)) is opened


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = OfficeHours(days=["fri"], start=dt.time(22), end=dt.time(6))
    assert not is_open(night, moment("2024-03-15T05:00"))
    assert is_open(night, moment("2024-03-15T22:00"))
    assert is_open(night, moment("2024-03-16T05:59"))
    assert not is_open(night, moment("2024-03-16T06:00"))
    assert not is_open(night, moment("2024-03-16T23:00"))


def test_equal_ends_are_the_whole_day() -> None:
    day = OfficeHours(days=["sat"], start=dt.time(0), end=dt.time(0))
    hours = [is_open(day, moment("2024-03-16") + dt.timedelta(hours=h)) for h in range(-1, 25)]
    assert hours == [False, *[True] * 24, False]


def test_the_next_opening_after_a_weekend() -> None:
    assert next_opening(BERLIN, moment("2024-03-15T16:00")) == moment("2024-03-18T08:00")
    assert next_opening(BERLIN, moment("2024-03-29T20:00")) == moment("2024-04-01T07:00")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    st.sets(st.sampled_from(WEEKDAYS), min_size=1),
    st.integers(0, 23),
    st.integers(0, 23),
    st.integers(0, 366 * 24 * 60),
)
def test_the_next_opening_is_the_first_hour_that_opens(
    zone: str, days: set[str], start: int, end: int, minutes: int
) -> None:
    hours = OfficeHours(time_zone=zone, days=sorted(days), start=dt.time(start), end=dt.time(end))  # type: ignore[arg-type]
    now = moment("2024-01-01") + dt.timedelta(minutes=minutes)
    opens = next_opening(hours, now)
    local = opens.astimezone(ZoneInfo(zone))
    assert opens > now
    assert is_open(hours, opens)
    assert (local.time(), WEEKDAYS[local.weekday()] in days) == (dt.time(start), True)
    if not is_open(hours, now):
        # It stays closed until then: looked at every half hour.
        steps = int((opens - now) / dt.timedelta(minutes=30))
        closed = [is_open(hours, now + dt.timedelta(minutes=30 * n)) for n in range(steps)]
        assert not any(closed)
