"""Which rows a segment of the sequence ends with; known without reading the segment again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from feedback_assets.capture.inbox.records import SEGMENT_ROWS


@dataclass(frozen=True, slots=True)
class Open:
    """The newest segment, which still grows."""

    segment: int = 0
    last: Mapping[int, int] = field(default_factory=dict)
    """Channel to the number of its last row in the segment."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last row of a channel in a segment that grows no more."""

    segment: int
    channel: int
    last: int


def grow(now: Open, stored: Iterable[tuple[int, int]]) -> tuple[Open, list[Closed]]:
    """Add rows (number, channel), by number: the newest segment then, and those it closed."""
    segment, last = now.segment, dict(now.last)
    closed: list[Closed] = []
    end = (segment + 1) * SEGMENT_ROWS
    for seq, channel in stored:
        if seq >= end:
            closed += [Closed(segment, which, at) for which, at in last.items()]
            segment, last = seq // SEGMENT_ROWS, {}
            end = (segment + 1) * SEGMENT_ROWS
        last[channel] = seq
    return Open(segment, last), closed
