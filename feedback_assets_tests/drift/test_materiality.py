import numpy as np
import pytest
from scipy import stats

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.binning import bins_from, count
from feedback_assets.drift.materiality import (
    Difference,
    epsilon_of,
    learned_margin,
    presence_difference,
    sd_of,
    value_difference,
)


def test_sizes_are_shifts_of_a_normal():
    assert sd_of(epsilon_of(0.3)) == pytest.approx(0.3)
    rng = np.random.default_rng(1)
    ref = rng.normal(size=200_000)
    bins = bins_from(ref, "numeric", Drift())
    found = value_difference(count(ref, bins)[0], count(ref[:50_000] + 0.5, bins), bins)
    assert sd_of(found.divergence[0]) == pytest.approx(0.5, rel=0.08)


def test_small_days_are_compared_on_fewer_cells():
    rng = np.random.default_rng(2)
    ref = rng.normal(size=2000)
    bins = bins_from(ref, "numeric", Drift())
    a = count(ref, bins)[0]
    assert value_difference(a, count(rng.normal(size=1000), bins), bins).degrees[0] in {9, 10, 11}
    assert value_difference(a, count(ref[:20], bins), bins, rows=20).degrees[0] <= 4
    assert value_difference(a, np.zeros_like(a)[None], bins).degrees[0] == 0


@pytest.mark.parametrize("n", [30, 100, 500])
def test_the_divergence_of_days_without_any_is_zero_on_average(n):
    rng = np.random.default_rng(3)
    ref = rng.normal(size=5000)
    bins = bins_from(ref, "numeric", Drift())
    days = count(rng.normal(size=n * 400), bins, np.repeat(np.arange(400), n), 400)
    found = value_difference(count(ref, bins)[0], days, bins, rows=n)
    error = found.divergence.std() / 20
    assert abs(found.divergence.mean()) < 4 * error + 0.1 / (2 * n)


def test_presence_sees_nulls_and_not_values():
    bins = bins_from(np.arange(1000.0), "numeric", Drift())
    a = count(np.r_[np.arange(1000.0), [np.nan] * 10], bins)[0]
    shifted = count(np.r_[np.arange(500.0), [np.nan] * 5], bins)
    nulls = count(np.r_[np.arange(500.0), [np.nan] * 60], bins)
    assert presence_difference(a, shifted, bins).divergence[0] < 0.001
    assert presence_difference(a, nulls, bins).divergence[0] > 0.03


def days_of(divergences, n_eff=1e6, degrees=9):
    found = np.asarray(divergences, float)
    size = np.ones(len(found))
    return Difference(2 * n_eff * found + degrees, (degrees * size).astype(int), n_eff * size)


def test_a_margin_is_learned_from_how_days_differ():
    assert learned_margin(days_of([0.1] * 4), 0.999) == 0
    assert learned_margin(days_of([1.95] * 20), 0.999) == pytest.approx(1.95)
    rng = np.random.default_rng(5)
    days = rng.gamma(2, 0.1, size=60)
    assert learned_margin(days_of(days), 0.999) > days.max()
    assert learned_margin(days_of(days[:7]), 0.999) > stats.gamma.ppf(0.99, 2, scale=0.1)


@pytest.mark.parametrize(("n_days", "rows"), [(5, 1000), (28, 200), (90, 60)])
def test_days_of_one_distribution_teach_nothing(n_days, rows):
    """A margin from noise would make the column blind; one in a thousand may have it."""
    rng = np.random.default_rng(6)
    taught = []
    for _ in range(40):
        values = rng.normal(size=n_days * rows)
        bins = bins_from(values, "numeric", Drift())
        days = count(values, bins, np.repeat(np.arange(n_days), rows), n_days)
        found = value_difference(days.sum(0) - days, days, bins, rows)
        taught.append(learned_margin(found, 0.999))
    assert sum(m > 0 for m in taught) <= 1
