"""Metrics of predictions against labels, in numpy alone (importing sklearn costs 5 CPU seconds).

Every metric answers NaN where it is undefined (no rows, one class, no variance) and never raises
for the values it gets: a decision treats NaN as "not known", never as good or bad.
Definitions are those of scikit-learn; its functions are the oracle of the tests.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import Config, LabelKind, Metric

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

HIGHER_IS_BETTER: frozenset[ReportMetric] = frozenset({"roc_auc", "accuracy", "f1", "r2", "value"})
FITTING: Mapping[LabelKind, tuple[ReportMetric, ...]] = {
    "binary": ("log_loss", "brier", "roc_auc", "accuracy", "f1", "ece"),
    "multiclass": ("log_loss", "brier", "roc_auc", "accuracy", "f1", "ece"),
    "regression": ("mae", "rmse", "r2", "mape", "pinball"),
}
"""Metrics that each kind of label has; `value` comes with a KPI that says what an answer is worth."""
ECE_BINS = 15
# A label nearer to zero than this share of the mean label has no meaningful relative error.
NEAR_ZERO = 1e-3
_EPS = float(np.finfo(np.float64).eps)


def log_loss(y: Floats, p: Floats) -> float:
    """Mean negative log likelihood of 0/1 labels `y[n]` under probabilities `p[n]`, clipped."""
    return _mean(_log_losses(y, p))


def brier(y: Floats, p: Floats) -> float:
    """Mean squared difference of probabilities `p[n]` from 0/1 labels `y[n]` (Brier 1950)."""
    return _mean((p - y) ** 2)


def roc_auc(y: Floats, score: Floats) -> float:
    """Chance that a positive row outranks a negative one; ties count one half (Hanley 1982).

    >>> roc_auc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    return _mean(positive_ranks(score[y == 1], score[y != 1]))


def positive_ranks(positive: Floats, negative: Floats) -> Floats:
    """Share of `negative[n]` below each of `positive[m]`, ties one half: DeLong's placements [m].

    Empty when there is no negative.
    """
    if not negative.size:
        return np.empty(0)
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    up_to = np.searchsorted(ordered, positive, side="right")
    return np.asarray((below + up_to) / (2.0 * negative.size), dtype=np.float64)


def accuracy(y: npt.NDArray[np.generic], prediction: npt.NDArray[np.generic]) -> float:
    """Share of answers equal to the label."""
    return _mean(np.asarray(y == prediction, dtype=np.float64))


def f1(y: npt.NDArray[np.generic], prediction: npt.NDArray[np.generic]) -> float:
    """Harmonic mean of precision and recall of class 1; NaN when it is neither there nor said."""
    true_positive = float(np.sum((y == 1) & (prediction == 1)))
    said_or_there = float(np.sum(y == 1) + np.sum(prediction == 1))
    return 2 * true_positive / said_or_there if said_or_there else float("nan")


def mae(y: Floats, value: Floats) -> float:
    """Mean absolute error, in the label's unit."""
    return _mean(np.abs(y - value))


def rmse(y: Floats, value: Floats) -> float:
    """Root of the mean squared error, in the label's unit."""
    return float(np.sqrt(_mean((y - value) ** 2)))


def r2(y: Floats, value: Floats) -> float:
    """Share of the label's variance explained; NaN when the label does not vary."""
    spread = float(np.sum((y - y.mean()) ** 2)) if y.size > 1 else 0.0
    return 1.0 - float(np.sum((y - value) ** 2)) / spread if spread > 0 else float("nan")


def mape(y: Floats, value: Floats) -> float:
    """Mean of the error's share of the label; labels next to zero are left out (`relative_errors`).

    >>> mape(np.array([0.0, 2.0, 4.0]), np.array([9.0, 1.0, 4.0]))
    0.25
    """
    errors = relative_errors(y, value)
    return _mean(errors[np.isfinite(errors)])


def relative_errors(y: Floats, value: Floats) -> Floats:
    """Absolute error as a share of the label [n]; NaN for labels next to zero, which have none.

    Next to zero is below a thousandth of the mean absolute label of these rows: one such row would
    else decide the mean.
    """
    size = np.abs(y)
    fit = size > NEAR_ZERO * size.mean() if y.size else np.zeros(0, dtype=np.bool_)
    return np.divide(np.abs(y - value), size, out=np.full(y.size, np.nan), where=fit)


def pinball(y: Floats, value: Floats, quantile: float) -> float:
    """Mean quantile loss, least when `value` is that quantile of the label (Koenker 1978)."""
    return _mean(quantile_losses(y, value, quantile))


def quantile_losses(y: Floats, value: Floats, quantile: float) -> Floats:
    """Loss of `value[n]` as a quantile of the label: q a unit too low, 1 - q a unit too high."""
    error = y - value
    return np.asarray(np.maximum(quantile * error, (quantile - 1) * error), dtype=np.float64)


