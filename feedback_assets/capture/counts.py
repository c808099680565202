"""What became of the rows that were received: the counts that must add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feedback_assets.capture.files import SourceFile


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one partition; received = stored + quarantined."""

    stored: int = 0
    quarantined: int = 0
    future: int = 0
    """Received only after the as-of time: not there yet."""
    blank: int = 0
    """Rows that hold no feedback, such as a history's rows whose label is not known yet."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Quarantined rows by reason, most frequent first."""

    @property
    def received(self) -> int:
        """Rows that had been received at the as-of time."""
        return self.stored + self.quarantined

    @property
    def quarantined_share(self) -> float:
        """Quarantined rows over received rows, 0 when none was received."""
        return self.quarantined / self.received if self.received else 0.0


@dataclass(frozen=True)
class Staged:
    """Two temporary views of the connection and what is in them."""

    counts: Mapping[str, Counts]
    """By partition; every partition that was asked for is there."""
    files: tuple[SourceFile, ...]
    """The files that were read."""
    columns: tuple[str, ...] = ()
    """Their columns, in alphabetical order; those that the configuration names with their type."""
    good: str = "staged_good"
    bad: str = "staged_bad"

    @property
    def with_future(self) -> list[str]:
        """Partitions with rows that are received only after the as-of time."""
        return [key for key, counts in self.counts.items() if counts.future]

    @property
    def total(self) -> Counts:
        """All partitions together."""
        return add_up(list(self.counts.values()))


def add_up(counts: Sequence[Counts]) -> Counts:
    """Return the sum of some counts."""
    reasons: dict[str, int] = {}
    for count in counts:
        for reason, rows in count.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + rows
    return Counts(
        sum(c.stored for c in counts),
        sum(c.quarantined for c in counts),
        sum(c.future for c in counts),
        sum(c.blank for c in counts),
        dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )
