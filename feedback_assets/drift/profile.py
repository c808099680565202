"""What days are compared with, kept as counts: the champion's training data, or other days."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import values as raw
from feedback_assets.drift.binning import (
    Tally,
    added,
    bins_from,
    cells_of,
    count,
    count_categories,
    tally,
)
from feedback_assets.drift.bins import ColumnBins, Counts, Floats, Kind
from feedback_assets.drift.materiality import (
    MIN_DAYS,
    learned_margin,
    presence_difference,
    value_difference,
)

__all__ = [
    "WHOLE",
    "ColumnBins",
    "ReferenceColumn",
    "ReferenceProfile",
    "Role",
    "SliceKey",
    "Tally",
    "bins_from",
    "build",
    "count",
    "count_categories",
    "from_tallies",
    "tally",
]  # fmt: skip

Role = Literal["feature", "score", "prediction", "label"]
SliceKey = tuple[str, str]
"""Segment and its value; a pair of segments is joined by commas."""
WHOLE: SliceKey = ("", "")
FORMAT = 2
MAX_DAYS = 200
"""Days that a margin is learned from; more would cost time and say no more."""
NULL_VALUE = "null"
OTHER_VALUES = "other values"
Groups = npt.NDArray[np.int64]
_MARGINS = ("margin", "presence_margin", "days", "fewest_cells")


@dataclass(frozen=True, eq=False)
class ReferenceColumn:
    """One column of the reference, or of one of its slices."""

    name: str
    role: Role
    bins: ColumnBins
    counts: Counts
    """int64 [cells]."""
    sums: Floats
    """float64 [cells]: sum of the values in each cell."""
    margin: float = 0.0
    """Divergence of values (nats) that a clean day shows anyway; 0 if not learned."""
    presence_margin: float = 0.0
    """The same for having a value at all."""
    days: int = 0
    """Days that the margins were learned from."""
    fewest_cells: int | None = None
    """Fewest value cells that one of those days occupied; None if days are not known."""
    losses: Floats | None = None
    """float64 [cells]: expected loss of the rows in each cell, summed; None if not known."""
    loss_rows: Counts | None = None
    """int64 [cells]: rows that `losses` sums over."""

    @property
    def rows(self) -> int:
        """Rows of the reference."""
        return int(self.counts.sum())

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, without the bins; `from_dict` gives it back exactly."""
        return {
            "name": self.name,
            "role": self.role,
            "counts": self.counts.tolist(),
            "sums": self.sums.tolist() if self.bins.ordered else None,
            **{name: getattr(self, name) for name in _MARGINS},
            "losses": None if self.losses is None else self.losses.tolist(),
            "loss_rows": None if self.loss_rows is None else self.loss_rows.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], bins: ColumnBins) -> Self:
        """Read what `to_dict` wrote."""
        counts = np.asarray(data["counts"], np.int64)
        if len(counts) != bins.size:
            raise ValueError(
                f"reference profile: column {data['name']!r} has {len(counts)} counts "
                f"for {bins.size} cells; build the profile again"
            )
        sums = np.zeros(bins.size) if data["sums"] is None else np.asarray(data["sums"], np.float64)
        lost = None if data["losses"] is None else np.asarray(data["losses"], np.float64)
        rows = None if data["loss_rows"] is None else np.asarray(data["loss_rows"], np.int64)
        kept = {name: data[name] for name in ("name", "role", *_MARGINS)}
        return cls(bins=bins, counts=counts, sums=sums, losses=lost, loss_rows=rows, **kept)


