import numpy as np
import pandas as pd
import pytest

from feedback_assets.errors import TrainingError
from feedback_assets.training.fit import train
from feedback_assets.training.sample_weights import weights_of
from feedback_assets_tests.training.examples import config, rows


@pytest.mark.parametrize("estimator", ["hist_gradient_boosting", "linear", "random_forest"])
def test_equal_weights_leave_the_digest_as_it_is(estimator):
    frame, labels = rows(400)
    loop = config(estimator=estimator)
    plain = train(frame, labels, loop)
    for weight in (1.0, 0.3):
        assert train(frame, labels, loop, np.full(400, weight)).digest == plain.digest
    other = train(frame, labels, loop, np.where(np.arange(400) % 2, 1.0, 0.2))
    assert other.digest != plain.digest
    assert not other.warnings


def test_a_weight_goes_with_its_row_whatever_the_order_or_sample():
    frame, labels = rows(600)
    weights = pd.Series(np.random.default_rng(0).uniform(0.1, 3, 600), index=frame.index)
    shuffled = frame.sample(frac=1, random_state=3)
    loop = config(max_rows=300)
    one = train(frame, labels, loop, weights)
    other = train(shuffled, labels.loc[shuffled.index], loop, weights.loc[shuffled.index])
    assert one.digest == other.digest


def test_rows_that_weigh_next_to_nothing_teach_next_to_nothing():
    frame, labels = rows(2000)
    wrong = np.arange(2000) < 900
    said = labels.where(~wrong, 1 - labels)
    fresh, truth = rows(2000, seed=5)

    def skill(weights):
        scores = train(frame, said, config(estimator="linear"), weights).model.score(fresh).score
        return np.corrcoef(scores, truth)[0, 1]

    assert skill(np.where(wrong, 1e-6, 1.0)) > skill(None) + 0.1


def test_an_estimator_without_weights_says_so_and_is_fitted_all_the_same():
    frame, labels = rows(300)
    loop = config(estimator="sklearn.neighbors.KNeighborsClassifier")
    weights = np.where(np.arange(300) % 2, 1.0, 0.2)
    trained = train(frame, labels, loop, weights)
    assert trained.rows == 300
    assert "KNeighborsClassifier takes no sample weights" in trained.warnings[0]
    assert not train(frame, labels, loop, np.ones(300)).warnings


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_what_is_no_weight_is_refused(wrong):
    frame, labels = rows(300)
    with pytest.raises(TrainingError, match="a row weighs"):
        train(frame, labels, config(), np.where(np.arange(300) == 7, wrong, 1.0))


def test_rows_of_an_older_pool_weigh_one():
    assert weights_of(pd.DataFrame({"label": [1, 0]})) is None
    found = weights_of(pd.DataFrame({"weight": [None, 2.5]}))
    assert found is not None
    assert found.tolist() == [1.0, 2.5]
