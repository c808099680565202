"""A metric on labelled rows together with how much each row moves it (its influence).

To first order a metric of other weights is `working + sum(change of weight * influence) / weights`:
from that follow its standard error, clustered by day or not, and what labels still to come may do
to it. So every metric is brought to a working scale where this is accurate: the squared error for
RMSE, the unexplained share for R2, the Jaccard index for F1 (a plain share of rows).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import LabelKind
from feedback_assets.performance.metrics import (
    Codes,
    Floats,
    likeliest,
    losses,
    mass_bins,
    quantile_losses,
    relative_errors,
)

Scale = Literal["mean", "positive", "share", "ratio", "gap"]


@dataclass(frozen=True)
class Answers:
    """Labelled answers, one a row; sorted by score they are measured fastest.

    Attributes:
        kind: binary, multiclass or regression.
        y: truth [n]: 0/1, class codes, or numbers.
        score: [n], or [n, K] class probabilities for multiclass.
        predicted: answers [n]: 0/1, or class codes; NaN where none was given.
        day: code of each row's day [n].
        worth: what each answer was worth [n], NaN where not known; None when nobody says.
        group: code of the group of labels that arrive alike [n]: the class, or a band of numbers.
        quantile: what the pinball loss asks for.
        weight: rows that each answer stands for [n], where truth is known of some rows only and with
            a known chance (inverse propensity); None for one each.
    """

    kind: LabelKind
    y: Floats
    score: Floats
    predicted: Floats
    day: Codes
    worth: Floats | None = None
    group: Codes | None = None
    quantile: float = 0.5
    weight: Floats | None = None

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Answers":
        """Some of the rows, by number or mask."""
        return replace(
            self,
            y=self.y[rows],
            score=self.score[rows],
            predicted=self.predicted[rows],
            day=self.day[rows],
            worth=None if self.worth is None else self.worth[rows],
            group=None if self.group is None else self.group[rows],
            weight=None if self.weight is None else self.weight[rows],
        )


@dataclass(frozen=True)
class Measured:
    """One metric of some rows.

    Attributes:
        metric: which.
        working: the metric on its working scale; NaN where undefined.
        influence: of each row on it [n], of weighted mean zero.
        spread: `influence`, stretched for the degrees of freedom that the estimate uses up [n].
        answers: the rows that it was measured on, in the order of `influence`.
        weights: of the rows [n].
        trials: as many independent yes/no answers as the rows are worth at most (scale share).
        scale: how chance moves the working value.
        finish: from the working scale to the metric.
        gaps: scale gap: outcome less probability [n] in bins that start at `bins`.
        bins: see `gaps`.
    """

    metric: ReportMetric
    working: float
    influence: Floats
    spread: Floats
    answers: Answers
    weights: Floats
    trials: float
    scale: Scale
    finish: Callable[[float], float]
    gaps: Floats | None = None
    bins: Codes | None = None

    @property
    def value(self) -> float:
        """The metric."""
        return self.finish(self.working)

    @property
    def rows(self) -> int:
        """Rows that it was measured on."""
        return int(self.influence.size)


def measure(metric: ReportMetric, answers: Answers, weights: Floats | None = None) -> Measured:
    """A metric that fits the label's kind, on rows of which each counts `weights[n]` times.

    Each counts `answers.weight` times, or once, if that is not given. Rows that the metric cannot judge (no answer given, a label next to zero for MAPE, no known worth)
    are left out; `Measured.rows` says how many are left.
    """
    if weights is None:
        weights = np.ones(answers.y.size) if answers.weight is None else answers.weight
    relative = relative_errors(answers.y, answers.score) if metric == "mape" else None
    fit = _fit(metric, answers, relative)
    if fit is not None and not fit.all():
        answers, weights = answers.take(fit), weights[fit]
        relative = relative[fit] if relative is not None else None
    if not answers.y.size:
        return _plain(metric, np.empty(0), answers, weights, "mean")
    if metric == "roc_auc":
        return _auc(answers, weights)
    if metric == "f1":
        return _f1(answers, weights)
    if metric == "r2":
        return _unexplained(answers, weights)
    if metric == "ece":
        return _calibration(answers, weights)
    if metric == "rmse":
        square = (answers.y - answers.score) ** 2
        return _plain(metric, square, answers, weights, "ratio", _root)
    if metric == "accuracy":
        hits = np.asarray(answers.predicted == answers.y, dtype=np.float64)
        return _plain(metric, hits, answers, weights, "share")
    if metric == "value":
        worth = answers.worth if answers.worth is not None else np.empty(0)
        return _plain(metric, worth, answers, weights, "mean")
    if relative is None:
        relative = _row_losses(metric, answers)
    return _plain(metric, relative, answers, weights, "positive")


def dot(a: Floats, b: Floats) -> float:
    """Sum of products [n] without BLAS, whose threads cost more CPU than these short sums."""
    return float(np.einsum("i,i", a, b))


def _fit(
    metric: ReportMetric, answers: Answers, relative: Floats | None
) -> npt.NDArray[np.bool_] | None:
    """Rows that the metric can judge; None for all."""
    if metric in {"accuracy", "f1"}:
        return np.isfinite(answers.predicted)
    if metric == "value":
        nobody = np.zeros(answers.y.size, dtype=np.bool_)
        return nobody if answers.worth is None else np.isfinite(answers.worth)
    return None if relative is None else np.isfinite(relative)


def _row_losses(metric: ReportMetric, answers: Answers) -> Floats:
    if metric == "pinball":
        return quantile_losses(answers.y, answers.score, answers.quantile)
    if metric in {"log_loss", "brier", "mae"}:
        return losses(answers.kind, metric, answers.y, answers.score)
    raise ValueError(f"{metric} is no metric of a {answers.kind} label")


def _plain(
    metric: ReportMetric,
    values: Floats,
    answers: Answers,
    weights: Floats,
    scale: Scale,
    finish: Callable[[float], float] = float,
) -> Measured:
    """A weighted mean over rows."""
    total = float(weights.sum())
    mean = dot(values, weights) / total if values.size else float("nan")
    influence = values - mean
    return Measured(
        metric,
        mean,
        influence,
        influence * _stretch(values.size),
        answers,
        weights,
        float(values.size),
        scale,
        finish,
    )


def _ratio(
    metric: ReportMetric,
    top: Floats,
    bottom: Floats,
    answers: Answers,
    weights: Floats,
    scale: Scale,
    finish: Callable[[float], float],
) -> Measured:
    """A ratio of two weighted sums; NaN where the lower one is zero."""
    whole = dot(bottom, weights)
    if whole <= 0:
        return _plain(metric, np.full(top.size, np.nan), answers, weights, scale)
    ratio = dot(top, weights) / whole
    influence = (top - ratio * bottom) * (float(weights.sum()) / whole)
    trials = float(np.count_nonzero(bottom))
    stretched = influence * _stretch(trials)
    return Measured(metric, ratio, influence, stretched, answers, weights, trials, scale, finish)


def _unexplained(answers: Answers, weights: Floats) -> Measured:
    """R2 by the share of the variance that is left over."""
    centred = answers.y - dot(answers.y, weights) / float(weights.sum())
    left = (answers.y - answers.score) ** 2
    return _ratio("r2", left, centred**2, answers, weights, "ratio", _rest)


def _f1(answers: Answers, weights: Floats) -> Measured:
    """Binary: by hits among the rows of the class or said to be (Jaccard). Else the macro mean."""
    y, said = answers.y, answers.predicted
    if answers.kind == "binary":
        hits = np.asarray((y == 1) & (said == 1), dtype=np.float64)
        either = np.asarray((y == 1) | (said == 1), dtype=np.float64)
        return _ratio("f1", hits, either, answers, weights, "share", _f1_of_jaccard)
    parts = []
    for k in np.union1d(y, said):
        top = 2.0 * ((y == k) & (said == k))
        bottom = 1.0 * (y == k) + 1.0 * (said == k)
        parts.append(_ratio("f1", top, bottom, answers, weights, "share", float))
    return _average("f1", parts, answers, weights)


def _auc(answers: Answers, weights: Floats) -> Measured:
    """Binary, or the mean of one class against the rest over the classes that have both sides."""
    if answers.kind == "binary":
        return _auc_of(answers.y == 1, answers.score, answers, weights)
    parts = [
        _auc_of(answers.y == k, answers.score[:, k], answers, weights)
        for k in range(answers.score.shape[1])
    ]
    return _average("roc_auc", [p for p in parts if np.isfinite(p.working)], answers, weights)


def _auc_of(
    positive: npt.NDArray[np.bool_], score: Floats, answers: Answers, weights: Floats
) -> Measured:
    """AUC with DeLong's placements (DeLong, DeLong & Clarke-Pearson 1988), rows weighted."""
    m, n = int(positive.sum()), int(positive.size - positive.sum())
    if not m or not n:
        return _plain("roc_auc", np.full(score.size, np.nan), answers, weights, "share")
    above = _placements(score[positive], score[~positive], weights[~positive])
    below = 1 - _placements(score[~positive], score[positive], weights[positive])
    total, own = float(weights.sum()), float(weights[positive].sum())
    area = dot(above, weights[positive]) / own
    influence = np.empty(score.size)
    influence[positive] = (above - area) * (total / own)
    influence[~positive] = (below - area) * (total / (total - own))
    spread = influence * np.where(positive, _stretch(m), _stretch(n))
    smaller = float(min(m, n))
    return Measured("roc_auc", area, influence, spread, answers, weights, smaller, "share", float)


