import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from feedback_assets.config.schema import Drift
from feedback_assets.drift.binning import bins_from, count
from feedback_assets.drift.materiality import (
    Evidence,
    epsilon_of,
    learned_margin,
    noncentral_tail,
    presence_evidence,
    sd_of,
    value_evidence,
)


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e9), st.integers(1, 200), st.floats(0, 1e8))
def test_the_tail_is_always_a_probability(x, degrees, noncentrality):
    assert 0 <= noncentral_tail(x, degrees, noncentrality) <= 1


@pytest.mark.parametrize(("x", "k", "lam"), [(20, 9, 5), (100, 9, 50), (7000, 20, 6500)])
def test_the_tail_is_that_of_simulation(x, k, lam):
    rng = np.random.default_rng(0)
    draws = (rng.normal(size=40_000) + math.sqrt(lam)) ** 2
    draws = draws + rng.chisquare(k - 1, size=40_000)
    assert noncentral_tail(x, k, lam) == pytest.approx((draws >= x).mean(), abs=0.01)


def test_sizes_are_shifts_of_a_normal():
    assert sd_of(epsilon_of(0.3)) == pytest.approx(0.3)
    rng = np.random.default_rng(1)
    ref = rng.normal(size=200_000)
    bins = bins_from(ref, "numeric", Drift())
    evidence = value_evidence(count(ref, bins)[0], count(ref[:50_000] + 0.5, bins)[0], bins)
    assert sd_of(evidence.divergence) == pytest.approx(0.5, rel=0.08)


def test_cells_merge_until_chi_square_holds():
    rng = np.random.default_rng(2)
    ref = rng.normal(size=2000)
    bins = bins_from(ref, "numeric", Drift())
    a = count(ref, bins)[0]
    assert value_evidence(a, count(rng.normal(size=1000), bins)[0], bins).degrees in {9, 10, 11}
    assert value_evidence(a, count(rng.normal(size=20), bins)[0], bins).degrees <= 4
    assert value_evidence(a, np.zeros_like(a), bins).degrees == 0


@pytest.mark.parametrize("n", [100, 500])
def test_without_a_margin_the_p_value_is_uniform_under_no_change(n):
    rng = np.random.default_rng(3)
    ref = rng.normal(size=5000)
    bins = bins_from(ref, "numeric", Drift())
    a = count(ref, bins)[0]
    groups = np.repeat(np.arange(400), n)
    days = count(rng.normal(size=n * 400), bins, groups, 400)
    p = [value_evidence(a, day, bins).p_value() for day in days]
    assert stats.binomtest(sum(v < 0.05 for v in p), 400, 0.05).pvalue > 0.001
    assert stats.binomtest(sum(v < 0.5 for v in p), 400, 0.5).pvalue > 1e-4


def test_at_the_margin_itself_alarms_stay_rare():
    rng = np.random.default_rng(4)
    ref = rng.normal(size=20_000)
    bins = bins_from(ref, "numeric", Drift())
    a = count(ref, bins)[0]
    days = count(rng.normal(0.25, size=300_000), bins, np.repeat(np.arange(300), 1000), 300)
    p = [value_evidence(a, day, bins).p_value(epsilon_of(0.25)) for day in days]
    assert np.mean(np.array(p) < 0.05) <= 0.09


def test_a_category_that_grows_from_nothing_is_not_merged_away():
    bins = bins_from(["a"] * 500 + ["b"] * 500, "categorical", Drift())
    ref = np.array([2500, 2500, 0, 0, 0])
    evidence = value_evidence(ref, np.array([490, 490, 0, 20, 0]), bins)
    assert evidence.p_value() < 1e-10


def test_presence_sees_nulls_and_not_values():
    bins = bins_from(np.arange(1000.0), "numeric", Drift())
    a = count(np.r_[np.arange(1000.0), [np.nan] * 10], bins)[0]
    shifted = count(np.r_[np.arange(500.0), [np.nan] * 5], bins)[0]
    nulls = count(np.r_[np.arange(500.0), [np.nan] * 60], bins)[0]
    assert presence_evidence(a, shifted, bins).p_value() > 0.5
    assert presence_evidence(a, nulls, bins).p_value() < 1e-10


def days_of(divergences, n_eff=1e6, degrees=9):
    return [Evidence(2 * n_eff * d + degrees, degrees, n_eff) for d in divergences]


def test_a_margin_is_learned_from_how_days_differ():
    assert learned_margin(days_of([0.1] * 4), 0.999) == 0
    assert learned_margin(days_of([1.95] * 20), 0.999) == pytest.approx(1.95)
    rng = np.random.default_rng(5)
    days = rng.gamma(2, 0.1, size=60)
    assert learned_margin(days_of(days), 0.999) > days.max()
    assert learned_margin(days_of(days[:7]), 0.999) > stats.gamma.ppf(0.99, 2, scale=0.1)


def test_days_of_one_distribution_teach_next_to_nothing():
    rng = np.random.default_rng(6)
    values = rng.normal(size=30_000)
    bins = bins_from(values, "numeric", Drift())
    days = count(values, bins, np.repeat(np.arange(30), 1000), 30)
    whole = days.sum(0)
    margin = learned_margin([value_evidence(whole - d, d, bins) for d in days], 0.999)
    assert sd_of(margin) < 0.15
