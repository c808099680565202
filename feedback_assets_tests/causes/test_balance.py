"""The weighted comparison against closed forms, scikit-learn and the bootstrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.causes.balance import difference, error, fitted, shares, standardised


def sample(seed, n=600):
    rng = np.random.default_rng(seed)
    later = np.arange(n) >= n // 3
    x = rng.normal(size=(n, 2)) + later[:, None] * [0.8, -0.3]
    return x, later, x[:, 0] ** 2 + rng.random(n)


def test_coefficients_are_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    x, later, _ = sample(0)
    design = standardised([x], later.size)
    theirs = LogisticRegression(C=1e8, tol=1e-10, fit_intercept=False, max_iter=1000).fit(
        design, later, sample_weight=shares(later) * later.size
    )
    assert fitted(design, later).theta == pytest.approx(theirs.coef_[0], abs=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_weighted_means_of_the_variables_are_equal(seed: int) -> None:
    x, later, _ = sample(seed, 300)
    logit = fitted(standardised([x], later.size), later)
    for column in x.T:
        assert difference(column, later, logit).value == pytest.approx(0, abs=1e-3)


def test_by_segments_it_is_the_overlap_weighted_mean_of_differences() -> None:
    rng = np.random.default_rng(1)
    later = np.arange(900) >= 400
    segment = np.where(later, rng.choice(3, 900, p=[0.2, 0.3, 0.5]), rng.choice(3, 900))
    loss = rng.random(900) + segment * (1 + later)
    logit = fitted(standardised([np.eye(3)[segment][:, 1:]], 900), later)
    got = difference(loss, later, logit).value
    means = np.array(
        [[loss[(segment == s) & (later == t)].mean() for s in range(3)] for t in (0, 1)]
    )
    p, q = (np.bincount(segment[later == t]) / (later == t).sum() for t in (0, 1))
    weight = p * q / (p + q)
    assert got == pytest.approx(weight @ (means[1] - means[0]) / weight.sum(), abs=1e-3)


@pytest.mark.parametrize("by_day", [False, True])
@pytest.mark.parametrize("partial", [False, True])
def test_errors_are_the_bootstraps(by_day: bool, partial: bool) -> None:
    rng = np.random.default_rng(2)
    x, later, loss = sample(3)
    day = np.arange(600) // 10 if by_day else np.where(later, 1, 0)
    loss = loss + (rng.normal(size=60)[day] if by_day else 0)
    columns = np.array([True, True, False]) if partial else None

    def plain(at):
        return difference(
            loss[at], later[at], fitted(standardised([x[at]], at.size), later[at]), columns
        )

    drawn = []
    for _ in range(300):
        if by_day:
            days = np.concatenate([rng.integers(0, 20, 20), rng.integers(20, 60, 40)])
            at = (days[:, None] * 10 + np.arange(10)).ravel()
        else:
            at = np.concatenate([rng.integers(0, 200, 200), rng.integers(200, 600, 400)])
        drawn.append(plain(at).value)
    got, freedom = error(plain(np.arange(600)).influence, later, day)
    assert got == pytest.approx(np.std(drawn), rel=0.2)
    assert 15 < freedom <= 600


def test_no_error_is_known_of_one_row() -> None:
    later = np.array([False, True, True])
    assert np.isnan(error(np.zeros(3), later, np.arange(3))[0])
