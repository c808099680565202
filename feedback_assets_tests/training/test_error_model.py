"""A model of the errors finds where they are large, and never saw the rows it is judged on."""

import numpy as np
import pandas as pd
import pytest

from feedback_assets.performance.estimate import Estimator
from feedback_assets.training.error_model import expected_error, fit_error_model
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets_tests.promotion.loops import loop_config

CONFIG = loop_config("regression")


def world(n: int, seed: int) -> pd.DataFrame:
    """Errors of category u are five times those of v, and grow with the answer."""
    rng = np.random.default_rng(seed)
    c, score = rng.choice(["u", "v"], n), rng.uniform(10, 100, n)
    size = np.where(c == "u", 5.0, 1.0) * score / 50
    return pd.DataFrame(
        {
            "prediction_id": [f"{seed}-{i}" for i in range(n)],
            "partition_key": (np.datetime64("2024-01-01") + rng.integers(0, 9, n)).astype(str),
            "x": rng.normal(size=n),
            "c": c,
            "score": score,
            "prediction": score,
            "label": score + rng.normal(0, 1, n) * size,
            "size": size,
        }
    )


@pytest.fixture(scope="module")
def made():
    held = world(2500, 0)
    model = fit_error_model(held, CONFIG)
    assert model is not None
    return held, model


def test_it_finds_the_size_of_the_errors(made) -> None:
    _, model = made
    fresh = world(2000, 1)
    found = expected_error(OnnxModel.load(model.content), fresh)
    true = fresh["size"] * np.sqrt(2 / np.pi)
    assert np.corrcoef(found, true)[0, 1] > 0.95
    assert found.mean() == pytest.approx(true.mean(), rel=0.07)
    assert len(model.content) < 100_000


def test_out_of_fold_answers_are_not_those_of_a_model_that_knew(made) -> None:
    held, model = made
    inside = expected_error(OnnxModel.load(model.content), held)
    error = (held["label"] - held["score"]).abs()
    assert np.corrcoef(model.out_of_fold, error)[0, 1] < np.corrcoef(inside, error)[0, 1]
    assert np.isfinite(model.out_of_fold).all()


def test_the_estimate_follows_the_errors_of_another_mix(made) -> None:
    held, model = made
    estimator = Estimator.fit(CONFIG, held.assign(expected_error=model.out_of_fold))
    onnx = OnnxModel.load(model.content)
    for mix in ("u", "v"):
        rows = world(3000, 2)
        rows = rows[rows["c"] == mix]
        real = (rows["label"] - rows["score"]).abs().mean()
        rows = rows.assign(expected_error=expected_error(onnx, rows))
        found = estimator.estimate(rows).metrics["mae"]
        assert found.low <= real <= found.high
        assert found.high - found.low < 0.35 * real


def test_rows_without_a_score_have_no_answer_and_the_order_does_not_matter(made) -> None:
    held, model = made
    some = held.head(200).copy()
    some.loc[3, "score"] = np.nan
    found = expected_error(OnnxModel.load(model.content), some)
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    mixed = held.sample(frac=1, random_state=1)
    again = fit_error_model(mixed, CONFIG)
    assert again is not None
    assert again.content == model.content
    assert pd.Series(again.out_of_fold, mixed.index).sort_index().to_numpy() == pytest.approx(
        model.out_of_fold
    )


def test_too_few_rows_make_no_model() -> None:
    assert fit_error_model(world(80, 0), CONFIG) is None
    assert fit_error_model(world(500, 0).assign(label=np.nan), CONFIG) is None
