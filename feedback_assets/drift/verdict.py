"""One verdict per column and slice, and one for the day, from counts alone.

Each column has an e-process against "no material change" and one against "no change" (see
`eprocess`); over all columns and slices of a day e-BH keeps the share of false alarms among the
alarms at `drift.alpha`, however often one looks. A broken column is set apart, because training
on it is no remedy.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.bench import Bench
from feedback_assets.drift.bets import RECENT
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.column import ColumnStatistics, ColumnStatus, ColumnVerdict
from feedback_assets.drift.family import hypotheses
from feedback_assets.drift.profile import WHOLE, ReferenceProfile, SliceKey

__all__ = [
    "ColumnStatistics", "ColumnStatus", "ColumnVerdict", "DayStatus", "DayVerdict",
    "judge", "judge_once",
]  # fmt: skip

DayStatus = Literal["stable", "drift", "broken", "insufficient"]
NAMED = 3
"""Columns that the day's reason names; the others are counted."""


@dataclass(frozen=True)
class DayVerdict:
    """What is claimed of one day (or whatever the partition is)."""

    columns: tuple[ColumnVerdict, ...]
    """Each column in all rows."""
    rows: int
    """Rows of the day."""
    slices: tuple[ColumnVerdict, ...] = ()
    """Each column in each slice."""
    note: str = ""
    """Why nothing was judged, if so."""

    @property
    def judged(self) -> tuple[ColumnVerdict, ...]:
        """Columns in all rows that count."""
        return tuple(c for c in self.columns if not c.ignored)

    @property
    def drifted(self) -> tuple[ColumnVerdict, ...]:
        """What drifted and counts, in all rows first, then most certain and largest first."""
        return self._of("drift")

    @property
    def broken(self) -> tuple[ColumnVerdict, ...]:
        """What broke and counts."""
        return self._of("broken")

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Names of the columns that drifted anywhere, each once."""
        return tuple(dict.fromkeys(c.name for c in self.drifted))

    @property
    def drift_weight(self) -> float:
        """Sum of the weights of the columns that drifted."""
        return float(sum({c.name: c.weight for c in self.drifted}.values()))

    @property
    def status(self) -> DayStatus:
        """Drift if a column drifted, else broken if one broke, else insufficient, else stable."""
        if self.drifted:
            return "drift"
        if self.broken:
            return "broken"
        known = any(c.status != "insufficient" for c in self.judged)
        return "stable" if known else "insufficient"

    @property
    def reason(self) -> str:
        """Why, in plain words with numbers."""
        told = []
        for found, what in ((self.drifted, "drifted"), (self.broken, "broken")):
            whole = [c for c in found if c.slice == WHOLE]
            parts = [c for c in found if c.slice != WHOLE]
            if whole:
                told.append(f"{len(whole)} of {len(self.judged)} columns {what}: {_named(whole)}")
            if parts:
                slices = "slice" if len(parts) == 1 else "slices"
                told.append(f"{len(parts)} {slices} {what}: {_named(parts)}")
        if told:
            return "; ".join(told)
        if self.status == "insufficient":
            return self.note or (self.judged[0].change if self.judged else "no column was judged")
        known = [c for c in self.judged if c.status != "insufficient"]
        nearest = max(known, key=lambda c: (c.evidence, c.size_sd, c.name))
        return (
            f"none of {len(self.judged)} columns drifted in {self.rows:,} rows; nearest is "
            f"{nearest.name} (psi {nearest.statistics.psi:.2f}, {nearest.size})"
        )

    def _of(self, status: ColumnStatus) -> tuple[ColumnVerdict, ...]:
        found = [c for c in (*self.columns, *self.slices) if c.status == status and not c.ignored]
        return tuple(sorted(found, key=_rank))


def days_read(drift: Drift) -> int:
    """Days, the judged one included, on which a verdict depends."""
    return drift.window_days + RECENT


def judge(
    profile: ReferenceProfile,
    stretch: Mapping[SliceKey, Mapping[str, Tally]],
    days: Sequence[str],
    drift: Drift,
    wanted: Sequence[int],
    matured: Mapping[str, Container[int]] | None = None,
    skipped: int = 0,
) -> dict[str, DayVerdict]:
    """Verdicts on some days of a stretch, each from the days up to it.

    The verdict of a position uses no group after it, and none that is `days_read(drift)` or more
    before it. It is the same whichever other days are asked for.

    Args:
        profile: The reference.
        stretch: Slice → column → its tally, counted with the profile's bins, one group a day.
        days: Partition keys of the groups, oldest first.
        drift: The policy.
        wanted: Positions to judge.
        matured: Column → positions whose counts may serve as evidence (labels that have all
            come); on other days the column is shown and nothing is claimed.
        skipped: Days between the reference and the first of `days`, which need not be read: a later
            beginning of a change has less weight, so that one may look for ever.

    Returns:
        Partition key → verdict.
    """
    positions = sorted(set(wanted))
    ripe = {
        name: [p for p in range(len(days)) if p in kept] for name, kept in (matured or {}).items()
    }
    family = hypotheses(profile, stretch, drift, ripe)
    if not positions:
        return {}
    first = positions[0] - drift.window_days + 1
    low = max(0, first - RECENT)
    bench = Bench(family, list(days), drift, positions, low, skipped=skipped)
    return {days[p]: _day(bench.columns(i)) for i, p in enumerate(positions)}


def judge_once(
    profile: ReferenceProfile,
    current: Mapping[SliceKey, Mapping[str, Tally]],
    drift: Drift,
    key: str = "",
) -> DayVerdict:
    """Verdict on one day alone, whatever came before: for a reference that moves along.

    The e-value is that of the day's rows; what a small reference leaves uncertain is allowed for.

    Args:
        profile: The reference, as `from_tallies` makes it of other days.
        current: Slice → column → its tally; the groups are added up.
        drift: The policy.
        key: The day's partition.
    """
    summed = {
        where: {name: tally.total() for name, tally in tallies.items()}
        for where, tallies in current.items()
    }
    family = hypotheses(profile, summed, drift)
    return _day(Bench(family, [key], drift, [0], 0, alone=True).columns(0))


def _day(made: Sequence[ColumnVerdict]) -> DayVerdict:
    whole = tuple(c for c in made if c.slice == WHOLE)
    return DayVerdict(
        whole, max((c.rows for c in whole), default=0), tuple(c for c in made if c.slice != WHOLE)
    )


def _named(columns: Sequence[ColumnVerdict]) -> str:
    named = "; ".join(f"{c.label} {c.reason}" for c in columns[:NAMED])
    more = len(columns) - NAMED
    return named + (f"; and {more} more" if more > 0 else "")


def _rank(column: ColumnVerdict) -> tuple[bool, float, float, str]:
    evidence = float(np.nan_to_num(column.evidence))
    return column.slice != WHOLE, -evidence, -column.size_sd, column.label
