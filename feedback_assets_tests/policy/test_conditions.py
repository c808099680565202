"""Single conditions: when they hold, when they are not known, what they say is missing."""

import math
from typing import Any

import pytest

from feedback_assets.policy.evidence import DriftDay, PerformanceDay
from feedback_assets_tests.policy.situations import DRIFTED, STABLE, day, told

HEAVY = DriftDay("2024-03-14", 2, 3.0, "def", "speed moved")
UNWEIGHED = DriftDay("2024-03-14", 2, None, "ghi", "speed moved")
ESTIMATED = {"estimated_loss": {"worse_by": 0.1}}
REALISED = {"realised_loss": {"worse_by": 0.1, "days": 2}}
WORSE = (0.6, 0.56, 0.64)
"""Of a log loss that was expected to be 0.5: at least 12% worse."""
UNSURE = (0.6, 0.54, 0.66)
"""At least 8% worse."""
FINE = (0.5, 0.46, 0.54)


@pytest.mark.parametrize(
    ("asked", "days", "met", "words", "missing"),
    [
        ({}, [], None, "0 of 1 drifted columns", "no day is judged"),
        ({}, [STABLE], False, "0 of 1 drifted columns", "a day with a drifted column"),
        ({}, [DRIFTED, STABLE], True, "2 of 1 drifted columns", ""),
        ({"columns": 3}, [DRIFTED], False, "2 of 3", "a day with 3 drifted columns"),
        ({"days": 2}, [DRIFTED], False, "1 of 2 drifted days", "a day with a drifted column"),
        ({"days": 3}, [DRIFTED], False, "1 of 3 drifted days", "2 more days"),
        ({"days": 2}, [DRIFTED, STABLE, HEAVY], True, "2 of 2 drifted days", ""),
        ({"weight": 2.5}, [DRIFTED], False, "weight 2 of 2.5", "weight 2.5"),
        ({"weight": 2.5}, [DRIFTED, HEAVY], True, "weight 3 of 2.5", ""),
        ({"weight": 2.5}, [DRIFTED, UNWEIGHED], None, "weight 2 of 2.5", "weight"),
        ({"weight": 2.5}, [UNWEIGHED, HEAVY], True, "weight 3 of 2.5", ""),
        (
            {"weight": 2.5, "columns": 3},
            [UNWEIGHED],
            False,
            "2 of 3",
            "3 drifted columns of weight",
        ),
    ],
)
def test_drift(asked: Any, days: Any, met: bool | None, words: str, missing: str) -> None:
    found = told({"drift": asked}, drift=days)
    assert found.met is met
    assert words in found.told
    assert missing in found.missing
    assert bool(found.missing) == (met is not True)


@pytest.mark.parametrize(
    ("days", "met"),
    [
        ([], None),
        ([day("2024-03-12", WORSE)], True),
        ([day("2024-03-12", UNSURE)], False),
        ([day("2024-03-12", WORSE), day("2024-03-13", FINE)], False),
        ([day("2024-03-12", WORSE), day("2024-03-13")], True),  # the newest that is known
        ([day("2024-03-12", WORSE, way="realised")], None),
        ([day("2024-03-12", WORSE, expected=None)], None),
        ([day("2024-03-12", WORSE, expected=0.0)], None),
        ([day("2024-03-12", WORSE, expected=math.nan)], None),
        ([day("2024-03-12", (0.6, math.nan, math.nan))], None),
        ([day("2024-03-12", (math.nan, 0.56, 0.64))], None),
    ],
)
def test_estimated_loss(days: list[PerformanceDay], met: bool | None) -> None:
    assert told(ESTIMATED, performance=days).met is met


@pytest.mark.parametrize(
    ("days", "met"),
    [
        ([WORSE], False),
        ([WORSE, WORSE], True),
        ([WORSE, FINE, WORSE], False),
        ([WORSE, None, WORSE], True),
        ([FINE, WORSE, WORSE], True),
        ([WORSE, WORSE, FINE], False),
        ([None], None),
    ],
)
def test_realised_loss_must_last(days: list[Any], met: bool | None) -> None:
    report = [day(f"2024-03-1{n}", ends, way="realised") for n, ends in enumerate(days)]
    assert told(REALISED, performance=report).met is met


def test_a_loss_is_one_whichever_way_the_metric_points() -> None:
    when = {"estimated_loss": {"worse_by": 0.1, "metric": "accuracy"}}

    def found(value: float, low: float, high: float) -> bool | None:
        days = [day("2024-03-12", accuracy=(value, low, high), expected=0.8)]
        return told(when, performance=days).met

    assert found(0.7, 0.68, 0.719) is True
    assert found(0.7, 0.68, 0.721) is False  # not by 10% beyond doubt
    assert found(0.9, 0.88, 0.92) is False


def test_a_loss_below_zero_is_measured_by_its_size() -> None:
    """A business value of -2 a row where -1 was expected is 100% worse."""
    when = {"realised_loss": {"worse_by": 0.9, "metric": "r2"}}
    days = [day("2024-03-12", r2=(-2.0, -2.05, -1.95), expected=-1.0, way="realised")]
    found = told(when, performance=days)
    assert (found.met, found.value) == (True, pytest.approx(0.95))


def test_a_loss_is_told_with_its_interval_and_what_is_missing() -> None:
    found = told(ESTIMATED, performance=[day("2024-03-12", UNSURE)])
    assert found.told == (
        "2024-03-12: estimated log_loss 0.6 (0.54 to 0.66), at least 8.0% worse than 0.5; "
        "10.0% asked"
    )
    assert found.missing == "2.0 percentage points"
    assert (found.value, found.threshold) == (pytest.approx(0.08), 0.1)
    fine = told(ESTIMATED, performance=[day("2024-03-12", FINE)])
    assert "not surely worse than 0.5" in fine.told
    assert fine.missing == "a sure loss"


@pytest.mark.parametrize(
    ("streaks", "met"),
    [([], None), ([None], None), ([2], False), ([3], True), ([2, 3, None], True), ([5, 0], False)],
)
def test_a_streak_of_missed_promises(streaks: list[int | None], met: bool | None) -> None:
    days = [day(f"2024-03-1{n}", streak=streak) for n, streak in enumerate(streaks)]
    assert told({"sla_streak": 3}, performance=days).met is met


@pytest.mark.parametrize(
    ("drift", "share", "met"),
    [
        ([DRIFTED], 0.6, True),
        ([DRIFTED], 0.4, False),
        ([DRIFTED], None, None),
        ([STABLE], 0.6, None),
        ([], None, None),
    ],
)
def test_coverage_is_of_drifted_days(drift: Any, share: float | None, met: bool | None) -> None:
    found = told({"coverage": 0.5}, drift=drift, coverage=share)
    assert found.met is met
    assert found.key == ("coverage:3:2024-03-12" if met is not None else "")


def test_keys_name_the_evidence() -> None:
    first = told(ESTIMATED, performance=[day("2024-03-12", WORSE)])
    again = told(ESTIMATED, performance=[day("2024-03-12", WORSE)], new_labels=9)
    later = told(ESTIMATED, performance=[day("2024-03-13", WORSE)])
    assert first.key == again.key == "estimated:3:2024-03-12" != later.key
    assert told({"sla_streak": 1}, performance=[day("2024-03-12", streak=2)]).key == (
        "sla:3:2024-03-12"
    )