def _placements(of: Floats, among: Floats, weights: Floats) -> Floats:
    """Weight share of `among` below each of `of`, ties one half."""
    order = np.argsort(among, kind="stable")
    ordered, sums = among[order], np.concatenate([[0.0], weights[order].cumsum()])
    below = sums[np.searchsorted(ordered, of, side="left")]
    up_to = sums[np.searchsorted(ordered, of, side="right")]
    return np.asarray((below + up_to) / (2.0 * sums[-1]), dtype=np.float64)


def _average(
    metric: ReportMetric, parts: list[Measured], answers: Answers, weights: Floats
) -> Measured:
    """The plain mean of several shares of the same rows."""
    if not parts:
        return _plain(metric, np.full(answers.y.size, np.nan), answers, weights, "share")
    return Measured(
        metric,
        float(np.mean([p.working for p in parts])),
        np.mean([p.influence for p in parts], axis=0),
        np.mean([p.spread for p in parts], axis=0),
        answers,
        weights,
        min(p.trials for p in parts),
        "share",
        float,
    )


def _calibration(answers: Answers, weights: Floats) -> Measured:
    """ECE: the sum over bins of the absolute summed gap between outcome and probability."""
    y, p = answers.y, answers.score
    if answers.kind == "multiclass":
        y, p = likeliest(answers.y.astype(np.int64), answers.score)
    gaps = y - p
    if np.any(p[1:] < p[:-1]):
        order = np.argsort(p, kind="stable")
        answers, weights, gaps, p = answers.take(order), weights[order], gaps[order], p[order]
    bins = mass_bins(p)
    sums = np.add.reduceat(gaps * weights, bins)
    error = float(np.abs(sums).sum() / weights.sum())
    sizes = np.diff(np.append(bins, gaps.size))
    influence = np.repeat(np.sign(sums), sizes) * gaps - error
    return Measured(
        "ece",
        error,
        influence,
        influence * _stretch(gaps.size),
        answers,
        weights,
        float(gaps.size),
        "gap",
        float,
        gaps,
        bins,
    )


def _stretch(n: float) -> float:
    return float(np.sqrt(n / (n - 1))) if n > 1 else float("nan")


def _root(square: float) -> float:
    return float(np.sqrt(square))


def _rest(share: float) -> float:
    return 1.0 - share


def _f1_of_jaccard(share: float) -> float:
    return 2 * share / (1 + share)