@dataclass(frozen=True, eq=False)
class ReferenceProfile:
    """The reference: its columns by name, in the order given, and the same of its slices."""

    columns: dict[str, ReferenceColumn]
    segments: dict[SliceKey, dict[str, ReferenceColumn]] = field(default_factory=dict)
    """Slice to columns: the same bins, counts and margins of their own."""

    @property
    def rows(self) -> int:
        """Rows of the reference."""
        return max((c.rows for c in self.columns.values()), default=0)

    def to_json(self) -> str:
        """Canonical JSON text; the same reference gives the same text."""
        columns = [{**c.to_dict(), "bins": c.bins.to_dict()} for c in self.columns.values()]
        slices = [
            {"segment": key[0], "value": key[1], "columns": [c.to_dict() for c in held.values()]}
            for key, held in self.segments.items()
        ]
        return json.dumps(
            {"format": FORMAT, "columns": columns, "segments": slices},
            allow_nan=False,
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is of another format, or damaged.
        """
        data = json.loads(text)
        if data.get("format") != FORMAT:
            raise ValueError(
                f"reference profile: format {data.get('format')!r} is not {FORMAT}; "
                "build the profile again"
            )
        whole = {
            c["name"]: ReferenceColumn.from_dict(c, ColumnBins.from_dict(c["bins"]))
            for c in data["columns"]
        }
        slices = {
            (s["segment"], s["value"]): {
                c["name"]: ReferenceColumn.from_dict(c, whole[c["name"]].bins) for c in s["columns"]
            }
            for s in data["segments"]
        }
        return cls(whole, slices)


def build(
    columns: Mapping[str, Any],
    kinds: Mapping[str, Kind],
    drift: Drift,
    roles: Mapping[str, Role] | None = None,
    days: Any = None,
    segments: Mapping[str, Any] | None = None,
    losses: npt.ArrayLike | None = None,
) -> ReferenceProfile:
    """Profile of a reference.

    Args:
        columns: Column name → [rows] values; anything with `[name]`, a DataFrame too. Read one
            column at a time.
        kinds: Columns to take, and what each holds.
        drift: `bins`, `max_categories`, `segment_values`, `alpha` and `min_rows` are read.
        roles: What a column is to the model; feature if absent.
        days: [rows] the partition of each row (any values): the margins are learned from how
            these differ. They should be of the grain that will be compared.
        segments: Segment → [rows] its values: the most frequent ones are slices of their own, the
            rest are "other values", and rows without one are "null".
        losses: [rows] expected loss of each row, NaN where not known: what a move of the column
            is then estimated to cost.
    """
    by_day, n_days = _numbered(days)
    sliced = {name: _slices(name, v, drift.segment_values) for name, v in (segments or {}).items()}
    level = 1 - drift.alpha / max(len(kinds), 1)
    made: dict[str, ReferenceColumn] = {}
    parts: dict[SliceKey, dict[str, ReferenceColumn]] = {
        key: {} for keys, _ in sliced.values() for key in keys
    }
    for name, kind in kinds.items():
        values = columns[name]
        bins = bins_from(values, kind, drift)
        cells, numbers = cells_of(values, bins)
        blank = ReferenceColumn(
            name,
            (roles or {}).get(name, "feature"),
            bins,
            np.zeros(bins.size, np.int64),
            np.zeros(0),
        )
        whole = _learned(blank, added(cells, numbers, bins, by_day, n_days), drift, level)
        lonely = _lonely(values, bins)
        lost = {} if losses is None else _lost(cells, np.asarray(losses, np.float64), bins)
        made[name] = replace(_reserved(whole, lonely), **lost)
        for keys, slices in sliced.values():
            groups = slices if by_day is None else slices * n_days + by_day
            every = added(cells, numbers, bins, groups, len(keys) * n_days)
            for i, key in enumerate(keys):
                days_of = slice(i * n_days, (i + 1) * n_days)
                one = Tally(every.counts[days_of], every.sums[days_of])
                alone = None if lonely is None else lonely & (slices == i)
                parts[key][name] = _reserved(_learned(blank, one, drift, level), alone)
    return ReferenceProfile(made, parts)


def from_tallies(
    profile: ReferenceProfile, stretch: Mapping[SliceKey, Mapping[str, Tally]], drift: Drift
) -> ReferenceProfile:
    """The same bins with the counts of other days: a reference that moves or is fixed to dates.

    Args:
        profile: Whose bins the days were counted in; its losses are kept.
        stretch: Slice → column → its tally, one group a day: the days of the new reference, which
            are added up; the margins are learned from how they differ, if they are enough.
        drift: `alpha` and `min_rows` are read.
    """
    level = 1 - drift.alpha / max(len(profile.columns), 1)
    whole = stretch.get(WHOLE, {})

    def made(
        known: Mapping[str, ReferenceColumn], tallies: Mapping[str, Tally]
    ) -> dict[str, ReferenceColumn]:
        return {
            name: _moved(column, tallies[name], drift, level)
            for name, column in known.items()
            if name in tallies and name in whole
        }

    slices = {
        key: made(known, stretch[key]) for key, known in profile.segments.items() if key in stretch
    }
    return ReferenceProfile(made(profile.columns, whole), slices)


def _moved(column: ReferenceColumn, by_day: Tally, drift: Drift, level: float) -> ReferenceColumn:
    """The column with other days' counts; of too few days it keeps the margins that it had."""
    found = _learned(column, by_day, drift, level)
    if found.days:
        return found
    return replace(found, **{name: getattr(column, name) for name in _MARGINS})


def _learned(column: ReferenceColumn, by_day: Tally, drift: Drift, level: float) -> ReferenceColumn:
    """The column with these days' counts, and margins from how they differ."""
    whole = by_day.total()
    margins: dict[str, Any] = dict(zip(_MARGINS, (0.0, 0.0, 0, None), strict=True))
    occupied = np.flatnonzero(by_day.counts.sum(axis=1))
    if len(occupied) > 1:
        margins = _margins(by_day.counts[occupied], column.bins, drift, level)
    return replace(column, counts=whole.counts[0], sums=whole.sums[0], **margins)


def _margins(counts: Counts, bins: ColumnBins, drift: Drift, level: float) -> dict[str, Any]:
    """Learned fields of a column, from each day (of a year, evenly spaced) against the rest."""
    rows = counts.sum(axis=1)
    n_days = len(rows)
    chosen = np.unique(np.linspace(0, n_days - 1, min(n_days, MAX_DAYS)).round().astype(np.int64))
    days = counts[chosen]
    others = counts.sum(axis=0) - days
    usual = float(np.median(rows))
    full = rows >= min(drift.min_rows, usual)
    occupied = np.count_nonzero(counts[full, : bins.values], axis=1)
    return {
        "margin": learned_margin(value_difference(others, days, bins, usual), level),
        "presence_margin": learned_margin(presence_difference(others, days, bins), level),
        "days": len(chosen) if len(chosen) >= MIN_DAYS else 0,
        "fewest_cells": int(occupied.min()),
    }


def _lost(cells: Groups, losses: Floats, bins: ColumnBins) -> dict[str, Any]:
    """Expected loss by cell, of the rows where it is known."""
    known = np.isfinite(losses)
    kept = cells[known]
    return {
        "losses": np.bincount(kept, weights=losses[known], minlength=bins.size).astype(np.float64),
        "loss_rows": np.bincount(kept, minlength=bins.size).astype(np.int64),
    }


def _lonely(values: Any, bins: ColumnBins) -> npt.NDArray[np.bool_] | None:
    """Rows whose category occurs nowhere else: [rows], or None if that is no concern."""
    if bins.ordered or bins.open_ended or not bins.others:
        return None
    texts = raw.texts(values)
    counted = raw.tally_categories(values)
    alone = {text for text in bins.others if counted.get(text) == 1}
    return np.fromiter((text in alone for text in texts), np.bool_, len(texts)) if alone else None


def _reserved(column: ReferenceColumn, lonely: npt.NDArray[np.bool_] | None) -> ReferenceColumn:
    """The reference's own categories, each row judged by the rest.

    A category that occurs once would be unseen without that very row; counting those rows as
    unseen gives the share of unseen categories to expect on a new day (Good 1953, Biometrika
    40: the probability of the unseen is the number of singletons over the sample size).
    """
    if lonely is None or not lonely.any():
        return column
    counts = column.counts.copy()
    other = len(column.bins.categories)
    counts[other] -= lonely.sum()
    counts[other + 1] += lonely.sum()
    return replace(column, counts=counts)


def _numbered(days: Any) -> tuple[Groups | None, int]:
    """Group number of each row, and how many groups."""
    if days is None:
        return None, 1
    index: dict[Any, int] = {}
    keys = np.asarray(days, dtype=object).tolist()
    numbers = np.fromiter((index.setdefault(k, len(index)) for k in keys), np.int64, len(keys))
    return numbers, max(len(index), 1)


def _slices(segment: str, values: Any, limit: int) -> tuple[list[SliceKey], Groups]:
    """The slices of a segment that have rows, most frequent first; and each row's number."""
    texts = raw.texts(values)
    counted = raw.tally_categories(values)
    named = [str(text) for text in counted if text is not None]
    kept = sorted(named, key=lambda text: (-counted[text], text))[:limit]
    special = [NULL_VALUE] if None in counted else []
    special += [OTHER_VALUES] if len(named) > len(kept) else []
    names = list(dict.fromkeys([*kept, *special]))
    number: dict[str | None, int] = {text: i for i, text in enumerate(names)}
    number[None] = number.get(NULL_VALUE, 0)
    rest = number.get(OTHER_VALUES, 0)
    groups = np.fromiter((number.get(text, rest) for text in texts), np.int64, len(texts))
    return [(segment, name) for name in names], groups
