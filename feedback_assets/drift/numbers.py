"""Numbers counted in their cells, batch by batch, by day, model version and slice at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from feedback_assets.drift.bins import ColumnBins
from feedback_assets.drift.profile import SliceKey

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


GRID = 4096
"""Equal stretches between the outermost edges in which a value is looked up first."""


class Search:
    """`numpy.searchsorted(edges, values, "right")`, three times as fast on unsorted values.

    Most stretches of an even grid hold no edge, so their values need no binary search.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = np.asarray(edges, np.float64)
        low, high = self.edges[0], self.edges[-1]
        with np.errstate(over="ignore"):
            self.scale = (GRID - 2) / (high - low) if high > low else 0.0
        # Where the grid cannot be told apart in floats, everything is searched.
        self.usable = bool(np.isfinite(self.scale) and self.scale > 0)
        self.low = low
        place = self._place(self.edges) if self.usable else np.zeros(0, np.int64)
        self.cell = np.searchsorted(place, np.arange(GRID), side="right").astype(np.int64)
        self.divided = np.zeros(GRID, np.bool_)
        self.divided[place] = True

    def __call__(self, values: Floats) -> Codes:
        """Number of edges at or below each value [n]; values must be finite."""
        if not self.usable:
            return np.searchsorted(self.edges, values, side="right").astype(np.int64)
        place = self._place(values)
        cells = self.cell[place]
        unsure = np.flatnonzero(self.divided[place])
        if unsure.size:
            cells[unsure] = np.searchsorted(self.edges, values[unsure], side="right")
        return cells

    def _place(self, values: Floats) -> Codes:
        # Monotone in the value, so that a stretch without an edge lies between the same two.
        with np.errstate(over="ignore"):
            scaled = (values - self.low) * self.scale
        return np.clip(scaled + 1.0, 0.0, GRID - 1.0).astype(np.int64)


@dataclass(frozen=True)
class Column:
    """A numeric or text column that is counted."""

    name: str
    bins: ColumnBins
    everywhere: bool
    """Whether a null is a value that is missing (a feature), not one that is yet to come."""

    @cached_property
    def search(self) -> Search:
        """Finds the cell of a value."""
        return Search(self.bins.edges)


def count(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[Column],
    groups: Sequence[tuple[str, str]],
    segments: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Counts and sums of all columns, a row per occupied cell.

    Args:
        batches: Rows: `g`, the position of the row's group; `s0`, `s1`, ... the position of its
            value in each segment; `v0`, `v1`, ... the columns' numbers (texts: lengths).
        columns: What `v0`, `v1`, ... are.
        groups: Partition key and model version by position.
        segments: Segment to its values by position.

    Returns:
        The columns of `counting.PROFILE_COLUMNS` but `against`.
    """
    sizes = [1, *(len(values) for values in segments.values())]
    held = [
        [
            (np.zeros(len(groups) * n * c.bins.size), np.zeros(len(groups) * n * c.bins.size))
            for n in sizes
        ]
        for c in columns
    ]
    for batch in batches:
        group = _codes(batch, "g")
        slices = [np.zeros(len(group), np.int64)]
        slices += [_codes(batch, f"s{i}") for i in range(len(segments))]
        places = [group * n + s for n, s in zip(sizes, slices, strict=True)]
        for i, column in enumerate(columns):
            _add(column, batch.column(f"v{i}"), places, held[i])
    dimensions: list[list[SliceKey]] = [
        [("", "")],
        *([(name, value) for value in values] for name, values in segments.items()),
    ]
    parts = [
        _rows(column, groups, keys, *held[i][j])
        for i, column in enumerate(columns)
        for j, keys in enumerate(dimensions)
    ]
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def _codes(batch: pa.RecordBatch, name: str) -> Codes:
    return np.asarray(batch.column(name).to_numpy(zero_copy_only=False), np.int64)


def _add(
    column: Column,
    array: pa.Array,
    places: Sequence[Codes],
    held: Sequence[tuple[Floats, Floats]],
) -> None:
    """Add a batch's values to what is held."""
    bins = column.bins
    null = np.asarray(array.is_null().to_numpy(zero_copy_only=False), np.bool_)
    values = np.asarray(array.fill_null(0.0).to_numpy(zero_copy_only=False), np.float64)
    strange = values == 0 if bins.kind == "text" else ~np.isfinite(values)
    # An infinite weight would make its whole cell's sum infinite.
    weights = np.where(strange, 0.0, values) if strange.any() else values
    cells = column.search(weights)
    cells[strange] = bins.null + 1
    cells[null] = bins.null
    kept = slice(None) if column.everywhere or not null.any() else ~null
    for place, (counts, sums) in zip(places, held, strict=True):
        at = place[kept] * bins.size + cells[kept]
        counts += np.bincount(at, minlength=len(counts))
        sums += np.bincount(at, weights=weights[kept], minlength=len(sums))


def _rows(
    column: Column,
    groups: Sequence[tuple[str, str]],
    keys: Sequence[SliceKey],
    counts: Floats,
    sums: Floats,
) -> pd.DataFrame:
    """The occupied cells as rows."""
    at = np.flatnonzero(counts)
    place, cell = np.divmod(at, column.bins.size)
    group, key = np.divmod(place, len(keys)) if keys else (place, place)
    group_names = np.asarray(groups, dtype=object).reshape(-1, 2)
    key_names = np.asarray(keys, dtype=object).reshape(-1, 2)
    return pd.DataFrame(
        {
            "partition_key": group_names[group, 0],
            "model_version": group_names[group, 1],
            "column_name": column.name,
            "segment": key_names[key, 0],
            "segment_value": key_names[key, 1],
            "bin": cell,
            "value": "",
            "rows": counts[at].astype(np.int64),
            "total": sums[at],
        }
    )
