"""What the champion was trained on, kept as counts: the reference that days are compared with."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Drift
from feedback_assets.drift import values as raw
from feedback_assets.drift.binning import (
    Tally,
    bins_from,
    count,
    count_categories,
    reference_counts,
    tally,
)
from feedback_assets.drift.bins import ColumnBins, Counts, Floats, Kind
from feedback_assets.drift.materiality import (
    MIN_DAYS,
    Evidence,
    learned_margin,
    presence_evidence,
    value_evidence,
)

__all__ = [
    "ColumnBins", "ReferenceColumn", "ReferenceProfile", "Role", "Tally", "bins_from", "build",
    "count", "count_categories", "tally",
]  # fmt: skip

Role = Literal["feature", "score", "prediction", "label"]
FORMAT = 1
MAX_DAYS = 200
"""Days that a margin is learned from; more would cost time and say no more."""


@dataclass(frozen=True, eq=False)
class ReferenceColumn:
    """One column of the reference."""

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

    @property
    def rows(self) -> int:
        """Rows of the reference."""
        return int(self.counts.sum())

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; `from_dict` gives it back exactly."""
        return {
            "name": self.name,
            "role": self.role,
            "bins": self.bins.to_dict(),
            "counts": self.counts.tolist(),
            "sums": self.sums.tolist() if self.bins.ordered else None,
            "margin": self.margin,
            "presence_margin": self.presence_margin,
            "days": self.days,
            "fewest_cells": self.fewest_cells,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        bins = ColumnBins.from_dict(data["bins"])
        counts = np.asarray(data["counts"], np.int64)
        if len(counts) != bins.size:
            raise ValueError(
                f"reference profile: column {data['name']!r} has {len(counts)} counts "
                f"for {bins.size} cells; build the profile again"
            )
        sums = np.zeros(bins.size) if data["sums"] is None else np.asarray(data["sums"], np.float64)
        kept = ("name", "role", "margin", "presence_margin", "days", "fewest_cells")
        return cls(bins=bins, counts=counts, sums=sums, **{k: data[k] for k in kept})


@dataclass(frozen=True, eq=False)
class ReferenceProfile:
    """The reference: its columns by name, in the order given."""

    columns: dict[str, ReferenceColumn]

    @property
    def rows(self) -> int:
        """Rows of the reference."""
        return max((c.rows for c in self.columns.values()), default=0)

    def to_json(self) -> str:
        """Canonical JSON text; the same reference gives the same text."""
        columns = [c.to_dict() for c in self.columns.values()]
        return json.dumps(
            {"format": FORMAT, "columns": columns},
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
        columns = (ReferenceColumn.from_dict(c) for c in data["columns"])
        return cls({c.name: c for c in columns})


def build(
    columns: Mapping[str, Any],
    kinds: Mapping[str, Kind],
    drift: Drift,
    roles: Mapping[str, Role] | None = None,
    days: Any = None,
) -> ReferenceProfile:
    """Profile of a reference.

    Args:
        columns: Column name → [rows] values; anything with `[name]`, a DataFrame too. Read one
            column at a time.
        kinds: Columns to take, and what each holds.
        drift: `bins`, `max_categories`, `alpha` and `min_rows` are read.
        roles: What a column is to the model; feature if absent.
        days: [rows] the partition of each row (any values): the margins are learned from how
            these differ. They should be of the grain that will be compared.
    """
    groups, n_groups = _numbered(days)
    level = 1 - drift.alpha / max(len(kinds), 1)
    made = {}
    for name, kind in kinds.items():
        values = columns[name]
        bins = bins_from(values, kind, drift)
        by_day = tally(values, bins, groups, n_groups)
        margins = _margins(by_day, bins, drift, level) if n_groups > 1 else {}
        whole = by_day.total()
        counts = whole.counts[0]
        if kind == "categorical":
            counts = reference_counts(raw.tally_categories(values), bins)
        role = (roles or {}).get(name, "feature")
        made[name] = ReferenceColumn(name, role, bins, counts, whole.sums[0], **margins)
    return ReferenceProfile(made)


def _numbered(days: Any) -> tuple[npt.NDArray[np.int64] | None, int]:
    """Group number of each row, and how many groups."""
    if days is None:
        return None, 1
    index: dict[Any, int] = {}
    keys = np.asarray(days, dtype=object).tolist()
    numbers = np.fromiter((index.setdefault(k, len(index)) for k in keys), np.int64, len(keys))
    return numbers, max(len(index), 1)


def _margins(by_day: Tally, bins: ColumnBins, drift: Drift, level: float) -> dict[str, Any]:
    """Learned fields of a column, from each day (of a year, evenly spaced) against the rest."""
    rows = by_day.counts.sum(axis=1)
    n_days = len(rows)
    days = np.unique(np.linspace(0, n_days - 1, min(n_days, MAX_DAYS)).round().astype(np.int64))
    others = [by_day.without(d).counts[0] for d in days]
    values, presence = (
        _each(evidence, others, by_day.counts[days], bins)
        for evidence in (value_evidence, presence_evidence)
    )
    full = rows >= min(drift.min_rows, float(np.median(rows)))
    occupied = np.count_nonzero(by_day.counts[full, : bins.values], axis=1)
    return {
        "margin": learned_margin(values, level),
        "presence_margin": learned_margin(presence, level),
        "days": len(days) if len(days) >= MIN_DAYS else 0,
        "fewest_cells": int(occupied.min()),
    }


def _each(
    evidence: Callable[[Counts, Counts, ColumnBins], Evidence],
    others: Iterable[Counts],
    days: Iterable[Counts],
    bins: ColumnBins,
) -> list[Evidence]:
    return [evidence(rest, day, bins) for rest, day in zip(others, days, strict=True)]
