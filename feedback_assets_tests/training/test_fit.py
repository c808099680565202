import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from feedback_assets.errors import TrainingError
from feedback_assets.training.fit import train
from feedback_assets_tests.training.examples import config, rows

SCRIPT = """
from feedback_assets.training.fit import train
from feedback_assets_tests.training.examples import config, rows
for text in (False, True):
    frame, labels = rows(400)
    print(train(frame, labels, config(text=text)).digest)
"""


def test_the_same_rows_in_any_order_give_the_same_digest():
    frame, labels = rows(600)
    shuffled = frame.sample(frac=1, random_state=3)
    one = train(frame, labels, config())
    other = train(shuffled, labels.loc[shuffled.index], config())
    assert one.digest == other.digest
    assert one.rows == 600
    assert one.digest != train(frame, 1 - labels, config()).digest


@pytest.mark.slow
def test_other_processes_with_other_hash_seeds_and_threads_give_the_same_digest():
    said = set()
    for seed in ("1", "2", "3"):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True, check=True
        )
        said.add(run.stdout)
    frame, labels = rows(400)
    here = [train(frame, labels, config(text=text)).digest for text in (False, True)]
    assert said == {"\n".join(here) + "\n"}


def test_it_learns():
    frame, labels = rows(3000)
    fresh, truth = rows(2000, seed=5)
    scores = train(frame, labels, config()).model.score(fresh)
    assert np.corrcoef(scores.score, truth)[0, 1] > 0.3
    assert set(scores.prediction) == {0, 1}


def test_at_most_max_rows_are_drawn_by_the_id_alone():
    frame, labels = rows(1000)
    small = config(max_rows=300)
    trained = train(frame, labels, small)
    assert trained.rows == 300
    import duckdb

    with duckdb.connect() as con:
        chosen = con.sql(
            "select prediction_id from frame order by md5(prediction_id) limit 300"
        ).df()
    keep = frame["prediction_id"].isin(chosen["prediction_id"])
    assert train(frame[keep], labels[keep], small).digest == trained.digest


def test_the_seed_and_the_params_enter_the_digest():
    frame, labels = rows(300)
    digests = {
        train(frame, labels, config(**model)).digest
        for model in ({}, {"params": {"max_iter": 20}}, {"estimator": "linear"})
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f, y: (f.head(50), y.head(50)), "50 labelled rows are fewer"),
        (lambda f, y: (f, y * 0), "every one of 300 rows has the label 0"),
        (lambda f, y: (f, y + 1), "label 2 is not one of 0, 1"),
        (lambda f, y: (f, y.where(y.index > 2)), "3 rows have no label"),
        (
            lambda f, y: (pd.concat([f, f.head(1)]), pd.concat([y, y.head(1)])),
            "p000000 stands twice",
        ),
    ],
)
def test_what_cannot_be_trained_says_why(change, said):
    with pytest.raises(TrainingError, match=said):
        train(*change(*rows(300)), config())


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        ("sklearn.svm.LinearSVC", "needs an estimator with predict_proba"),
        ("sklearn.dummy.DummyClassifier", "has no converter to ONNX"),
    ],
)
def test_an_estimator_that_cannot_serve_says_so(estimator, said):
    frame, labels = rows(300)
    with pytest.raises(TrainingError, match=said):
        train(frame, labels, config(estimator=estimator))


def test_an_infinite_label_is_refused():
    frame, labels = rows(300, "regression")
    with pytest.raises(TrainingError, match="infinite"):
        train(frame, labels.replace(labels[0], np.inf), config("regression"))
