"""One model on the examined rows, and what its answers cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config, Metric
from feedback_assets.performance.metrics import Floats, losses
from feedback_assets.promotion.scores import is_scored
from feedback_assets.training.onnx_model import OnnxModel, Scores


@dataclass(frozen=True)
class Side:
    """Champion or candidate on the rows.

    Attributes:
        model: the model.
        answers: what it answers [n].
        values: what losses are made of: scores [n], or class probabilities [n, K].
    """

    model: OnnxModel
    answers: Scores
    values: Floats

    @classmethod
    def of(cls, model: OnnxModel, rows: pd.DataFrame) -> Self:
        """Score the rows.

        Raises:
            TrainingError: The rows lack a column that the model reads.
        """
        answers = model.score(rows)
        return cls(model, answers, values_of(answers))

    @property
    def unscored(self) -> int:
        """Rows without a finite score."""
        return int(np.sum(~is_scored(self.values)))


Sides = dict[str, Side]
"""`champion` (if there is one) and `candidate`."""


def values_of(answers: Scores) -> Floats:
    """Scores [n], or class probabilities [n, K] for multiclass."""
    return answers.score if answers.class_scores is None else answers.class_scores


def row_loss(config: Config) -> Metric:
    """The loss of a row: the gate's metric where it is a mean over rows, else the nearest one.

    Rank metrics and F1 have no loss of a row; Brier score (log loss for multiclass) stands for them,
    and the squared error for R².
    """
    if config.metric == "r2":
        return "rmse"
    if config.metric in {"roc_auc", "f1"}:
        return "log_loss" if config.label.kind == "multiclass" else "brier"
    return config.metric


def mean_loss(config: Config, y: Floats, values: Floats) -> float:
    """Mean loss of answers on labels `y[n]`; squared for rmse, the error for accuracy; NaN of none."""
    each = losses(config.label.kind, row_loss(config), y, values, config.label.threshold)
    return float(each.mean()) if each.size else float("nan")


def loss_on(config: Config, model: OnnxModel, rows: pd.DataFrame, y: Floats) -> float:
    """Mean loss of a model on rows; NaN when some row gets no score."""
    return mean_loss(config, y, values_of(model.score(rows)))


def with_columns(rows: pd.DataFrame, changed: Mapping[str, Any]) -> pd.DataFrame:
    """The rows with some columns replaced, whatever the columns are called."""
    made = rows.copy(deep=False)
    for name, values in changed.items():
        made[name] = values
    return made


def by_side(sides: Sides, value: Any) -> dict[str, Any]:
    """`value(side)` of champion and candidate; None for a champion that there is not."""
    return {
        name: value(sides[name]) if name in sides else None for name in ("champion", "candidate")
    }
