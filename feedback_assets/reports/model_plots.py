"""Plots of one model's answers against the truth: calibration, ROC, confusion, residuals."""

from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_assets.performance.reliability import reliability
from feedback_assets.reports.plots import BLUE, FAINT, INK, SOFT, _figure, _names, _nothing, _png

Floats = npt.NDArray[np.float64]
POINTS = 400
CLASSES = 12


def calibration(
    label: Floats,
    score: Floats,
    title: str = "Calibration",
    bins: int = 10,
    confidence: float = 0.95,
) -> bytes:
    """Share of positives against the mean score, in bins of equal row counts, with intervals.

    Args:
        label: 0 or 1, shape [n]; NaN rows are left out.
        score: probability of the positive class, shape [n].
        title: above the plot.
        bins: at most so many points.
        confidence: of the intervals.

    Returns:
        A PNG.
    """
    y, p = _known(label, score)
    figure, axes = _figure(title, width=4.2, height=3.4)
    if not len(y):
        return _nothing(figure, axes)
    points = reliability(y, p, confidence, min(bins, len(y)))
    top = max(points["score"].max(), points["high"].max(), 0.05) * 1.05
    axes.plot([0, top], [0, top], color=SOFT, linewidth=1, linestyle="--")
    axes.vlines(points["score"], points["low"], points["high"], color=FAINT, linewidth=3)
    axes.plot(points["score"], points["share"], "o-", color=BLUE, linewidth=1.8, markersize=4)
    axes.set_xlabel("mean score")
    axes.set_ylabel("share of positives")
    return _png(figure)


def roc(label: Floats, score: Floats, title: str = "ROC") -> bytes:
    """True against false positive rate over all thresholds, tied scores taken together."""
    y, p = _known(label, score)
    figure, axes = _figure(title, width=4.2, height=3.4)
    positives = float(y.sum())
    if not 0 < positives < len(y):
        return _nothing(figure, axes)
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    hits = np.cumsum(y[order])[last]
    sensitivity = np.append(0.0, hits / positives)
    false_rate = np.append(0.0, (last + 1 - hits) / (len(y) - positives))
    keep = np.unique(np.linspace(0, len(false_rate) - 1, POINTS).astype(int))
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
    axes.plot(false_rate[keep], sensitivity[keep], color=BLUE, linewidth=2)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    return _png(figure)


def confusion(label: npt.ArrayLike, prediction: npt.ArrayLike, title: str = "Confusion") -> bytes:
    """Counts by true and predicted class; classes beyond the twelve most frequent are `other`."""
    truth, answer = _classes(label), _classes(prediction)
    figure, axes = _figure(title, width=4.6, height=3.8)
    if not len(truth):
        return _nothing(figure, axes)
    names, counts = np.unique(np.concatenate([truth, answer]), return_counts=True)
    if len(names) > CLASSES:
        kept = set(names[np.argsort(-counts, kind="stable")[: CLASSES - 1]])
        truth = np.array([t if t in kept else "other" for t in truth])
        answer = np.array([a if a in kept else "other" for a in answer])
        names = np.unique(np.concatenate([truth, answer]))
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(table, (np.searchsorted(names, truth), np.searchsorted(names, answer)), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)
    places = np.arange(len(names))
    _names(axes, places, names.tolist())
    axes.set_xticks(places, [n[:12] for n in names.tolist()], parse_math=False)
    axes.grid(visible=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return _png(figure)


def residuals(label: Floats, prediction: Floats, title: str = "Residuals") -> bytes:
    """Label minus prediction against the prediction, as a density."""
    y, p = _known(label, prediction)
    figure, axes = _figure(title, width=4.6, height=3.4)
    if not len(y):
        return _nothing(figure, axes)
    axes.hist2d(p, y - p, bins=(40, 30), cmap="Blues", cmin=1)
    axes.axhline(0, color=SOFT, linewidth=1, linestyle="--")
    axes.grid(color=FAINT)
    axes.set_xlabel("predicted")
    axes.set_ylabel("label minus predicted")
    return _png(figure)


def _known(label: Any, score: Any) -> tuple[Floats, Floats]:
    y, p = np.asarray(label, dtype=np.float64), np.asarray(score, dtype=np.float64)
    known = np.isfinite(y) & np.isfinite(p)
    return y[known], p[known]


def _classes(values: npt.ArrayLike) -> npt.NDArray[np.str_]:
    array = np.asarray(values)
    if np.issubdtype(array.dtype, np.floating) and np.all(array == np.round(array)):
        array = array.astype(np.int64)
    return array.astype(str)
