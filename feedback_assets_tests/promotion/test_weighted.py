"""A comparison of weighted rows is that of the rows that they stand for."""

import numpy as np
import pytest

from feedback_assets.config.schema import Label, Metric
from feedback_assets.promotion.resample import paired_resamples, statistic_of

LABEL = Label(kind="binary")
N = 400


def models(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(N) < 0.4).astype(float)
    return y, np.round(rng.random(N), 2), np.clip(np.round(0.3 * y + 0.6 * rng.random(N), 2), 0, 1)


@pytest.mark.parametrize("metric", ["log_loss", "brier", "accuracy", "roc_auc", "f1"])
def test_a_row_of_weight_three_counts_as_three_rows(metric: Metric) -> None:
    y, before, after = models(1)
    times = np.random.default_rng(2).integers(1, 4, N)
    weighed = statistic_of(metric, LABEL, y, before, after, times.astype(float))
    repeated = statistic_of(metric, LABEL, *(np.repeat(x, times) for x in (y, before, after)))
    assert weighed.whole() == pytest.approx(repeated.whole())


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc", "f1"])
def test_equal_weights_change_nothing(metric: Metric) -> None:
    y, before, after = models(3)
    plain = statistic_of(metric, LABEL, y, before, after)
    even = statistic_of(metric, LABEL, y, before, after, np.full(N, 2.5))
    np.testing.assert_allclose(
        paired_resamples(plain, 50, 1), paired_resamples(even, 50, 1), atol=1e-9
    )


def test_the_gain_on_all_rows_is_told_from_selected_ones() -> None:
    """The candidate is better where loans are refused, so granted ones hide what it gains."""
    hidden, found = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = 4_000
        risk = rng.random(n)
        y = (rng.random(n) < risk).astype(float)
        before, after = np.full(n, 0.5), np.clip(np.where(risk > 0.6, risk, 0.5), 0.02, 0.98)
        chance = 0.1 + 0.8 * (1 - risk)
        known = rng.random(n) < chance
        truth = statistic_of("log_loss", LABEL, y, before, after).whole()
        part = (y[known], before[known], after[known])
        plain = statistic_of("log_loss", LABEL, *part).whole()
        weighed = statistic_of("log_loss", LABEL, *part, 1 / chance[known]).whole()
        gain = truth[0] - truth[1]
        hidden.append(plain[0] - plain[1] - gain)
        found.append(weighed[0] - weighed[1] - gain)
    assert np.mean(hidden) < -0.03
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40)
