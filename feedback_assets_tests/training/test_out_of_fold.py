"""What the loop's own kind of model says of rows that it was not trained on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from feedback_assets.config.schema import Config
from feedback_assets.errors import TrainingError
from feedback_assets.training.out_of_fold import out_of_fold
from feedback_assets_tests.worlds import LOOP


def config(**sections: Any) -> Config:
    return Config.model_validate({**LOOP, **sections})


def rows(n: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "prediction_id": [f"r{i:04d}" for i in range(n)],
            "size": rng.normal(size=n),
            "speed": rng.normal(10, 3, n),
            "colour": rng.choice(["red", "green"], n),
            "region": "north",
        }
    )
    drive = 2 * frame["size"] + (frame["colour"] == "red")
    return frame.assign(drive=drive, label=(drive + rng.logistic(size=n) > 0).astype(int))


def test_it_knows_what_can_be_known_and_no_more() -> None:
    frame = rows(600)
    said = out_of_fold(config(), frame)
    assert said.shape == (600, 2)
    assert said.sum(axis=1) == pytest.approx(1)
    assert 0.75 < roc_auc_score(frame["label"], said[:, 1]) < 0.93
    noise = frame.assign(label=np.random.default_rng(1).integers(0, 2, 600))
    blind = out_of_fold(config(model={"estimator": "hist_gradient_boosting"}), noise)
    assert 0.4 < roc_auc_score(noise["label"], blind[:, 1]) < 0.6


def test_twins_do_not_teach_each_other() -> None:
    """Two copies of every row with a label of pure chance: only a leak could tell it."""
    half = rows(203).assign(label=np.random.default_rng(2).integers(0, 2, 203))
    twins = half.assign(prediction_id="twin-" + half["prediction_id"])
    frame = pd.concat([half, twins], ignore_index=True)
    forest = config(
        model={"estimator": "random_forest", "params": {"min_samples_leaf": 1, "n_estimators": 30}}
    )
    said = out_of_fold(forest, frame)
    assert roc_auc_score(frame["label"], said[:, 1]) < 0.65


def test_the_same_rows_in_any_order_give_the_same() -> None:
    frame = rows()
    mixed = frame.sample(frac=1, random_state=3)
    said = pd.Series(out_of_fold(config(), mixed)[:, 1], mixed.index)
    assert (said.sort_index().to_numpy() == out_of_fold(config(), frame)[:, 1]).all()


def test_classes_that_a_fold_lacks_have_no_chance_there() -> None:
    frame = rows().assign(label=lambda f: np.where(f["drive"] > 0, "b", "a"))
    frame.loc[0, "label"] = "c"
    label = {"kind": "multiclass", "classes": ["a", "b", "c", "never"], "max_delay_days": 3}
    said = out_of_fold(config(label=label), frame)
    assert said.shape == (300, 4)
    assert (said[:, 3] == 0).all()
    assert said[0, 2] == 0
    assert said.sum(axis=1) == pytest.approx(1)


def test_numbers() -> None:
    frame = rows().assign(label=lambda f: f["drive"] * 10)
    said = out_of_fold(config(label={"kind": "regression", "max_delay_days": 3}), frame)
    assert said.shape == (300, 1)
    assert np.corrcoef(said[:, 0], frame["label"])[0, 1] > 0.99


def test_one_class_only_is_answered_by_its_share() -> None:
    said = out_of_fold(config(), rows(50).assign(label=1))
    assert said[:, 1] == pytest.approx(1)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TrainingError, match="speed"):
        out_of_fold(config(), rows().drop(columns="speed"))
