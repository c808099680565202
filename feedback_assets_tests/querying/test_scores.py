"""Scores equal the figures of an outside implementation, and say nothing where nothing is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feedback_assets.querying.scores import (
    density,
    entropy,
    least_confidence,
    margin,
    squared_distances,
    usual_distance,
)

# Expected by scikit-activeml (BSD-3-Clause), pool/tests/test_uncertainty_sampling.py.
OUTSIDE = np.array([[0.2, 0.5, 0.3], [0.1, 0.7, 0.2]])


def test_scores_equal_an_outside_implementation():
    assert np.allclose(entropy(OUTSIDE), [1.029653014, 0.8018185525])
    assert np.allclose(least_confidence(OUTSIDE), [0.5, 0.3])
    assert np.allclose(margin(OUTSIDE), [0.8, 0.5])


@given(arrays(np.float64, (5, 4), elements=st.floats(0, 1)))
@settings(max_examples=100, deadline=None)
def test_scores_lie_within_their_bounds_whatever_the_probabilities_sum_to(raw):
    known = raw.sum(axis=1) > 0
    for score, most in ((entropy, np.log(4)), (margin, 1), (least_confidence, 0.75)):
        found = score(raw)
        assert np.isnan(found[~known]).all()
        assert (found[known] >= 0).all()
        assert (found[known] <= most + 1e-12).all()
        assert np.allclose(found[known], score(raw * 3)[known])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_a_row_without_probabilities_has_no_score(bad):
    rows = np.array([[0.5, 0.5], [bad, 0.4]])
    for score in (entropy, margin, least_confidence):
        found = score(rows)
        assert np.isfinite(found[0])
        assert np.isnan(found[1])


def test_a_sure_answer_has_nothing_to_teach():
    assert entropy(np.array([[1.0, 0.0]]))[0] == 0
    assert margin(np.array([[1.0, 0.0]]))[0] == 0
    assert least_confidence(np.array([[1.0, 0.0]]))[0] == 0


def test_a_shape_without_classes_is_refused():
    with pytest.raises(ValueError, match=r"\[rows, classes\]"):
        entropy(np.array([0.2, 0.8]))


def test_rows_among_many_are_denser_than_rows_apart():
    rng = np.random.default_rng(0)
    space = np.concatenate([rng.normal(size=(900, 3)), rng.normal(size=(9, 3)) + 9])
    found = density(space.astype(np.float32))
    assert found[:900].mean() > 5 * found[900:].mean()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 0)])
def test_density_of_nothing_to_compare_is_the_same_everywhere(shape):
    assert (density(np.zeros(shape, np.float32)) == 1).all()


def test_equal_rows_are_equally_dense():
    assert np.allclose(density(np.ones((50, 2), np.float32)), 1)


def test_distances_are_those_of_the_definition():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(7, 4)).astype("f4"), rng.normal(size=(5, 4)).astype("f4")
    plain = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    assert np.allclose(squared_distances(a, b), plain, atol=1e-5)
    assert usual_distance(np.zeros((9, 2), np.float32)) == 0
    wide = usual_distance(rng.normal(size=(4_000, 50)).astype("f4"))
    assert wide == pytest.approx(10, rel=0.05)  # sqrt(2 * 50)
