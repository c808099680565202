"""What else changed at about the time that the model got worse.

Nearness in time is no proof: the changes are named beside the split of the drop, nearest first,
for a person to judge.
"""

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from feedback_assets.causes.findings import Finding

ChangeKind = Literal["model version", "code version", "config", "source schema", "champion"]


@dataclass(frozen=True)
class Change:
    """A dated change of something that the model depends on."""

    day: dt.date
    """The first day that saw the new state."""
    kind: ChangeKind
    new: str
    """What it is now: a version, a digest."""
    old: str = ""
    """What it was; empty if unknown or if there was none."""
    detail: str = ""
    """More in plain words, such as which columns of the schema changed."""

    @property
    def words(self) -> str:
        """The change in plain words."""
        step = f"{self.old} → {self.new}" if self.old else f"{self.new} (first seen)"
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.kind} {step}{detail}"


def changes_of(kind: ChangeKind, states: Iterable[tuple[dt.date, str]]) -> list[Change]:
    """The changes in a run of dated states, such as the config digest of each partition.

    Args:
        kind: What the states are of.
        states: (day, state), in any order; an empty state is not known and changes nothing.

    >>> days = [dt.date(2024, 1, d) for d in (1, 2, 3, 4)]
    >>> [c.words for c in changes_of("model version", zip(days, ["1", "1", "", "2"]))]
    ['model version 1 → 2']
    """
    known = sorted((day, state) for day, state in states if state)
    steps = itertools.pairwise(known)
    return [Change(day, kind, new, old) for (_, old), (day, new) in steps if new != old]


def nearby(changes: Iterable[Change], since: dt.date, days: int) -> list[Change]:
    """The changes at most so many days from `since`, nearest first; of equals the earlier first.

    A change after `since` counts as well, because the date of a change point is itself uncertain.
    """
    near = [c for c in changes if abs((c.day - since).days) <= days]
    return sorted(near, key=lambda c: (abs((c.day - since).days), c.day, c.kind, c.new))


def upstream_findings(
    partition_key: str, changes: Sequence[Change], since: dt.date
) -> list[Finding]:
    """The changes as findings; `value` is how many days after `since` (negative: before)."""
    return [
        Finding(
            partition_key,
            "upstream",
            c.kind,
            f"{c.words}, {_apart((c.day - since).days)}",
            value=float((c.day - since).days),
        )
        for c in changes
    ]


def _apart(days: int) -> str:
    if days == 0:
        return "the same day"
    unit = "day" if abs(days) == 1 else "days"
    return f"{abs(days)} {unit} {'after' if days > 0 else 'before'}"
