"""Choosing a column's cells from the reference, and counting values into them."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import values as raw
from feedback_assets.drift.bins import ColumnBins, Counts, Floats, Kind

ROWS_PER_BIN = 8
"""Bins need at least so many reference rows each: fewer would follow the sample's noise."""
REMEMBERED = 100
"""Known categories remembered by name, as a multiple of those that get a cell."""


@dataclass(frozen=True)
class Tally:
    """How many values fell into each cell, and what they add up to.

    Tallies of the same bins merge by addition, so days merge into weeks.
    """

    counts: Counts
    """int64 [groups, cells]."""
    sums: Floats
    """float64 [groups, cells]: sum of the values (text: of the lengths); 0 for categories."""

    def group(self, i: int) -> Self:
        """One group alone, still of shape [1, cells]."""
        return type(self)(self.counts[i : i + 1], self.sums[i : i + 1])

    def total(self) -> Self:
        """All groups together, of shape [1, cells]."""
        return type(self)(self.counts.sum(0, keepdims=True), self.sums.sum(0, keepdims=True))

    def without(self, i: int) -> Self:
        """All groups but one together, of shape [1, cells]."""
        whole = self.total()
        return type(self)(whole.counts - self.counts[i], whole.sums - self.sums[i])


def bins_from(values: Any, kind: Kind, drift: Drift) -> ColumnBins:
    """Cells for a column, from the reference's values.

    Numeric: quantile bins, at most `drift.bins` and at least eight rows each; a value that
    fills a whole bin by itself (the zeros of a zero-inflated column) gets a bin of its own.
    Categorical: the `drift.max_categories` most frequent categories that occur more than once.
    Text: as numeric, on the length.

    Args:
        values: [rows] of the reference; for a categorical column also a mapping value → count.
        kind: What the column holds.
        drift: `bins` and `max_categories` are read.
    """
    if kind == "categorical":
        return _category_bins(values, drift.max_categories)
    numbers = _lengths(values)[0] if kind == "text" else raw.numeric(values)[0]
    return ColumnBins(kind, edges=_quantile_edges(numbers[np.isfinite(numbers)], drift.bins))


def tally(
    values: Any, bins: ColumnBins, groups: npt.ArrayLike | None = None, n_groups: int = 1
) -> Tally:
    """Count values into cells, by group.

    Args:
        values: [rows].
        bins: The column's cells.
        groups: [rows] group number of each row, 0 to n_groups - 1; all 0 if absent.
        n_groups: Number of groups.
    """
    cells, numbers = cells_of(values, bins)
    return added(cells, numbers, bins, groups, n_groups)


def cells_of(values: Any, bins: ColumnBins) -> tuple[npt.NDArray[np.int64], Floats | None]:
    """The cell of each value, and the number that counts towards the cell's sum (None: none)."""
    if bins.kind == "categorical":
        return _category_cells(values, bins), None
    return (_text_cells if bins.kind == "text" else _number_cells)(values, bins)


def added(
    cells: npt.NDArray[np.int64],
    numbers: Floats | None,
    bins: ColumnBins,
    groups: npt.ArrayLike | None = None,
    n_groups: int = 1,
) -> Tally:
    """What `cells_of` found, added up by group."""
    if groups is not None:
        cells = cells + np.asarray(groups, np.int64) * bins.size
    length = n_groups * bins.size
    counts = np.bincount(cells, minlength=length)
    if len(counts) > length:
        raise ValueError(f"a group number is beyond n_groups={n_groups}")
    shape = (n_groups, bins.size)
    sums = np.zeros(shape)
    if numbers is not None:
        totals = np.bincount(cells, weights=numbers, minlength=length)
        sums = totals.reshape(shape).astype(np.float64, copy=False)
    return Tally(counts.reshape(shape).astype(np.int64, copy=False), sums)


def count(
    values: Any, bins: ColumnBins, groups: npt.ArrayLike | None = None, n_groups: int = 1
) -> Counts:
    """The counts of `tally` alone: int64 [n_groups, cells]."""
    return tally(values, bins, groups, n_groups).counts


