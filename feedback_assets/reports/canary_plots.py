"""Small PNG plots of a trial for asset metadata."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from feedback_assets.reports.canary_charts import EVIDENCE, LEAST, MOST
from feedback_assets.reports.plots import (
    BLUE,
    GREEN,
    RED,
    SAND,
    SOFT,
    _figure,
    _legend,
    _nothing,
    _png,
)
from feedback_assets.reports.rows import number

Path = Sequence[Mapping[str, Any]]
_COLOURS = {"better": BLUE, "safe": GREEN, "worse": RED}


def gain_path(path: Path, margin: float, title: str = "Gain per row by labels") -> bytes:
    """The gain with the interval that holds at all labels together, as a PNG.

    Args:
        path: points with labels, gain, lower, upper.
        margin: loss per row that a candidate may be worse and still be safe.
        title: above the plot.
    """
    figure, axes = _figure(title)
    labels, gain, lower, upper = (_column(path, n) for n in ("labels", "gain", "lower", "upper"))
    known = np.isfinite(gain)
    if not known.any():
        return _nothing(figure, axes)
    settled = gain[known][known.sum() // 4 :]
    ends = [v for v in (lower[-1], upper[-1], 0.0, -margin) if math.isfinite(v)]
    low, high = min([*settled, *ends]), max([*settled, *ends])
    room = 0.1 * (high - low) or 0.01
    axes.fill_between(labels, lower, upper, color=BLUE, alpha=0.13, linewidth=0)
    axes.plot(labels, gain, color=BLUE, linewidth=2)
    axes.axhline(0, color=SOFT, linewidth=1)
    axes.axhline(-margin, color=SAND, linewidth=1, linestyle="--")
    axes.set_ylim(low - room, high + room)
    axes.set_xlabel("labels (up is better for the challenger)")
    return _png(figure)


def evidence_path(path: Path, alpha: float, title: str = "Evidence by labels") -> bytes:
    """The three e-values as powers of ten with the bar of a proof, as a PNG.

    Args:
        path: points with labels, log_better, log_safe, log_worse.
        alpha: largest probability of a false claim.
        title: above the plot.
    """
    figure, axes = _figure(title)
    if not path:
        return _nothing(figure, axes)
    labels = _column(path, "labels")
    for name, kind in EVIDENCE.items():
        powers = np.clip(_column(path, name) / math.log(10), LEAST, MOST)
        axes.plot(labels, powers, color=_COLOURS[kind], linewidth=2, label=kind)
    axes.axhline(math.log10(1 / alpha), color=SAND, linewidth=1, linestyle="--")
    axes.set_xlabel("labels")
    axes.set_ylabel("e, power of ten")
    _legend(axes)
    return _png(figure)


def _column(path: Path, name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([number(point[name]) for point in path], dtype=np.float64)
