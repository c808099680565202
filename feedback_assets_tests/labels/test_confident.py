"""Probably wrong labels: equal to cleanlab's, and truly wrong."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from feedback_assets.labels.confident import Method, doubt, label_errors, noise

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from cleanlab.count import compute_confident_joint
    from cleanlab.filter import find_label_issues

METHODS: dict[Method, str] = {
    "off_diagonal": "confident_learning",
    "noise_rate": "prune_by_noise_rate",
    "class": "prune_by_class",
    "both": "both",
}
Case = tuple[np.ndarray, np.ndarray, np.ndarray]


def made(seed: int, rows: int, classes: int, skew: float, error: float) -> Case:
    """Labels, chances and truth of a made-up data set."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, rows, p=rng.dirichlet(np.full(classes, skew)))
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), truth] += 2
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = np.where(rng.random(rows) < error, rng.integers(0, classes, rows), truth)
    return label, chance, truth


def real(load: object, error: float, seed: int = 11) -> Case:
    """A data set of scikit-learn with flipped labels, and out-of-fold chances."""
    features, truth = load(return_X_y=True)  # type: ignore[operator]
    rng = np.random.default_rng(seed)
    flipped = rng.random(len(truth)) < error
    other = (truth + 1 + rng.integers(0, truth.max(), len(truth))) % (truth.max() + 1)
    label = np.where(flipped, other, truth)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return label, cross_val_predict(model, features, label, method="predict_proba"), truth


CASES = {
    "two classes": made(1, 2_000, 2, 10, 0.1),
    "rare class": made(2, 3_000, 2, 0.4, 0.05),
    "five classes": made(3, 1_500, 5, 1, 0.2),
    "half wrong": made(4, 1_000, 3, 10, 0.5),
    "no errors": made(5, 1_000, 4, 10, 0.0),
    "wine": real(load_wine, 0.1),
    "cancer": real(load_breast_cancer, 0.1),
    "digits": real(load_digits, 0.15, 22),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", METHODS)
def test_the_set_is_cleanlabs(case: str, method: Method) -> None:
    """Equal but where two kinds of error are rounded from equal remainders: cleanlab leaves that to
    the last bit of a sum, here the first kind gives way. None of these sets has such a tie."""
    label, chance, _ = CASES[case]
    theirs = find_label_issues(label, chance, filter_by=METHODS[method], n_jobs=1)
    ours = label_errors(label, chance, method)
    assert np.flatnonzero(ours).tolist() == np.flatnonzero(theirs).tolist()


@pytest.mark.parametrize("case", CASES)
def test_the_joint_is_cleanlabs(case: str) -> None:
    label, chance, _ = CASES[case]
    theirs = compute_confident_joint(label, chance)
    assert np.abs(noise(label, chance).joint - theirs).max() < 1  # theirs is in whole rows


def test_what_it_finds_is_wrong() -> None:
    label, chance, truth = CASES["digits"]
    found, wrong = label_errors(label, chance), label != truth
    assert wrong[found].mean() > 0.85
    assert found[wrong].mean() > 0.8
    assert noise(label, chance).wrong_share == pytest.approx(wrong.mean(), abs=0.03)
    worst = np.argsort(-doubt(label, chance))[:100]
    assert wrong[worst].mean() > 0.95


def test_small_and_odd_sets() -> None:
    chance = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.95, 0.05, 0.0]])
    assert not label_errors(np.array([0, 1, 0]), chance).any()
    # The only row of a label is left alone, and a class nobody named finds nothing.
    assert not label_errors(np.array([0, 0, 1]), chance, "class")[2]
    empty = np.zeros((0, 3))
    assert label_errors(np.zeros(0, np.int64), empty).shape == (0,)
    assert noise(np.zeros(0, np.int64), empty).wrong_share == 0


def test_rows_in_any_order() -> None:
    label, chance, _ = CASES["five classes"]
    order = np.random.default_rng(0).permutation(len(label))
    mixed = label_errors(label[order], chance[order])
    assert (mixed == label_errors(label, chance)[order]).all()
