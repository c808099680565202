"""Regression: a small model of the served model's own errors, for estimates before labels come."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.errors import TrainingError
from feedback_assets.training.fit import Trained, train
from feedback_assets.training.onnx_model import OnnxModel

MOST_ROWS = 20_000
"""Held-out rows that it learns from at most."""
FOLDS = 3
"""Blocks of days, each answered by a model of the others."""
PARAMS = {"max_iter": 60, "learning_rate": 0.08, "max_leaf_nodes": 8}
"""Of the gradient boosting: errors are noisy, and the file must stay small."""


@dataclass(frozen=True)
class ErrorModel:
    """A model of the absolute error."""

    content: bytes
    """The ONNX file; it reads the loop's features and `score`."""
    out_of_fold: npt.NDArray[np.float64]
    """What it says about each held-out row that it did not see [rows]; NaN without a score."""


def fit_error_model(held: pd.DataFrame, config: Config) -> ErrorModel | None:
    """Learn |label - score| from held-out rows.

    Args:
        held: `prediction_id`, `partition_key`, `label`, `score` by the new version, the features.
        config: The loop.

    Returns:
        The model, or None where there are too few rows or it cannot be trained.
    """
    label = held["label"].to_numpy(np.float64, na_value=np.nan)
    error = np.abs(label - held["score"].to_numpy(np.float64, na_value=np.nan))
    known = np.flatnonzero(np.isfinite(error))
    if known.size < FOLDS * config.performance.min_rows:
        return None
    rows, target, own = held.iloc[known], pd.Series(error[known]), _about_errors(config)
    fold = _fold(rows)
    found = np.full(len(held), np.nan)
    try:
        for k in range(FOLDS):
            out = fold == k
            found[known[out]] = _answers(_fit(rows[~out], target[~out], own), rows[out])
        model = _fit(rows, target, own)
    except TrainingError:
        return None
    return ErrorModel(model.onnx_bytes, found)


def expected_error(model: OnnxModel, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The error model's answer for each row [rows], at least 0; NaN where there is no score."""
    score = frame["score"].to_numpy(np.float64, na_value=np.nan)
    found = np.full(len(frame), np.nan)
    known = np.isfinite(score)
    if known.any():
        found[known] = np.maximum(model.score(frame[known]).score, 0.0)
    return found


def _fit(rows: pd.DataFrame, target: pd.Series, config: Config) -> Trained:
    return train(rows, target, config)


def _answers(trained: Trained, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    return expected_error(trained.model, rows)


def _fold(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Blocks of neighbouring days, about equally large; the same whatever the rows' order."""
    keys = [rows[name].astype(str).to_numpy() for name in ("prediction_id", "partition_key")]
    place = np.empty(len(rows), dtype=np.int64)
    place[np.lexsort(keys)] = np.arange(len(rows))
    return place * FOLDS // len(rows)


def _about_errors(config: Config) -> Config:
    """The loop as the error model sees it: the score is one more input."""
    columns, model = config.columns, config.model
    return config.model_copy(
        update={
            "name": f"{config.name}_error",
            "columns": columns.model_copy(update={"numeric": [*columns.numeric, "score"]}),
            "model": model.model_copy(
                update={
                    "estimator": "hist_gradient_boosting",
                    "params": PARAMS,
                    "features": [*config.features, "score"],
                    "max_rows": MOST_ROWS,
                }
            ),
            "pool": config.pool.model_copy(update={"min_rows": config.performance.min_rows}),
        }
    )
