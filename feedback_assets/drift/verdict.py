"""One verdict per column, and one for the day.

Over all columns of a day together the chance of any false alarm is at most `drift.alpha`
(Holm 1979, Scand. J. Statist. 6, valid under any dependence between the columns); a difference
must be material, not only certain (see `materiality`); a broken column is set apart, because
training on it is no remedy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Drift
from feedback_assets.drift import words
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.column import (
    ColumnStatistics,
    ColumnStatus,
    ColumnVerdict,
    column_verdict,
)
from feedback_assets.drift.profile import ReferenceProfile

__all__ = [
    "ColumnStatistics", "ColumnStatus", "ColumnVerdict", "DayStatus", "DayVerdict",
    "column_verdict", "day_verdict", "holm",
]  # fmt: skip

DayStatus = Literal["stable", "drift", "broken", "insufficient"]
NAMED = 3
"""Columns that the day's reason names; the others are counted."""


@dataclass(frozen=True)
class DayVerdict:
    """What is claimed of one day (or whatever the partition is)."""

    columns: tuple[ColumnVerdict, ...]
    rows: int
    """Rows of the day."""

    @property
    def judged(self) -> tuple[ColumnVerdict, ...]:
        """Columns that count."""
        return tuple(c for c in self.columns if not c.ignored)

    @property
    def drifted(self) -> tuple[ColumnVerdict, ...]:
        """Columns that drifted and count, most certain and largest first."""
        return self._of("drift")

    @property
    def broken(self) -> tuple[ColumnVerdict, ...]:
        """Columns that broke and count."""
        return self._of("broken")

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
        told = [_told(f, len(self.judged), s) for f, s in self._faults() if f]
        if told:
            return "; ".join(told)
        if self.status == "insufficient":
            return self.judged[0].change if self.judged else "no column was judged"
        nearest = min(self.judged, key=lambda c: (c.p_value, -c.size_sd, c.name))
        return (
            f"none of {len(self.judged)} columns drifted in {self.rows:,} rows; nearest is "
            f"{nearest.name} (psi {nearest.statistics.psi:.2f}, {nearest.size}, "
            f"p {words.p(nearest.p_value)})"
        )

    def _faults(self) -> list[tuple[tuple[ColumnVerdict, ...], str]]:
        return [(self.drifted, "drifted"), (self.broken, "broken")]

    def _of(self, status: ColumnStatus) -> tuple[ColumnVerdict, ...]:
        found = [c for c in self.judged if c.status == status]
        return tuple(sorted(found, key=lambda c: (c.p_value, -c.size_sd, c.name)))


def day_verdict(
    profile: ReferenceProfile, current: Mapping[str, Tally], drift: Drift
) -> DayVerdict:
    """Verdict on every column of the profile that was counted, and on the day.

    Columns of `drift.ignore` are judged alone and shown; they neither decide nor cost the others
    power.

    Args:
        profile: The reference.
        current: Column → its tally, counted with the profile's bins.
        drift: The policy.
    """
    names = [n for n in profile.columns if n in current]
    family = max(sum(n not in drift.ignore for n in names), 1)
    each = [column_verdict(profile.columns[n], current[n], drift, family) for n in names]
    return DayVerdict(_stepped(each, drift.alpha), max((c.rows for c in each), default=0))


def holm(p_values: Sequence[float], alpha: float) -> npt.NDArray[np.bool_]:
    """Which hypotheses Holm's step-down rejects at familywise error `alpha`: bool [hypotheses].

    >>> holm([0.04, 0.004, 0.02], 0.05).tolist()
    [True, True, True]
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    passed = p[order] <= alpha / np.arange(len(p), 0, -1)
    rejected = np.zeros(len(p), np.bool_)
    rejected[order] = np.logical_and.accumulate(passed)
    return rejected


def _stepped(columns: list[ColumnVerdict], alpha: float) -> tuple[ColumnVerdict, ...]:
    """The columns that were tested and count, judged again together."""
    tested = [c for c in columns if not c.ignored and c.status not in {"broken", "insufficient"}]
    changed = holm([c.p_changed for c in tested], alpha)
    material = holm([c.p_value for c in tested], alpha)
    status: dict[str, ColumnStatus] = {
        c.name: "drift" if much else "immaterial" if some else "stable"
        for c, some, much in zip(tested, changed, material, strict=True)
    }
    return tuple(replace(c, status=status.get(c.name, c.status)) for c in columns)


def _told(columns: Sequence[ColumnVerdict], of: int, what: str) -> str:
    named = "; ".join(f"{c.name} {c.reason}" for c in columns[:NAMED])
    more = len(columns) - NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"{len(columns)} of {of} columns {what}: {named}{rest}"
