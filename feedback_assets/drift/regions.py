"""Where a column has drifted to: the cells that hold clearly more of the rows than they used to."""

from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.binning import cells_of
from feedback_assets.drift.bins import ColumnBins
from feedback_assets.drift.profile import ReferenceColumn

_CLEAR = 4.0
"""Standard errors by which a cell's share must have grown."""
_GROWN = 1.5
"""And how many times it must be what it was."""


_GROUPS = 20
"""Cells of numbers are looked at together, in so many groups of equal mass: each alone is small."""


def grown_cells(values: Any, before: ReferenceColumn) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Rows in the cells that grew, and the cells' names, the one that grew most first.

    Null, unseen and out-of-range are cells like others.

    Args:
        values: [n] of the rows now.
        before: The column in the reference.

    Returns:
        [n] and names, at most five.
    """
    cells, _ = cells_of(values, before.bins)
    n, total = len(cells), max(int(before.counts.sum()), 1)
    if not n:
        return np.zeros(0, np.bool_), []
    group = _groups(before)
    now = np.bincount(group[cells], minlength=group.max() + 1) / n
    counts = np.bincount(group, before.counts, minlength=len(now))
    then = counts / total
    pooled = (now * n + counts) / (n + total)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / total))
    grown = (now - then > _CLEAR * error) & (now > _GROWN * then)
    order = np.argsort(then - now, kind="stable")
    names = [_name(before.bins, np.flatnonzero(group == g)) for g in order if grown[g]]
    return grown[group[cells]], names[:5]


def _groups(before: ReferenceColumn) -> npt.NDArray[np.int64]:
    """The group of each cell; what lies outside and what holds no value stays alone."""
    bins = before.bins
    if not bins.ordered or bins.values <= 2:
        return np.arange(bins.size)
    inside = before.counts[1 : bins.values - 1].astype(np.float64)
    mass = (np.cumsum(inside) - inside / 2) / max(inside.sum(), 1.0)
    _, middle = np.unique(
        np.minimum((mass * _GROUPS).astype(np.int64), _GROUPS - 1), return_inverse=True
    )
    last = int(middle.max(initial=-1)) + 1
    tail = np.arange(last + 1, last + 1 + bins.size - bins.values + 1)
    return np.concatenate([[0], middle + 1, tail]).astype(np.int64)


def _name(bins: ColumnBins, cells: npt.NDArray[np.int64]) -> str:
    if len(cells) == 1:
        return bins.label(int(cells[0]))
    low, high = bins.edges[cells[0] - 1], bins.edges[cells[-1]]
    return f"{'length ' if bins.kind == 'text' else ''}{low:.4g} to {high:.4g}"
