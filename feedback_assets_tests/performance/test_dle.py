"""Estimates of regressors against the truth that is drawn."""

from collections import defaultdict

import numpy as np
import pytest

from feedback_assets.performance.calibration import REPLICATES
from feedback_assets.performance.dle import LossCurve, mean_interval
from feedback_assets.performance.estimate import Estimator
from feedback_assets.performance.metrics import evaluate
from feedback_assets_tests.performance.worlds import regression
from feedback_assets_tests.promotion.loops import loop_config

DAY = np.zeros(500, dtype=np.int64)


def curve(seed: int = 0, n: int = 4000) -> LossCurve:
    rows = regression(np.random.default_rng(seed), n)
    loss = (rows["label"] - rows["score"]).abs().to_numpy()
    return LossCurve.fit(rows["expected_error"].to_numpy(), loss, np.arange(n) % 10)


def test_the_curve_finds_the_mean_loss() -> None:
    x = np.array([0.5, 1.0, 2.0])
    assert curve()(x) == pytest.approx(1.1 * x * np.sqrt(2 / np.pi), rel=0.12)


def test_a_value_falls_with_the_error() -> None:
    rng = np.random.default_rng(1)
    expected = rng.random(2000)
    found = LossCurve.fit(expected, 5 - 3 * expected + rng.normal(size=2000), np.arange(2000) % 9)
    assert found.falling
    assert found(np.array([0.2, 0.8])) == pytest.approx([4.4, 2.6], abs=0.3)
    assert (np.diff(found.knots) <= 0).all()
    assert mean_interval([(found, expected[:500], DAY)], 0.95).value == pytest.approx(3.5, abs=0.2)


def test_the_interval_of_a_constant_expectation_is_the_two_sample_one() -> None:
    rng = np.random.default_rng(2)
    loss = rng.gamma(4, 1, 2000)
    found = LossCurve.fit(np.ones(2000), loss, np.arange(2000) % 3)
    interval = mean_interval([(found, np.ones(500), DAY)], 0.95)
    half = 1.96 * loss.std() * np.sqrt(1 / 500 + 1 / 2000)
    assert interval.value == pytest.approx(loss.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.1)
    root = mean_interval([(found, np.ones(500), DAY)], 0.95, root=True)
    assert root == pytest.approx(np.sqrt(interval))


def test_a_correction_scales_value_and_interval() -> None:
    base, expected = curve(), np.linspace(0.5, 2, 500)
    twice = base.scaled(2.0, np.full(REPLICATES, 2.0))
    found = mean_interval([(twice, expected, DAY)], 0.95)
    assert found == pytest.approx([2 * v for v in mean_interval([(base, expected, DAY)], 0.95)])


def test_no_rows_are_not_known() -> None:
    assert not mean_interval([(curve(), np.empty(0), DAY[:0])], 0.95).known


def coverage(trials: int, held: int, now: int, held_days: int, days: int, tau: float) -> dict:
    config, rng, inside = loop_config("regression"), np.random.default_rng(0), defaultdict(list)
    for _ in range(trials):
        estimator = Estimator.fit(config, regression(rng, held, held_days, tau))
        rows = regression(rng, now, days, tau)
        real = evaluate("regression", rows["label"], rows["score"], rows["prediction"])
        for name, found in estimator.estimate(rows).metrics.items():
            if found.known:
                inside[name].append(found.low <= real[name] <= found.high)
    return {name: float(np.mean(hits)) for name, hits in inside.items()}


def test_the_realised_loss_lies_inside_as_often_as_promised() -> None:
    """A small version of the study below: 60 trials leave 2.8% of error on each share."""
    found = coverage(60, 1000, 300, 10, 1, 0.0)
    assert set(found) == {"mae", "rmse", "pinball"}
    assert min(found.values()) > 0.84, found


@pytest.mark.study
@pytest.mark.parametrize(
    ("held", "now", "held_days", "days", "tau"),
    [(2000, 500, 10, 1, 0.0), (300, 80, 7, 1, 0.0), (3000, 1500, 14, 7, 0.2)],
)
def test_study_of_the_coverage(held: int, now: int, held_days: int, days: int, tau: float) -> None:
    """The root mean square of few rows with heavy tails falls a little short."""
    found = coverage(400, held, now, held_days, days, tau)
    assert found["mae"] > 0.915, found
    assert found["rmse"] > 0.885, found