def count_categories(counted: Mapping[Any, int], bins: ColumnBins) -> Counts:
    """Cells of a categorical column from value → count (as a GROUP BY gives it): int64 [cells]."""
    cells = np.zeros(bins.size, np.int64)
    for value, n in counted.items():
        cells[bins.index.get(raw.text(value), bins.unknown)] += n
    return cells


def _category_bins(values: Any, limit: int) -> ColumnBins:
    counted = values if isinstance(values, Mapping) else raw.tally_categories(values)
    texts: dict[str, int] = {}
    for value, n in counted.items():
        name = raw.text(value)
        if name is not None and n > 0:
            texts[name] = texts.get(name, 0) + int(n)
    ranked = sorted(texts, key=lambda name: (-texts[name], name))
    named = [name for name in ranked[:limit] if texts[name] > 1]
    others = ranked[len(named) :]
    remembered = limit * REMEMBERED
    return ColumnBins(
        "categorical",
        categories=tuple(named),
        others=tuple(others[:remembered]),
        open_ended=len(others) > remembered,
    )


def _quantile_edges(finite: Floats, limit: int) -> tuple[float, ...]:
    """Strictly increasing edges; one edge at the largest float if there is nothing to go by."""
    if not len(finite):
        return (float(np.finfo(np.float64).max),)
    finite = np.sort(finite)
    n_bins = max(1, min(limit, len(finite) // ROWS_PER_BIN))
    cuts = finite[np.linspace(0, len(finite) - 1, n_bins + 1).round().astype(np.int64)]
    distinct = np.unique(cuts)
    mass = np.searchsorted(finite, distinct, "right") - np.searchsorted(finite, distinct, "left")
    heavy = distinct[mass >= max(2, len(finite) / n_bins)]
    beyond = np.nextafter(np.append(heavy, cuts[-1]), np.inf)
    edges = np.unique(np.concatenate([distinct[: max(len(distinct) - 1, 1)], heavy, beyond]))
    return tuple(edges[np.isfinite(edges)].tolist())


def _number_cells(values: Any, bins: ColumnBins) -> tuple[npt.NDArray[np.int64], Floats]:
    numbers, null = raw.numeric(values)
    cells = np.searchsorted(np.asarray(bins.edges), numbers, side="right").astype(np.int64)
    finite = np.isfinite(numbers)
    if not finite.all():
        cells[~finite] = bins.null + 1
        cells[null] = bins.null
        numbers = np.where(finite, numbers, 0.0)
    return cells, numbers


def _text_cells(values: Any, bins: ColumnBins) -> tuple[npt.NDArray[np.int64], Floats]:
    lengths, null = _lengths(values)
    empty = np.isnan(lengths) & ~null
    lengths = np.nan_to_num(lengths)
    cells = np.searchsorted(np.asarray(bins.edges), lengths, side="right").astype(np.int64)
    cells[null] = bins.null
    cells[empty] = bins.null + 1
    return cells, lengths


def _lengths(values: Any) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Lengths in characters without the blanks around, NaN if null or empty; which are null."""
    texts = raw.texts(values)
    lengths = np.fromiter((len(t.strip()) if t else 0 for t in texts), np.float64, len(texts))
    null = np.fromiter((t is None for t in texts), np.bool_, len(texts))
    lengths[lengths == 0] = np.nan
    return lengths, null


def _category_cells(values: Any, bins: ColumnBins) -> npt.NDArray[np.int64]:
    if not isinstance(values, np.ma.MaskedArray):
        array = np.asarray(values)
        if array.dtype.kind in "iubf":
            distinct, inverse = np.unique(array, return_inverse=True)
            cells = [bins.index.get(raw.text(v), bins.unknown) for v in distinct.tolist()]
            return np.asarray(cells, np.int64)[inverse]
        values = np.asarray(values, dtype=object).tolist()
    else:
        values = raw.texts(values)
    cells_of = np.fromiter((bins.index.get(v, -1) for v in values), np.int64, len(values))
    missed = cells_of < 0
    if missed.any():
        again = (bins.index.get(raw.text(v), bins.unknown) for v in compress(values, missed))
        cells_of[missed] = np.fromiter(again, np.int64, int(missed.sum()))
    return cells_of