def ece(y: Floats, p: Floats) -> float:
    """Expected calibration error of 0/1 outcomes `y[n]` under `p[n]`, in 15 equal-mass bins.

    The mean over the bins, by rows, of the gap between mean probability and share of positives
    (Naeini et al. 2015; equal mass: Nguyen & O'Connor 2015). Equal probabilities share a bin, so
    that the order of the rows does not matter; there may then be fewer bins. Few rows make it too
    large, even of a perfect model: read it with its interval.

    >>> ece(np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.25, 0.25, 0.75, 0.75]))
    0.25
    """
    if not y.size:
        return float("nan")
    order = np.argsort(p, kind="stable")
    gaps = np.add.reduceat((y - p)[order], mass_bins(p[order]))
    return float(np.abs(gaps).sum() / y.size)


def mass_bins(ordered: Floats, bins: int = ECE_BINS) -> Codes:
    """First positions of equal-mass bins of sorted values [n], equal values together."""
    cuts = np.arange(bins) * ordered.size // bins
    return np.unique(np.searchsorted(ordered, ordered[cuts], side="left")).astype(np.int64)


def multiclass_log_loss(codes: Codes, p: Floats) -> float:
    """Mean negative log of the probability `p[n, K]` given to the true class `codes[n]`."""
    return _mean(_class_log_losses(codes, p))


def multiclass_brier(codes: Codes, p: Floats) -> float:
    """Mean over rows of the squared distance of `p[n, K]` from the true class's unit vector."""
    return _mean(_class_square_losses(codes, p))


def macro_f1(codes: Codes, predicted: Codes, n_classes: int) -> float:
    """Mean of the one-against-rest F1 over the classes that are there or were said."""
    return nan_mean([f1(codes == k, predicted == k) for k in range(n_classes)])


def macro_roc_auc(codes: Codes, p: Floats) -> float:
    """Mean of the one-against-rest AUC over the classes that have rows of both sides."""
    return nan_mean([roc_auc(_one(codes, k), p[:, k]) for k in range(p.shape[1])])


