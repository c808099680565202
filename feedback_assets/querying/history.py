"""A loop's labelled rows, divided into those that may be asked again and those that judge."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.errors import TrainingError
from feedback_assets.querying.candidates import Floats, Ints
from feedback_assets.training.estimators import make_estimator
from feedback_assets.training.features import FeatureSpec
from feedback_assets.training.pipeline import make_pipeline

_SURE = 1e-6
"""No probability is taken for nearer to 0 or 1: one row must not make a loss infinite."""


@dataclass(frozen=True)
class History:
    """Rows whose labels are known, so that asking for them again costs nothing."""

    frame: pd.DataFrame
    """`prediction_id` (unique), the loop's features, and the columns `stratified` covers [n]."""
    inputs: pd.DataFrame
    """What the model reads of them [n]."""
    target: npt.NDArray[np.float64]
    """0/1, position in `label.classes`, or number [n]."""
    group: npt.NDArray[np.int64]
    """Rows of one group, such as a day, judge together or not at all: neighbours are alike [n]."""
    config: Config

    @classmethod
    def of(
        cls, config: Config, frame: pd.DataFrame, labels: pd.Series, group: pd.Series
    ) -> "History":
        """Rows with their labels in the order of the frame.

        Raises:
            TrainingError: a label is null or not one of the loop's.
        """
        spec = FeatureSpec.of(config)
        values = pd.Series(labels).reset_index(drop=True)
        if spec.label_kind == "multiclass":
            values = values.map({name: i for i, name in enumerate(spec.classes)})
        target = values.to_numpy(dtype=np.float64, na_value=np.nan)
        if not np.isfinite(target).all():
            strange = pd.Series(labels).reset_index(drop=True)[~np.isfinite(target)].iloc[0]
            raise TrainingError(
                f"label {strange} is none of {config.name}'s: it cannot be replayed"
            )
        code = np.asarray(pd.factorize(group)[0], dtype=np.int64)
        return cls(frame.reset_index(drop=True), spec.prepare(frame), target, code, config)

    def __len__(self) -> int:
        return len(self.target)

    def divided(self, share: float, seed: int) -> tuple[Ints, Ints]:
        """Rows that may be asked, and those that judge: about `share` of the groups."""
        groups = int(self.group.max()) + 1
        judging = np.random.default_rng([seed, 1]).permutation(groups) < share * groups
        judges = judging[self.group]
        return np.flatnonzero(~judges), np.flatnonzero(judges)

    def fitted(self, rows: Ints, weights: Floats | None = None) -> "Refit":
        """The loop's model, trained on some of the rows, without the export to ONNX."""
        spec, model = FeatureSpec.of(self.config), self.config.model
        inputs, target = self.inputs.iloc[rows], self.target[rows]
        estimator = make_estimator(model.estimator, model.params, spec, model.seed, len(rows))
        empty = [name for name in spec.of_kind("numeric") if inputs[name].isna().all()]
        pipeline = make_pipeline(estimator, spec, model.seed, len(rows), empty)
        weighted = {} if weights is None else {"model__sample_weight": weights}
        classes = spec.label_kind != "regression"
        pipeline.fit(inputs, target.astype(np.int64) if classes else target, **weighted)
        return Refit(self, pipeline)


@dataclass(frozen=True)
class Refit:
    """A model of the replay."""

    history: History
    pipeline: object

    def probabilities(self, rows: Ints) -> Floats | None:
        """By class [rows, k]; None for regression."""
        label = self.history.config.label
        if label.kind == "regression":
            return None
        found = np.full((len(rows), len(label.classes) or 2), 0.0)
        pipeline: object = self.pipeline
        found[:, pipeline.classes_] = pipeline.predict_proba(self.history.inputs.iloc[rows])  # type: ignore[attr-defined]
        return np.clip(found, _SURE, 1 - _SURE)

    def loss(self, rows: Ints) -> float:
        """Mean log loss in nats, or mean squared error."""
        target, found = self.history.target[rows], self.probabilities(rows)
        if found is None:
            answers = self.pipeline.predict(self.history.inputs.iloc[rows])  # type: ignore[attr-defined]
            return float(np.mean((answers - target) ** 2))
        return float(-np.log(found[np.arange(len(rows)), target.astype(np.int64)]).mean())
