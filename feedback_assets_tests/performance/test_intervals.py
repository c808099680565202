"""Intervals against scipy, brute force and simulated truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import LabelKind
from feedback_assets.performance.intervals import (
    UNKNOWN,
    Interval,
    interval,
    intervals,
    mean_interval,
    standard_error,
    wilson,
)
from feedback_assets.performance.measure import Answers, measure
from feedback_assets_tests.performance.rows import CASES, METRICS, answers


def test_means_are_scipys_t() -> None:
    from scipy import stats

    values = np.random.default_rng(0).exponential(2, 37)
    low, high = stats.t.interval(0.9, 36, values.mean(), stats.sem(values))
    assert mean_interval(values, 0.9) == pytest.approx((values.mean(), low, high))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 40))
def test_shares_are_scipys_wilson(hits: int, more: int) -> None:
    from scipy import stats

    n = hits + more
    found = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits / n, n, 0.95) == pytest.approx((hits / n, found.low, found.high), abs=1e-9)


def test_auc_has_delongs_variance() -> None:
    rows = answers("binary", 60, seed=2)
    rows = replace(rows, score=np.round(rows.score, 1))  # with ties
    positive, negative = rows.score[rows.y == 1], rows.score[rows.y == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(axis=1).var(ddof=1) / positive.size
    variance += wins.mean(axis=0).var(ddof=1) / negative.size
    measured = measure("roc_auc", rows)
    assert measured.value == pytest.approx(wins.mean())
    assert standard_error(measured)[0] == pytest.approx(math.sqrt(variance))


def test_rows_of_a_day_do_not_count_as_independent() -> None:
    """30 days of one value each are 30 values, however many rows repeat them."""
    from scipy import stats

    values, day = np.random.default_rng(1).normal(5, 1, 30), np.repeat(np.arange(30), 40)
    got = mean_interval(values[day], 0.95, day)
    low, high = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert got == pytest.approx((values.mean(), low, high))
    alone = mean_interval(values[day], 0.95)
    assert alone.high - alone.low < (high - low) / 4


@pytest.mark.parametrize(("kind", "metric"), CASES)
@pytest.mark.parametrize("days", [1, 8])
def test_intervals_hold_the_value_in_its_range(
    kind: LabelKind, metric: ReportMetric, days: int
) -> None:
    for n in (2, 9, 300):
        got = interval(measure(metric, answers(kind, n, seed=n, days=days)), 0.95)
        if not got.known:
            assert n < 10
            continue
        assert got.low <= got.value <= got.high
        if metric in {"roc_auc", "accuracy", "f1", "ece"}:
            assert got.low >= 0
            assert got.high <= 1


@pytest.mark.parametrize(
    ("days", "effect", "n"), [(1, 0.0, 250), (14, 0.5, 560)], ids=["rows", "days"]
)
def test_intervals_cover_the_truth(days: int, effect: float, n: int) -> None:
    """Of 160 samples 95% +- 5.2% (3 sd) are covered; the bootstrap of ECE may cover more."""
    for kind, metrics in METRICS.items():
        wide = answers(kind, 300_000, seed=99, days=6_000 if effect else 1, effect=effect)
        truth = {metric: measure(metric, wide).value for metric in metrics}
        hits = dict.fromkeys(metrics, 0)
        for seed in range(160):
            found = intervals(metrics, answers(kind, n, seed, days, effect), 0.95)
            for metric, got in found.items():
                hits[metric] += got.low <= truth[metric] <= got.high
        for metric, count in hits.items():
            assert count / 160 > 0.898, (kind, metric)
            assert count / 160 < 1 or metric == "ece", (kind, metric)


def test_calibration_error_reaches_zero_only_for_the_calibrated() -> None:
    calibrated = interval(measure("ece", answers("binary", 1_000, seed=1)), 0.95)
    assert calibrated.value > 0.01
    assert calibrated.low == 0
    off = interval(measure("ece", answers("binary", 1_000, seed=1, bias=1.0)), 0.95)
    assert off.low > 0.1


def test_a_perfect_score_leaves_doubt() -> None:
    y = np.repeat([0.0, 1.0], 20)
    rows = Answers("binary", y, y * 0.8 + 0.1, y, np.zeros(40, dtype=np.int64))
    for metric in ("roc_auc", "accuracy", "f1"):
        got = interval(measure(metric, rows), 0.95)
        assert got.value == 1
        assert 0.6 < got.low < 0.95


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_the_order_of_the_rows_does_not_matter(kind: LabelKind, metric: ReportMetric) -> None:
    rows = answers(kind, 200, seed=8, days=8)
    mixed = rows.take(np.random.default_rng(0).permutation(200))
    assert interval(measure(metric, rows), 0.9) == pytest.approx(
        interval(measure(metric, mixed), 0.9), abs=1e-9
    )


def test_what_is_not_defined_is_not_known() -> None:
    rows = replace(answers("binary", 40), y=np.zeros(40))
    assert not interval(measure("roc_auc", rows), 0.95).known
    assert not UNKNOWN.known
    one = interval(measure("log_loss", rows.take(np.array([0]))), 0.95)
    assert one.known
    assert math.isnan(one.low)
    assert Interval(1.0, 0.0, 2.0).known