def evaluate(
    kind: LabelKind,
    y: npt.ArrayLike,
    score: npt.ArrayLike,
    prediction: npt.ArrayLike,
    class_scores: npt.ArrayLike | None = None,
    classes: Sequence[str] = (),
    *,
    quantile: float = 0.5,
    values: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """Every metric of a label kind, on the rows that have both a label and a finite score.

    Args:
        kind: binary, multiclass or regression.
        y: labels [n]: 0/1, class names, or numbers; null where unknown.
        score: probability of the positive class, or the predicted value [n].
        prediction: the answer given [n]: 0/1, class names, or numbers (unused for regression).
        class_scores: multiclass: probabilities [n, K] in the order of `classes`.
        classes: multiclass: the class names.
        quantile: regression: what the pinball loss asks for.
        values: what each answer was worth [n] (`performance/value.py`); no `value` if absent.

    Returns:
        `rows` and, for binary, `positive_share`, `log_loss`, `brier`, `roc_auc`, `accuracy`, `f1`,
        `ece`; for multiclass the same (macro averages; `ece` of the likeliest class) less
        `positive_share`; for regression `mae`, `rmse`, `r2`, `mape`, `pinball`; and `value`, the
        mean over the labelled rows that have one. NaN where undefined.
    """
    found = (
        _evaluate_multiclass(y, prediction, class_scores, classes)
        if kind == "multiclass"
        else _evaluate_numbers(kind, floats(y), floats(score), prediction, quantile)
    )
    if values is not None:
        worth = floats(values)
        found["value"] = _mean(worth[np.isfinite(worth) & ~pd.isna(np.asarray(y, dtype=object))])
    return found


def _evaluate_numbers(
    kind: LabelKind, labels: Floats, scores: Floats, prediction: npt.ArrayLike, quantile: float
) -> dict[str, float]:
    known = np.isfinite(labels) & np.isfinite(scores)
    labels, scores = labels[known], scores[known]
    if kind == "regression":
        return {
            "rows": float(labels.size),
            "mae": mae(labels, scores),
            "rmse": rmse(labels, scores),
            "r2": r2(labels, scores),
            "mape": mape(labels, scores),
            "pinball": pinball(labels, scores, quantile),
        }
    answers = floats(prediction)[known]
    said = np.isfinite(answers)
    return {
        "rows": float(labels.size),
        "positive_share": _mean(labels),
        "log_loss": log_loss(labels, scores),
        "brier": brier(labels, scores),
        "roc_auc": roc_auc(labels, scores),
        "accuracy": accuracy(labels[said], answers[said]),
        "f1": f1(labels[said], answers[said]),
        "ece": ece(labels, scores),
    }


def evaluate_frame(frame: pd.DataFrame, config: Config) -> dict[str, float]:
    """`evaluate` on rows of the feedback table: those with an accepted label and a score.

    A column `value`, if there, is what each answer was worth.
    """
    accepted = frame[frame["label_status"] == "accepted"]
    classes = config.label.classes
    class_scores = None
    if config.label.kind == "multiclass":
        class_scores = accepted[[f"score_{c}" for c in classes]].to_numpy(
            np.float64, na_value=np.nan
        )
    return evaluate(
        config.label.kind,
        accepted["label"],
        accepted["score"],
        accepted["prediction"],
        class_scores,
        classes,
        quantile=config.performance.quantile,
        values=accepted.get("value"),
    )


def losses(
    kind: LabelKind, metric: Metric, y: npt.ArrayLike, scores: Floats, threshold: float = 0.5
) -> Floats:
    """Per-row losses [n] whose mean is the metric (or orders models as it does): smaller is better.

    Args:
        kind: binary, multiclass or regression.
        metric: log_loss, brier, accuracy (gives the error), mae, rmse and r2 (give squared errors).
        y: labels [n]; for multiclass the class codes 0..K-1.
        scores: [n], or [n, K] class probabilities for multiclass.
        threshold: binary accuracy: the score from which the answer is positive.

    Raises:
        ValueError: the metric is not a mean over rows (roc_auc, f1) or does not fit the kind.
    """
    labels = floats(y)
    if kind == "multiclass":
        return _class_losses(metric, labels.astype(np.int64), scores)
    if kind == "regression" and metric in {"mae", "rmse", "r2"}:
        error = np.asarray(labels - scores, dtype=np.float64)
        return np.abs(error) if metric == "mae" else error**2
    if kind == "binary" and metric == "log_loss":
        return _log_losses(labels, scores)
    if kind == "binary" and metric == "brier":
        return np.asarray((scores - labels) ** 2, dtype=np.float64)
    if kind == "binary" and metric == "accuracy":
        return np.asarray((scores >= threshold) != (labels == 1), dtype=np.float64)
    raise ValueError(f"{metric} is not a mean over the rows of a {kind} label")


def class_codes(labels: npt.ArrayLike, classes: Sequence[str]) -> Codes:
    """Positions of `labels[n]` in `classes`; -1 for null or an unknown class."""
    return np.asarray(pd.Index(classes).get_indexer(pd.Index(np.asarray(labels))), dtype=np.int64)


def floats(values: npt.ArrayLike) -> Floats:
    """`values[n]` as float64, null (also pandas' NA) as NaN."""
    if isinstance(values, pd.Series):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(values, dtype=np.float64)


def nan_mean(values: Sequence[float]) -> float:
    """Mean of what is defined; NaN when nothing is."""
    defined = [v for v in values if not np.isnan(v)]
    return float(np.mean(defined)) if defined else float("nan")


def _evaluate_multiclass(
    y: npt.ArrayLike,
    prediction: npt.ArrayLike,
    class_scores: npt.ArrayLike | None,
    classes: Sequence[str],
) -> dict[str, float]:
    codes, answers = class_codes(y, classes), class_codes(prediction, classes)
    p = np.full((codes.size, len(classes)), np.nan)
    if class_scores is not None:
        p = np.asarray(class_scores, dtype=np.float64)
    scored = (codes >= 0) & np.isfinite(p).all(axis=1)
    said = (codes >= 0) & (answers >= 0)
    return {
        "rows": float(np.sum(scored)),
        "log_loss": multiclass_log_loss(codes[scored], p[scored]),
        "brier": multiclass_brier(codes[scored], p[scored]),
        "roc_auc": macro_roc_auc(codes[scored], p[scored]),
        "accuracy": accuracy(codes[said], answers[said]),
        "f1": macro_f1(codes[said], answers[said], len(classes)),
        "ece": ece(*likeliest(codes[scored], p[scored])),
    }


def likeliest(codes: Codes, p: Floats) -> tuple[Floats, Floats]:
    """Whether the likeliest class was the true one [n], and its probability [n]."""
    best = p.argmax(axis=1) if p.size else np.zeros(codes.size, dtype=np.int64)
    return _one(codes - best, 0), p[np.arange(codes.size), best]


def _class_losses(metric: Metric, codes: Codes, p: Floats) -> Floats:
    if metric == "log_loss":
        return _class_log_losses(codes, p)
    if metric == "brier":
        return _class_square_losses(codes, p)
    if metric == "accuracy":
        return np.asarray(p.argmax(axis=1) != codes, dtype=np.float64)
    raise ValueError(f"{metric} is not a mean over the rows of a multiclass label")


def _log_losses(y: Floats, p: Floats) -> Floats:
    clipped = np.clip(p, _EPS, 1 - _EPS)
    return np.asarray(-np.where(y == 1, np.log(clipped), np.log1p(-clipped)), dtype=np.float64)


def _class_log_losses(codes: Codes, p: Floats) -> Floats:
    own = p[np.arange(codes.size), codes]
    return np.asarray(-np.log(np.clip(own, _EPS, 1 - _EPS)), dtype=np.float64)


def _class_square_losses(codes: Codes, p: Floats) -> Floats:
    truth = np.eye(p.shape[1])[codes]
    return np.asarray(((p - truth) ** 2).sum(axis=1), dtype=np.float64)


def _one(codes: Codes, k: int) -> Floats:
    return np.asarray(codes == k, dtype=np.float64)


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
