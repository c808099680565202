"""Labels still to come: how many, and what they may do to a metric."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import Label, LabelKind
from feedback_assets.performance.maturity import (
    UNSAID,
    Arrivals,
    Missing,
    Owed,
    at_maturity,
    movement,
    told,
)
from feedback_assets.performance.measure import measure
from feedback_assets_tests.performance.rows import CASES, answers


def owed(share: list[float], labels: list[float], rows: float = 100.0, **given: object) -> Owed:
    days = np.full(len(share), rows)
    return Owed(days, np.array(labels)[:, None], np.array(share)[:, None], 30, **given)  # type: ignore[arg-type]


def test_what_is_missing_is_the_rest_of_the_curve() -> None:
    """Cape Cod on days of 100 rows, half of them labelled in the end."""
    got = owed([1.0, 1.0, 0.8, 0.2], [50, 50, 40, 10]).missing(slice(2, 4))
    assert got.missing == pytest.approx([10 + 40])
    assert got.maturity == pytest.approx(0.5)
    assert owed([1.0, 1.0], [50, 50]).missing(slice(0, 2)).maturity == 1


def test_a_young_day_borrows_the_rate_of_the_window() -> None:
    # Five labels came where six tenths of the answers should have 1 in 20: too few to go by.
    got = owed([1.0, 1.0, 0.05], [60, 60, 5]).missing(slice(2, 3))
    assert got.missing == pytest.approx([100 * 0.95 * (125 / 205)])
    # A day that has enough of its own goes by itself: 80 known are half.
    own = owed([1.0, 1.0, 0.5], [60, 60, 80], rows=200.0).missing(slice(2, 3))
    assert own.missing == pytest.approx([80])


def test_a_small_slice_borrows_the_rate_of_the_whole() -> None:
    small = owed([1.0, 0.5], [1, 0], rows=10.0, whole=np.array([0.5]))
    assert small.missing(slice(1, 2)).missing == pytest.approx([2.5])


def test_delays_that_are_not_known_leave_it_open() -> None:
    arrivals = Arrivals({"d1": 3.0}, {("", ""): {"0": lambda _: 1.0}})
    label = Label(kind="binary")
    share = arrivals.known(("", ""), ["d1", "d2"], label)
    assert share[0].tolist()[0] == 1
    assert math.isnan(share[0, 1])
    assert np.isnan(share[1]).all()
    lost = owed([1.0, math.nan], [50, 50]).missing(slice(0, 2))
    assert math.isnan(lost.maturity)
    assert math.isnan(UNSAID.maturity)
    measured = measure("brier", replace(answers("binary", 50), group=np.zeros(50, dtype=np.int64)))
    assert np.isnan(at_maturity(measured, UNSAID, 0.95)).all()


def test_slices_may_have_delays_of_their_own() -> None:
    curves = {("", ""): {"": lambda _: 0.5}, ("c", "a"): {"1": lambda _: 0.1}}
    arrivals = Arrivals({"d": 1.0}, curves)
    label = Label(kind="binary")
    assert arrivals.known(("c", "a"), ["d"], label).tolist() == [[0.5, 0.1]]
    assert arrivals.known(("c", "b"), ["d"], label).tolist() == [[0.5, 0.5]]


def test_numbers_arrive_by_band() -> None:
    arrivals = Arrivals({}, {}, edges=(10.0, 20.0))
    label = Label(kind="regression")
    assert arrivals.groups(label) == ["0", "1", "2"]
    assert arrivals.codes([5.0, 10.0, 19.0, 99.0], label).tolist() == [0, 1, 1, 2]
    classes = Label(kind="multiclass", classes=["x", "y"])
    assert arrivals.codes(np.array(["y", "x"], dtype=object), classes).tolist() == [1, 0]


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_the_range_holds_the_value_at_maturity(kind: LabelKind, metric: ReportMetric) -> None:
    """One group's labels are known to a third: of 60 samples at least 87% (95% less 3 sd)."""
    hits, biased = 0, 0
    for seed in range(60):
        everyone = answers(kind, 600, seed)
        if kind == "regression":
            group = (everyone.y > 55).astype(np.int64)
        else:
            group = everyone.y.astype(np.int64)
        everyone = replace(everyone, group=group)
        rng = np.random.default_rng([seed, 1])
        late = (group == 1) & (rng.random(600) > 1 / 3)
        known = np.bincount(group[~late], minlength=3).astype(float)
        missing = Missing(known, known * np.array([0.0, 2.0, 0.0]), known)
        measured = measure(metric, everyone.take(~late))
        low, high = at_maturity(measured, missing, 0.95)
        final = measure(metric, everyone).value
        hits += low <= final <= high
        biased += not low <= measured.value <= high
    assert hits / 60 >= 0.86
    if (kind, metric) == ("binary", "log_loss"):
        assert biased > 40  # what is known so far lies outside: the correction is needed


def test_with_all_labels_known_the_value_stays() -> None:
    rows = replace(answers("binary", 80), group=answers("binary", 80).y.astype(np.int64))
    measured = measure("brier", rows)
    complete = Missing(np.array([50.0, 30.0]), np.zeros(2), np.array([50.0, 30.0]))
    assert at_maturity(measured, complete, 0.95) == (measured.value, measured.value)


def test_a_class_of_which_nothing_is_known_leaves_it_open() -> None:
    rows = replace(answers("binary", 80), group=np.zeros(80, dtype=np.int64))
    missing = Missing(np.array([80.0, 0.0]), np.array([0.0, 20.0]), np.array([80.0, 1.0]))
    assert np.isnan(at_maturity(measure("brier", rows), missing, 0.95)).all()


def test_history_widens_the_range() -> None:
    past = pd.DataFrame(
        {
            "metric": ["mae", "mae", "mae", "r2"],
            "value": [1.0, 1.0, 9.0, math.nan],
            "maturity": [0.75, 0.75, 1.0, 0.5],
            "final": [1.2, 0.8, 1.0, 0.5],
        }
    )
    moved = movement(past)
    assert moved == {"mae": pytest.approx(0.4)}
    rows = replace(answers("regression", 400), group=np.zeros(400, dtype=np.int64))
    missing = Missing(np.array([400.0]), np.array([100.0]), np.array([400.0]))
    measured = measure("mae", rows)
    low, high = at_maturity(measured, missing, 0.95)
    wider = at_maturity(measured, missing, 0.95, moved=3.0)
    assert wider[0] < low < high < wider[1]
    assert wider[1] - wider[0] == pytest.approx(2 * 1.96 * 3 * math.sqrt(0.2), rel=0.02)


def test_told_in_words() -> None:
    row = {"value": 0.81, "maturity": 0.876, "low_mature": 0.78, "high_mature": 0.8, "reason": ""}
    assert told(row) == "0.81 on 87% of labels; 0.78 to 0.8 expected at maturity"
    assert told({**row, "maturity": 0.9999}).startswith("0.81 on 99% of labels")
    assert told({**row, "maturity": 1.0}) == "0.81 on all labels"
    assert told({**row, "low_mature": math.nan}) == "0.81 on 87% of labels"
    assert told({**row, "maturity": math.nan}).endswith("still to come is not known")
    nothing = {**row, "value": math.nan, "reason": "12 labels, 30 needed"}
    assert told(nothing) == "12 labels, 30 needed"
