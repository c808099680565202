"""Proof that the exported model answers as the estimator does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.errors import ParityError
from feedback_assets.training.fit import Trained
from feedback_assets.training.onnx_model import CHUNK_ROWS


@dataclass(frozen=True)
class Parity:
    """How far ONNX and the estimator are apart."""

    rows: int
    max_difference: float
    """Of probabilities; for regression in standard deviations of the estimator's answers."""
    worst_row: dict[str, Any]
    """Inputs of the row where they differ most, with `onnx` and `estimator`."""


def parity(trained: Trained, frame: pd.DataFrame, tolerance: float) -> Parity:
    """Score every row twice and compare.

    Args:
        trained: Pipeline and model.
        frame: Held-out rows with the loop's features.
        tolerance: Largest allowed difference (`model.parity_tolerance`).

    Raises:
        ParityError: a row differs by more, or either answer is not a number; shows the worst row.
    """
    if frame.empty:
        return Parity(0, 0.0, {})
    ours, theirs = _onnx(trained, frame), _estimator(trained, frame)
    gap = np.abs(ours - theirs) / _unit(trained, theirs)
    by_row = np.where(np.isfinite(gap), gap, np.inf).max(axis=1)
    at = int(by_row.argmax())
    worst = {name: _plain(frame[name].iloc[at]) for name in trained.spec.names}
    worst |= {"onnx": ours[at].tolist(), "estimator": theirs[at].tolist()}
    found = Parity(len(frame), float(by_row[at]), worst)
    if not found.max_difference <= tolerance:
        raise ParityError(
            f"ONNX and {trained.estimator} differ by {found.max_difference:.3g} on the worst of "
            f"{found.rows:,} rows ({int((by_row > tolerance).sum()):,} rows beyond "
            f"model.parity_tolerance = {tolerance:g}); the worst row is {worst}"
        )
    return found


def _onnx(trained: Trained, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    scores = trained.model.score(frame)
    if scores.class_scores is not None:
        return scores.class_scores
    return scores.score[:, None]


def _estimator(trained: Trained, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    inputs = trained.spec.prepare(frame)
    chunks = [inputs.iloc[at : at + CHUNK_ROWS] for at in range(0, len(inputs), CHUNK_ROWS)]
    if trained.spec.label_kind == "regression":
        return np.concatenate([trained.pipeline.predict(chunk) for chunk in chunks]).reshape(-1, 1)
    raw = np.concatenate([trained.pipeline.predict_proba(chunk) for chunk in chunks])
    if trained.spec.label_kind == "binary":
        return raw[:, 1:]
    every = np.zeros((len(raw), len(trained.spec.classes)))
    every[:, list(trained.spec.present)] = raw
    return every


def _unit(trained: Trained, answers: npt.NDArray[np.float64]) -> float:
    if trained.spec.label_kind != "regression":
        return 1.0
    spread = float(np.std(answers))
    return spread if spread > 0 else max(1.0, float(np.abs(answers).max()))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
