"""Paired bootstrap of two models' metric on the same rows, from sums over rows.

Every metric here is a function of sums of per-row numbers, so one draw costs a weighted sum, not a
new evaluation. Beyond 5,000 rows the rows are first dealt at random into that many units, which
leaves the interval as it is (the rows are exchangeable) and bounds time and memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Label, Metric
from feedback_assets.performance.measure import Answers, measure
from feedback_assets.performance.metrics import Floats, losses, nan_mean, positive_ranks

MAX_UNITS = 5_000
_CHUNK = 64


@dataclass(frozen=True)
class Statistic:
    """Two models' metric as a function of sums.

    Attributes:
        rows: per-row numbers [n, 1 + shared + 2 * own]: a one, what both share, champion's, candidate's.
        own: columns per model.
        metric: metric [...] from the sums (count [...], shared [..., s], own [..., own]).
        offsets: added to each model's metric (the point estimate where rows hold influences).
    """

    rows: Floats
    own: int
    metric: Callable[[Floats, Floats, Floats], Floats]
    offsets: tuple[float, float] = (0.0, 0.0)

    def whole(self) -> tuple[float, float]:
        """Champion's and candidate's metric on all rows."""
        both = self.of_sums(self.rows.sum(axis=0, keepdims=True))[0]
        return float(both[0]), float(both[1])

    def of_sums(self, sums: Floats) -> Floats:
        """Both metrics [draws, 2] from sums [draws, columns]."""
        count, shared = sums[:, 0], sums[:, 1 : sums.shape[1] - 2 * self.own]
        first = sums[:, -2 * self.own : -self.own or None]
        with np.errstate(divide="ignore", invalid="ignore"):
            before = self.metric(count, shared, first) + self.offsets[0]
            after = self.metric(count, shared, sums[:, -self.own :]) + self.offsets[1]
        return np.column_stack([before, after])


def paired_resamples(statistic: Statistic, resamples: int, seed: int) -> Floats:
    """Both models' metric on `resamples` draws of the rows with replacement: [resamples, 2].

    Seeded by `seed` alone: the same rows in the same order give the same draws.
    """
    rng = np.random.default_rng(seed)
    rows = _units(statistic.rows, rng)
    n = rows.shape[0]
    if n == 0:
        return np.full((resamples, 2), np.nan)
    draws = np.empty((resamples, 2))
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        counts = np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(size)])
        draws[start : start + size] = statistic.of_sums(counts.astype(np.float64) @ rows)
    return draws


def statistic_of(
    metric: Metric,
    label: Label,
    y: Floats,
    champion: Floats,
    candidate: Floats,
    weights: Floats | None = None,
) -> Statistic:
    """The gate's metric of two models as a `Statistic`.

    Args:
        metric: any of the configuration's metrics that fits the label.
        label: kind, threshold and classes.
        y: labels [n] (class codes for multiclass).
        champion: scores [n], or [n, K] for multiclass.
        candidate: likewise.
        weights: rows that each stands for [n], where truth is known of some only (inverse propensity);
            one each if absent.
    """
    models = (champion, candidate)
    if weights is not None:
        found = (
            _auc(y, models, weights)
            if metric == "roc_auc"
            else statistic_of(metric, label, y, champion, candidate)
        )
        return replace(found, rows=found.rows * weights[:, None])
    if metric == "roc_auc":
        return _auc(y, models)
    if metric == "f1":
        return _f1(label, y, models)
    own = [losses(label.kind, metric, y, scores, label.threshold) for scores in models]
    centred = y - y.mean() if y.size else y
    shared = [centred, centred**2] if metric == "r2" else []
    rows = np.column_stack([np.ones(y.size), *shared, *own])
    return Statistic(rows, 1, _FROM_LOSS.get(metric, _mean_loss))


def _mean_loss(count: Floats, _shared: Floats, loss: Floats) -> Floats:
    return np.asarray(loss[:, 0] / count, dtype=np.float64)


def _hit_share(count: Floats, _shared: Floats, loss: Floats) -> Floats:
    return np.asarray(1 - loss[:, 0] / count, dtype=np.float64)


def _root_loss(count: Floats, _shared: Floats, loss: Floats) -> Floats:
    return np.sqrt(loss[:, 0] / count)


def _explained(count: Floats, shared: Floats, loss: Floats) -> Floats:
    spread = shared[:, 1] - shared[:, 0] ** 2 / count
    return np.where(spread > 0, 1 - loss[:, 0] / spread, np.nan)


_FROM_LOSS: dict[Metric, Callable[[Floats, Floats, Floats], Floats]] = {
    "accuracy": _hit_share,
    "rmse": _root_loss,
    "r2": _explained,
}


def _f1(label: Label, y: Floats, models: tuple[Floats, Floats]) -> Statistic:
    """Per class true positives, and rows that are or were said to be of it."""
    classes = len(label.classes) if label.kind == "multiclass" else 1
    columns = [np.ones(y.size)]
    for scores in models:
        said = scores.argmax(axis=1) if scores.ndim == 2 else (scores >= label.threshold) * 1
        for k in range(classes) if classes > 1 else [1]:
            columns.append(np.asarray((y == k) & (said == k), dtype=np.float64))
            columns.append(np.asarray((y == k) * 1 + (said == k) * 1, dtype=np.float64))
    return Statistic(np.column_stack(columns), 2 * classes, _mean_f1)


def _mean_f1(_count: Floats, _shared: Floats, own: Floats) -> Floats:
    hits, either = own[:, 0::2], own[:, 1::2]
    each = np.where(either > 0, 2 * hits / either, np.nan)
    known = np.isfinite(each).sum(axis=1)
    return np.asarray(np.nansum(each, axis=1) / known, dtype=np.float64)


def _auc(y: Floats, models: tuple[Floats, Floats], weights: Floats | None = None) -> Statistic:
    """AUC by influence values, whose resampled mean moves as the resampled AUC does."""
    points, columns = [], [np.ones(y.size)]
    for scores in models:
        if scores.ndim == 1:
            parts = [_influence(y == 1, scores, weights)]
        else:
            parts = [_influence(y == k, scores[:, k], weights) for k in range(scores.shape[1])]
        defined = [values for area, values in parts if np.isfinite(area)]
        points.append(nan_mean([area for area, _ in parts]))
        columns.append(np.mean(defined, axis=0) if defined else np.full(y.size, np.nan))
    return Statistic(np.column_stack(columns), 1, _mean_loss, (points[0], points[1]))


def _influence(
    positive: npt.NDArray[np.bool_], score: Floats, weights: Floats | None
) -> tuple[float, Floats]:
    """AUC and each row's influence on it [n] (mean zero); NaN for one class only."""
    values = np.full(score.size, np.nan)
    m = int(positive.sum())
    if m == 0 or m == score.size:
        return float("nan"), values
    if weights is not None:
        truth, nobody = positive.astype(np.float64), np.zeros(score.size)
        day = np.zeros(score.size, dtype=np.int64)
        weighed = measure("roc_auc", Answers("binary", truth, score, nobody, day), weights)
        return weighed.working, weighed.influence
    above = positive_ranks(score[positive], score[~positive])
    below = 1 - positive_ranks(score[~positive], score[positive])
    area = float(above.mean())
    values[positive] = (above - area) * score.size / m
    values[~positive] = (below - area) * score.size / (score.size - m)
    return area, values


def _units(rows: Floats, rng: np.random.Generator) -> Floats:
    """Rows, or their sums in `MAX_UNITS` units dealt at random."""
    n = rows.shape[0]
    if n <= MAX_UNITS:
        return rows
    unit = rng.permutation(n) % MAX_UNITS
    return np.column_stack([np.bincount(unit, column, MAX_UNITS) for column in rows.T])
