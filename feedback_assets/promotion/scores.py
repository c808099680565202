"""What models say about the evaluation rows, and whether two of them may be compared."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError
from feedback_assets.performance.metrics import Floats, class_codes, evaluate, floats


@dataclass(frozen=True)
class ModelScores:
    """What one model says about the evaluation rows.

    Attributes:
        model_digest: digest of the model's ONNX bytes.
        evaluation_digest: digest of the rows scored (`evaluation_digest`).
        score: probability of the positive class, or the predicted value [n].
        class_scores: multiclass: probabilities [n, K] in the order of `label.classes`.
        version: the registry's version, for people.
    """

    model_digest: str
    evaluation_digest: str
    score: Floats
    class_scores: Floats | None = None
    version: str = ""


def evaluation_digest(ids: Iterable[str], labels: Iterable[object]) -> str:
    """SHA-256 over ids and labels in the order in which the rows are scored.

    >>> evaluation_digest(["a"], [1]) == evaluation_digest(["a"], [0])
    False
    """
    text = json.dumps([[str(i), str(v)] for i, v in zip(ids, labels, strict=True)])
    return hashlib.sha256(text.encode()).hexdigest()


def must_be_comparable(champion: ModelScores | None, candidate: ModelScores, y: Floats) -> None:
    """Two different models, scored on the same rows, one score a label; else `GateError`."""
    for model in (m for m in (champion, candidate) if m is not None):
        if model.score.shape[0] != y.size:
            raise GateError(f"{model.score.shape[0]} scores for {y.size} labels")
    if champion is None:
        return
    if champion.model_digest == candidate.model_digest:
        raise GateError(f"champion and candidate are one model ({candidate.model_digest[:12]})")
    if champion.evaluation_digest != candidate.evaluation_digest:
        raise GateError(
            f"the champion was scored on rows {champion.evaluation_digest[:12]}, "
            f"the candidate on {candidate.evaluation_digest[:12]}: score both on the same"
        )


def usable_labels(labels: npt.ArrayLike, config: Config) -> Floats:
    """Labels as numbers [n] (class codes for multiclass); `GateError` where one is unknown."""
    if config.label.kind == "multiclass":
        codes = class_codes(labels, config.label.classes).astype(np.float64)
        codes[codes < 0] = np.nan
    else:
        codes = floats(labels)
    unknown = int(np.sum(~np.isfinite(codes)))
    if unknown:
        raise GateError(f"{unknown} of {codes.size} evaluation rows have no usable label")
    return codes


def usable_scores(model: ModelScores, config: Config) -> Floats:
    """Scores [n], or [n, K] for multiclass; `GateError` when the class scores do not fit."""
    if config.label.kind != "multiclass":
        return floats(model.score)
    if model.class_scores is None:
        raise GateError("a multiclass model is compared by class_scores [rows, classes]")
    scores = np.asarray(model.class_scores, dtype=np.float64)
    if scores.shape != (model.score.shape[0], len(config.label.classes)):
        raise GateError(
            f"class_scores have shape {scores.shape}, not rows x {len(config.label.classes)}"
        )
    return scores


def model_metrics(model: ModelScores, y: Floats, config: Config) -> dict[str, float]:
    """All metrics of one model on labels `y` of `usable_labels`."""
    label, scores = config.label, usable_scores(model, config)
    if label.kind == "multiclass":
        names = np.asarray(label.classes, dtype=object)
        best = np.nan_to_num(scores, nan=-np.inf).argmax(axis=1)
        return evaluate(
            label.kind, names[y.astype(np.int64)], model.score, names[best], scores, label.classes
        )
    answers = scores >= label.threshold if label.kind == "binary" else scores
    return evaluate(label.kind, y, scores, np.asarray(answers, dtype=np.float64))


def is_scored(scores: Floats) -> npt.NDArray[np.bool_]:
    """Rows [n] whose every score is a finite number."""
    known = np.isfinite(scores)
    return known if scores.ndim == 1 else np.asarray(known.all(axis=1), dtype=np.bool_)
