"""What the loop's own kind of model says of labelled rows that it was not trained on."""

import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import class_codes
from feedback_assets.training.estimators import make_estimator
from feedback_assets.training.features import FeatureSpec
from feedback_assets.training.pipeline import make_pipeline

Floats = npt.NDArray[np.float64]
FOLDS = 5


def out_of_fold(config: Config, frame: pd.DataFrame, folds: int = FOLDS) -> Floats:
    """Cross-validated answers.

    Rows with equal features are in one fold, which a hash of them decides: the same rows in any
    order give the same answers, and no row is answered by a model that saw its twin.

    Args:
        config: The loop; `model`, `columns` and `label` are read.
        frame: Rows with `prediction_id`, `label` (none null) and the features [n].
        folds: Models trained, each without one part of the rows.

    Returns:
        Chance of each class: binary [n, 2], multiclass [n, classes]; regression: the number [n, 1].

    Raises:
        TrainingError: A column is missing, or the estimator or a parameter of it is wrong.
    """
    from threadpoolctl import threadpool_limits

    spec = FeatureSpec.of(config)
    order = frame["prediction_id"].astype(str).to_numpy(dtype=object).argsort(kind="stable")
    inputs = spec.prepare(frame.iloc[order])
    target = _target(frame["label"].iloc[order], spec)
    fold = pd.util.hash_pandas_object(inputs, index=False).to_numpy() % np.uint64(folds)
    width = {"regression": 1, "binary": 2}.get(spec.label_kind, len(spec.classes))
    said = np.zeros((len(frame), width))
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # A fold without some category, or not quite converged, is no news to anybody here.
        warnings.simplefilter("ignore")
        for k in range(folds):
            out = fold == k
            if out.any():
                said[order[out]] = _answered(config, spec, inputs, target, ~out, out)
    return said


def _answered(
    config: Config,
    spec: FeatureSpec,
    inputs: pd.DataFrame,
    target: Floats,
    learn: npt.NDArray[np.bool_],
    out: npt.NDArray[np.bool_],
) -> Floats:
    """What a model trained on some rows says of others."""
    rows, known = inputs[learn], target[learn]
    number = spec.label_kind == "regression"
    if len(known) == 0 or (not number and len(np.unique(known)) < 2):
        return _constant(spec, known, int(out.sum()))
    estimator = make_estimator(
        config.model.estimator, config.model.params, spec, config.model.seed, len(rows)
    )
    empty = [name for name in spec.of_kind("numeric") if rows[name].isna().all()]
    pipeline = make_pipeline(estimator, spec, config.model.seed, len(rows), empty)
    pipeline.fit(rows, known if number else known.astype(np.int64))
    if number:
        return pipeline.predict(inputs[out]).reshape(-1, 1)
    chance = pipeline.predict_proba(inputs[out])
    said = np.zeros((len(chance), max(2, len(spec.classes))))
    said[:, pipeline.classes_.astype(np.int64)] = chance
    return said


def _constant(spec: FeatureSpec, known: Floats, rows: int) -> Floats:
    """The mean, or the classes' shares, where there is nothing to learn from."""
    if spec.label_kind == "regression":
        return np.full((rows, 1), known.mean() if len(known) else 0.0)
    width = max(2, len(spec.classes))
    counts = np.bincount(known.astype(np.int64), minlength=width) + 1e-9
    return np.tile(counts / counts.sum(), (rows, 1))


def _target(labels: pd.Series, spec: FeatureSpec) -> Floats:
    """Labels as numbers: 0/1, positions of classes, or what they are [n]."""
    if spec.label_kind == "multiclass":
        return class_codes(labels.to_numpy(dtype=object), spec.classes).astype(np.float64)
    return labels.to_numpy(dtype=np.float64)
