import dataclasses

import numpy as np
import pytest

from feedback_assets.errors import ParityError
from feedback_assets.training.fit import train
from feedback_assets.training.parity import parity
from feedback_assets_tests.training.examples import config, rows, strange

ESTIMATORS = ["hist_gradient_boosting", "random_forest", "linear"]


@pytest.mark.parametrize("text", [False, True], ids=["tabular", "text"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_onnx_answers_as_the_estimator_on_strange_rows(estimator, kind, text):
    params = {"n_estimators": 30} if estimator == "random_forest" else {}
    frame, labels = rows(1200, kind)
    trained = train(frame, labels, config(kind, text, estimator=estimator, params=params))
    found = parity(trained, strange(1500), 1e-4)
    assert found.rows == 1500
    assert found.max_difference < 2e-5


@pytest.mark.parametrize(
    "estimator",
    [
        "sklearn.neural_network.MLPClassifier",
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.ExtraTreesClassifier",
        "sklearn.naive_bayes.GaussianNB",
        "sklearn.tree.DecisionTreeClassifier",
    ],
)
def test_estimators_by_import_path_export_exactly(estimator):
    frame, labels = rows(600)
    trained = train(frame, labels, config(text=True, estimator=estimator))
    assert parity(trained, strange(600), 1e-4).max_difference < 1e-4


def test_a_class_without_training_rows_scores_zero():
    frame, labels = rows(600, "multiclass")
    scores = train(frame, labels, config("multiclass", estimator="linear")).model.score(frame)
    assert scores.class_scores.shape == (600, 4)
    assert (scores.class_scores[:, 3] == 0).all()
    np.testing.assert_allclose(scores.class_scores.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(scores.score, scores.class_scores.max(axis=1))
    assert set(scores.prediction) <= {"hi", "lo", "mid"}


def test_a_difference_fails_with_the_worst_row():
    frame, labels = rows(600)
    trained = train(frame, labels, config())
    other = train(frame, 1 - labels, config())
    wrong = dataclasses.replace(trained, model=other.model)
    with pytest.raises(ParityError, match=r"worst of 600 rows .*'c': .*'onnx': .*'estimator'"):
        parity(wrong, frame, 1e-4)


def test_no_rows_is_no_difference():
    frame, labels = rows(300)
    assert parity(train(frame, labels, config()), frame.head(0), 1e-4).rows == 0
