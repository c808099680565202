"""Calibrators against scikit-learn, and their uncertainty against the closed form."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.performance.calibration import (
    REPLICATES,
    Calibrator,
    Tilted,
    between,
    cells_of,
    isotonic,
    log_odds,
    mean_between,
    sigmoid,
)

COUNTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12).filter(
    lambda cells: any(a + b for a, b in cells)
)


@settings(max_examples=60, deadline=None)
@given(COUNTS)
def test_isotonic_is_scikit_learns(counts: list[tuple[int, int]]) -> None:
    from sklearn.isotonic import IsotonicRegression

    good, bad = np.array(counts, dtype=float).T
    rows = good + bad
    some = rows > 0
    found = isotonic(good[None], rows[None])[0]
    x = np.arange(rows.size, dtype=float)
    mean = np.divide(good, rows, out=np.zeros_like(good), where=some)
    oracle = IsotonicRegression().fit(x[some], mean[some], sample_weight=rows[some])
    assert found[some] == pytest.approx(oracle.predict(x[some]))
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()


def test_sigmoid_is_an_unpenalised_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    z = np.linspace(-3, 3, 30)
    rows = rng.integers(20, 60, 30).astype(float)
    positives = rng.binomial(rows.astype(int), 1 / (1 + np.exp(-(0.5 + 0.6 * z)))).astype(float)
    oracle = LogisticRegression(C=1e6).fit(
        np.concatenate([z, z])[:, None],
        np.repeat([1, 0], 30),
        sample_weight=np.concatenate([positives, rows - positives]),
    )
    expected = oracle.predict_proba(z[:, None])[:, 1]
    assert sigmoid(z, positives[None], rows[None])[0] == pytest.approx(expected, abs=1e-3)


def test_cells_keep_ties_together_and_order() -> None:
    x = np.round(np.random.default_rng(1).random(3000), 1)
    cell, middle = cells_of(x, np.ones(x.size))
    assert middle == pytest.approx(np.unique(x))
    assert middle[cell] == pytest.approx(x)
    y = np.random.default_rng(2).random(3000)
    cell, middle = cells_of(y, np.ones(y.size))
    assert (np.diff(middle) > 0).all()
    assert np.bincount(cell).min() > 0.8 * y.size / middle.size


def test_a_rare_class_is_finely_resolved() -> None:
    rng = np.random.default_rng(3)
    score = rng.beta(0.3, 12, 40_000)
    found = Calibrator.fit(score, (rng.random(score.size) < score).astype(float))
    top = np.quantile(score, [0.98, 0.995, 0.999])
    assert found(top) == pytest.approx(top, rel=0.25)


@pytest.mark.parametrize(("power", "method"), [(1.0, "sigmoid"), (6.0, "isotonic")])
def test_the_method_that_fits_is_chosen_and_recovers_the_truth(power: float, method: str) -> None:
    rng = np.random.default_rng(4)
    score = rng.random(20_000)
    true = score if power == 1 else np.where(score < 0.5, 0.2, 0.7)
    found = Calibrator.fit(score, (rng.random(score.size) < true).astype(float))
    assert found.method == method
    assert np.abs(found(score) - true).mean() < 0.015


def test_replicates_spread_as_a_binomial_share_does() -> None:
    rng = np.random.default_rng(5)
    y = (rng.random(500) < 0.2).astype(float)
    found = Calibrator.fit(np.full(500, 0.4), y)
    share = y.mean()
    assert found(np.array([0.1, 0.9])) == pytest.approx(share, abs=1e-3)
    assert found.replicates.shape == (REPLICATES, 1)
    assert found.replicates.std() == pytest.approx(np.sqrt(share * (1 - share) / 500), rel=0.15)
    assert np.ptp(found.replicated(np.array([0.1, 0.9])), axis=1).max() == 0


def test_one_class_and_unknown_scores_are_no_errors() -> None:
    score = np.linspace(0, 1, 100)
    never = Calibrator.fit(score, np.zeros(100))
    assert never(score).max() == 0
    assert never.replicated(score).max() == 0
    assert np.isnan(never(np.array([np.nan]))).all()


def test_json_and_back_answers_the_same() -> None:
    rng = np.random.default_rng(6)
    score = rng.random(800)
    found = Calibrator.fit(score, (rng.random(800) < score).astype(float))
    back = Calibrator.from_dict(json.loads(json.dumps(found.to_dict())))
    assert np.array_equal(back(score), found(score))
    assert np.array_equal(back.replicated(score), found.replicated(score))


def test_between_is_interp_for_many_and_its_mean() -> None:
    rng = np.random.default_rng(7)
    at, values, x = np.sort(rng.random(9)), rng.random((4, 9)), rng.random(50) * 1.4 - 0.2
    found = between(x, at, values)
    assert found == pytest.approx(np.stack([np.interp(x, at, v) for v in values]))
    assert mean_between(x, at, values) == pytest.approx(found.mean(axis=1))


def test_a_tilt_moves_the_log_odds() -> None:
    rng = np.random.default_rng(8)
    score = rng.random(800)
    base = Calibrator.fit(score, (rng.random(800) < score).astype(float))
    ones, zeros = np.ones(REPLICATES), np.zeros(REPLICATES)
    same = Tilted(base, 0.0, 1.0, zeros, ones)
    assert same(score) == pytest.approx(base(score), abs=1e-5)
    assert same.replicated(score) == pytest.approx(base.replicated(score), abs=1e-5)
    more = Tilted(base, 0.5, 1.0, zeros + 0.5, ones)
    inside = (base(score) > 0.01) & (base(score) < 0.99)
    assert (log_odds(more(score)) - log_odds(base(score)))[inside] == pytest.approx(0.5)
