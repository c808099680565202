"""Train a model from labelled rows: the same rows, in any order, give the same ONNX file."""

import hashlib
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config, LabelKind
from feedback_assets.errors import TrainingError
from feedback_assets.training.estimators import make_estimator, path_of
from feedback_assets.training.export import export
from feedback_assets.training.features import FeatureSpec
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets.training.pipeline import make_pipeline


@dataclass(frozen=True)
class Trained:
    """A fitted pipeline and the same as ONNX."""

    pipeline: Any
    """Fitted scikit-learn Pipeline over the frame that `spec.prepare` makes; never stored."""
    model: OnnxModel
    spec: FeatureSpec
    rows: int
    """Rows trained on, after sampling."""
    seconds: float
    """Wall time of fitting and export."""
    estimator: str
    """Import path of the estimator."""
    params: dict[str, Any]
    """Every parameter of the estimator, defaults included."""
    warnings: tuple[str, ...] = ()
    """What scikit-learn warned of while fitting."""

    @property
    def onnx_bytes(self) -> bytes:
        """The ONNX file."""
        return self.model.content

    @property
    def digest(self) -> str:
        """sha256 of the ONNX file."""
        return self.model.digest


def train(
    frame: pd.DataFrame,
    labels: Sequence[Any] | pd.Series,
    config: Config,
    weights: Sequence[float] | pd.Series | None = None,
) -> Trained:
    """Fit the configured model and export it.

    Args:
        frame: Rows with `prediction_id` (unique) and the loop's features [n].
        labels: 0/1, class names, or numbers, none null, in the order of `frame` [n].
        config: The loop; `model`, `columns`, `label` and `pool.min_rows` are read.
        weights: What each row weighs [n], positive; 1 if absent. Where all weigh the same, and for an
            estimator that takes no weights (said in `warnings`), the model is fitted without them.

    Raises:
        TrainingError: too few rows, a null or unknown label, one class only, a wrong estimator or
            parameter, an estimator that fails or has no converter to ONNX.
    """
    from threadpoolctl import threadpool_limits

    started = time.perf_counter()
    spec = FeatureSpec.of(config)
    keep = _rows_to_use(frame["prediction_id"], config.model.max_rows)
    if len(keep) < config.pool.min_rows:
        raise TrainingError(
            f"{len(keep)} labelled rows are fewer than pool.min_rows = {config.pool.min_rows}"
        )
    inputs = spec.prepare(frame.iloc[keep])
    target = _target(pd.Series(labels).iloc[keep], spec)
    estimator = make_estimator(
        config.model.estimator, config.model.params, spec, config.model.seed, len(keep)
    )
    empty = [name for name in spec.of_kind("numeric") if inputs[name].isna().all()]
    pipeline = make_pipeline(estimator, spec, config.model.seed, len(keep), empty)
    _check_answers(estimator, spec)
    weighed, unheeded = _weighed(weights, keep, estimator)
    # one thread: the order of floating-point sums, and so the digest, must not depend on the machine
    with threadpool_limits(limits=1), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            pipeline.fit(inputs, target, **weighed)
        except Exception as error:
            raise TrainingError(f"{path_of(estimator)} failed to fit: {error}") from error
    if spec.label_kind == "multiclass":
        spec = replace(spec, present=tuple(int(code) for code in pipeline.classes_))
    model = OnnxModel.load(export(pipeline, spec, config.name))
    return Trained(
        pipeline,
        model,
        spec,
        len(keep),
        time.perf_counter() - started,
        path_of(estimator),
        dict(estimator.get_params()),
        (*unheeded, *dict.fromkeys(str(warning.message) for warning in said)),
    )


def _rows_to_use(ids: pd.Series, most: int) -> npt.NDArray[np.int64]:
    """Positions in the order of id; at most so many, those with the smallest md5 of the id.

    SQL can draw the same sample: `order by md5(prediction_id) limit most`.
    """
    text = ids.astype(str)
    if text.duplicated().any():
        raise TrainingError(
            f"prediction {text[text.duplicated()].iloc[0]} stands twice in the pool"
        )
    order = text.to_numpy(dtype=object).argsort(kind="stable")
    if len(order) <= most:
        return order
    marks = np.array([_md5(text.iloc[i]) for i in order])
    return order[np.sort(marks.argsort(kind="stable")[:most])]


def _weighed(
    weights: Sequence[float] | pd.Series | None, keep: npt.NDArray[np.int64], estimator: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What `fit` is given for the weights of the kept rows, and a warning where it takes none."""
    if weights is None:
        return {}, ()
    values = np.asarray(weights, dtype=np.float64)[keep]
    if not (np.isfinite(values) & (values > 0)).all():
        wrong = values[~(np.isfinite(values) & (values > 0))][0]
        raise TrainingError(f"a row weighs {wrong:g}: weights are finite numbers above 0")
    if np.ptp(values) == 0:
        return {}, ()
    from sklearn.utils.validation import has_fit_parameter

    if not has_fit_parameter(estimator, "sample_weight"):
        words = "takes no sample weights: every row weighed 1, whatever trust or maturity say"
        return {}, (f"{path_of(estimator)} {words}",)
    return {"model__sample_weight": values}, ()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _target(labels: pd.Series, spec: FeatureSpec) -> np.ndarray:
    """Labels as the estimator wants them: 0/1, positions in `classes`, or finite numbers [n]."""
    if labels.isna().any():
        raise TrainingError(f"{int(labels.isna().sum())} rows have no label")
    if spec.label_kind == "regression":
        return _finite(labels)
    known: dict[Any, int] = {name: i for i, name in enumerate(spec.classes)} or {0: 0, 1: 1}
    codes = labels.map(known)
    if codes.isna().any():
        raise TrainingError(
            f"label {labels[codes.isna()].iloc[0]} is not one of {', '.join(map(str, known))}"
        )
    if codes.nunique() < 2:
        raise TrainingError(
            f"every one of {len(codes)} rows has the label {labels.iloc[0]}: nothing to learn"
        )
    return codes.to_numpy(dtype=np.int64)


def _finite(labels: pd.Series) -> npt.NDArray[np.float64]:
    values = labels.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise TrainingError("a label is infinite")
    return values


def _check_answers(estimator: Any, spec: FeatureSpec) -> None:
    kind: LabelKind = spec.label_kind
    needed = "predict" if kind == "regression" else "predict_proba"
    if not hasattr(estimator, needed):
        raise TrainingError(
            f"a {kind} label needs an estimator with {needed}: {path_of(estimator)}"
        )
