"""The capital of one who bets against a true hypothesis does not grow."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.promotion.betting import (
    day_capital,
    lower_ends,
    nulls_around,
    row_bets,
    row_capital,
)

Array = np.ndarray[Any, Any]
TUNED = {0.01: 0.5, 0.02: 0.5}
BAR = math.log(20)


def capital(d: Array, null: float = 0.0) -> Array:
    return row_capital(d, null, -1.0, row_bets(d, TUNED, 0.04))


def signs(rng: np.random.Generator, shape: tuple[int, ...], gain: float = 0.0) -> Array:
    u = rng.random(shape)
    return (u < 0.05 + gain / 2).astype(float) - (u > 0.95 + gain / 2)


def test_a_true_hypothesis_is_refuted_in_no_more_runs_than_alpha_after_any_label() -> None:
    found = capital(signs(np.random.default_rng(1), (1_000, 4_000)))
    assert (found >= BAR).any(axis=1).mean() <= 0.05
    assert found.max() > 1, "nobody ever won anything: the bets are too timid to test anything"


def test_the_mean_capital_is_at_most_one_at_every_moment() -> None:
    found = np.exp(capital(signs(np.random.default_rng(2), (20_000, 100)))).mean(axis=0)
    assert np.all(found < 1.05)


def test_losses_that_are_askew_are_no_way_to_riches() -> None:
    """Nineteen small gains for one loss of their sum: the mean is nought, the median is not."""
    rng = np.random.default_rng(3)
    d = np.where(rng.random((1_000, 3_000)) < 0.95, 0.05, -0.95)
    assert (capital(d) >= BAR).any(axis=1).mean() <= 0.05


def test_what_is_better_is_proven_and_sooner_the_better_it_is() -> None:
    rng = np.random.default_rng(4)
    needed = [
        float(np.median((capital(signs(rng, (100, 6_000), gain)) >= BAR).argmax(axis=1)))
        for gain in (0.02, 0.04)
    ]
    assert 0 < needed[1] < needed[0] / 2 < 1_500


@given(st.integers(0, 10_000), st.integers(1, 200), st.floats(-0.9, 0.9))
@settings(max_examples=60, deadline=None)
def test_nobody_is_ruined_and_nobody_sees_the_future(seed: int, n: int, null: float) -> None:
    d = np.random.default_rng(seed).uniform(-1, 1, n)
    whole = capital(d, null)
    assert np.isfinite(whole).all()
    for cut in (1, n // 2, n - 1):
        if 0 < cut < n:
            np.testing.assert_allclose(capital(d[:cut], null), whole[:cut], rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10_000), st.floats(-0.5, 0.4), st.floats(0.001, 0.3))
@settings(max_examples=40, deadline=None)
def test_a_lower_hypothesis_is_easier_to_refute(seed: int, null: float, less: float) -> None:
    d = np.random.default_rng(seed).uniform(-1, 1, (5, 50))
    bets = row_bets(d, TUNED, 0.04)
    low, high = (row_capital(d, m, -1.0, bets) for m in (null - less, null))
    assert np.all(low >= high)


def test_days_that_share_their_luck_prove_nothing_by_their_rows() -> None:
    rng = np.random.default_rng(5)
    luck = rng.normal(0, 0.05, (400, 40, 1))
    d = np.clip(luck + rng.normal(0, 0.2, (400, 40, 100)), -1, 1)
    by_row = capital(d.reshape(400, -1))
    by_day = day_capital(d.sum(axis=2), np.full((400, 40), 100.0), 0.0)
    assert (by_row >= BAR).any(axis=1).mean() > 0.3
    assert (by_day >= BAR).any(axis=1).mean() <= 0.05


def test_the_mean_capital_of_days_is_one_whatever_their_size() -> None:
    rng = np.random.default_rng(6)
    sums = rng.standard_t(2, (40_000, 40)) * rng.lognormal(0, 1, (1, 40))
    found = day_capital(sums, np.ones_like(sums), 0.0)
    assert np.all(np.abs(np.exp(found[:, :10]).mean(axis=0) - 1) < 0.05)
    assert (found >= BAR).any(axis=1).mean() <= 0.05
    below = day_capital(sums - 0.5, np.ones_like(sums), 0.0)
    assert np.all(np.exp(below[:, :10]).mean(axis=0) < 1)


def test_nothing_is_proven_before_the_seventh_day() -> None:
    certain = day_capital(np.full(20, 1e6), np.ones(20), 0.0)
    assert int((certain >= BAR).argmax()) == 6
    assert np.all(np.diff(certain) <= math.log(2) + 1e-12)
    assert day_capital(np.zeros(5), np.ones(5), 0.0) == pytest.approx(0.0)


def test_the_interval_holds_the_truth_at_every_moment() -> None:
    missed, last = 0, []
    for seed in range(200):
        d = signs(np.random.default_rng(100 + seed), (2_000,), 0.01)
        bets = row_bets(d, TUNED, 0.04)
        nulls = nulls_around(float(d.mean()), 0.007, float(d.mean()) + 1.0)
        ends = lower_ends(nulls, np.stack([row_capital(d, m, -1.0, bets) for m in nulls]), BAR)
        missed += bool((ends > 0.01).any())
        last.append(ends[-1])
    assert np.mean(last) > -0.015, "so wide that it says nothing"
    assert missed <= 0.05 * 200


def test_an_end_lies_between_what_is_refuted_and_what_stands() -> None:
    nulls = np.array([-1.0, 0.0, 1.0])
    found = lower_ends(nulls, np.array([[9.0, 1.0], [4.0, 0.5], [0.0, 0.0]]), 2.0)
    assert found[0] == pytest.approx(0.5)
    assert found[1] == -math.inf
