"""Office hours on public holidays and on the office's own."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.policy import OfficeHours
from feedback_assets.errors import ConfigError
from feedback_assets.policy.hours import holiday, is_open, next_opening
from feedback_assets_tests.policy.situations import moment

MUNICH = OfficeHours(time_zone="Europe/Berlin", country="DE", region="BY")


@pytest.mark.parametrize(
    ("when", "hours", "opened"),
    [
        ("2024-10-03T10:00", MUNICH, False),  # the whole country's, a Thursday
        ("2024-11-01T10:00", MUNICH, False),  # Bavaria's
        ("2024-11-01T10:00", MUNICH.model_copy(update={"region": "BE"}), True),
        ("2024-10-04T10:00", MUNICH, True),
        ("2024-07-04T15:00", OfficeHours(country="US"), False),
        ("2024-07-04T15:00", OfficeHours(), True),
        ("2024-07-04T15:00", OfficeHours(holidays=[dt.date(2024, 7, 4)]), False),
    ],
)
def test_nobody_is_there_on_a_holiday(when: str, hours: OfficeHours, opened: bool) -> None:
    assert is_open(hours, moment(when)) is opened


def test_a_holiday_is_one_by_the_wall_of_the_office() -> None:
    sydney = OfficeHours(time_zone="Australia/Sydney", country="AU", start=dt.time(8))
    assert not is_open(sydney, moment("2024-01-25T22:30"))  # the 26th there: Australia Day
    assert is_open(sydney, moment("2024-01-24T22:30"))


def test_a_night_that_begins_on_a_holiday_does_not_begin() -> None:
    night = OfficeHours(start=dt.time(22), end=dt.time(6), holidays=[dt.date(2024, 3, 14)])
    assert not is_open(night, moment("2024-03-14T23:00"))
    assert not is_open(night, moment("2024-03-15T05:00"))
    assert is_open(night, moment("2024-03-14T05:00"))  # began the day before


def test_the_next_opening_passes_over_holidays() -> None:
    assert next_opening(MUNICH, moment("2024-03-28T16:00")) == moment("2024-04-02T07:00")


def test_a_long_closure_is_passed_over() -> None:
    weeks = [dt.date(2024, 7, 1) + dt.timedelta(days=day) for day in range(35)]
    closed = OfficeHours(holidays=weeks)
    assert next_opening(closed, moment("2024-06-28T18:00")) == moment("2024-08-05T09:00")


def test_an_office_that_never_opens_is_said() -> None:
    ever = [dt.date(2024, 1, 1) + dt.timedelta(days=day) for day in range(800)]
    with pytest.raises(ConfigError, match="never open"):
        next_opening(OfficeHours(holidays=ever), moment("2024-01-01"))


@pytest.mark.parametrize(("country", "region"), [("XX", None), ("DE", "ZZ")])
def test_an_unknown_country_is_said(country: str, region: str | None) -> None:
    # Loading refuses it already; hours that were made without loading say it when asked.
    hours = OfficeHours.model_construct(
        **{**OfficeHours().__dict__, "country": country, "region": region}
    )
    with pytest.raises(ConfigError, match="office_hours"):
        is_open(hours, moment("2024-03-14T10:00"))


def test_a_holiday_has_its_name() -> None:
    assert holiday(MUNICH, dt.date(2024, 10, 3))
    assert not holiday(MUNICH, dt.date(2024, 10, 4))


@settings(max_examples=60, deadline=None)
@given(st.sets(st.dates(dt.date(2024, 1, 1), dt.date(2024, 3, 1)), max_size=30), st.integers(0, 60))
def test_more_holidays_never_open_the_office(days: set[dt.date], ahead: int) -> None:
    now = moment("2024-01-01T10:00") + dt.timedelta(days=ahead)
    plain, closed = OfficeHours(), OfficeHours(holidays=sorted(days))
    assert is_open(closed, now) == (is_open(plain, now) and now.date() not in days)
    assert next_opening(closed, now) >= next_opening(plain, now)
