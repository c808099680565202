"""Scales and ticks: from times and values to places on a chart."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class TimeScale:
    """The time axis that every panel of a report shares.

    Attributes:
        width: of the whole chart, in SVG units.
        left: gutter for names.
        right: gutter for labels at the end of lines.
        start: time at the left edge.
        end: time at the right edge, later than start.
    """

    width: float
    left: float
    right: float
    start: dt.datetime
    end: dt.datetime

    @property
    def last(self) -> float:
        """The x of the right edge."""
        return self.width - self.right

    def share(self, time: dt.datetime) -> float:
        """Where a time stands between start (0) and end (1); times outside are clamped."""
        return min(max((time - self.start) / (self.end - self.start), 0.0), 1.0)

    def x(self, time: dt.datetime) -> float:
        """The x of a time."""
        return self.left + self.share(time) * (self.last - self.left)

    def ticks(self, room: float = 56) -> list[tuple[float, str]]:
        """Places and words of the ticks, at least `room` units apart."""
        wanted = max(int((self.last - self.left) / room), 1)
        days = (self.end - self.start) / DAY
        if days > 30 * 2.5:
            return self._months(math.ceil(days / 30.4 / wanted))
        return self._days(max(math.ceil(days / wanted), 1))

    def _months(self, step: int) -> list[tuple[float, str]]:
        step = next((s for s in (1, 2, 3, 6, 12) if s >= step), 12)
        ticks = []
        for month in range(self.start.year * 12, self.end.year * 12 + 12):
            at = dt.datetime(month // 12, month % 12 + 1, 1, tzinfo=dt.UTC)
            if self.start <= at < self.end and month % step == 0:
                ticks.append((self.x(at), f"{at.year}" if at.month == 1 else f"{at:%b}"))
        return ticks

    def _days(self, step: int) -> list[tuple[float, str]]:
        step = next((s for s in (1, 2, 7, 14) if s >= step), step)
        at = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        ticks = []
        while at < self.end:
            if at >= self.start:
                ticks.append((self.x(at), f"{at.day} {at:%b}"))
            at += step * DAY
        return ticks


@dataclass(frozen=True)
class ValueScale:
    """A linear scale whose larger values are higher up.

    Attributes:
        low: value at the bottom.
        high: value at the top.
        top: y of the top.
        bottom: y of the bottom.
        step: distance of ticks.
    """

    low: float
    high: float
    top: float
    bottom: float
    step: float

    def y(self, value: float) -> float:
        """The y of a value."""
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def ticks(self) -> list[tuple[float, str]]:
        """Places and words of the ticks."""
        decimals = max(0, -math.floor(math.log10(self.step) + 1e-9))
        if round(self.step, decimals) != round(self.step, decimals + 1):
            decimals += 1
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        values = [i * self.step for i in range(first, last + 1)]
        return [(self.y(v), f"{v:,.{decimals}f}") for v in values]


def value_scale(
    values: Sequence[float], top: float, bottom: float, *, wanted: int = 5, zero: bool = False
) -> ValueScale:
    """A scale with round ticks that holds all values.

    Args:
        values: finite numbers; none gives the scale 0 to 1.
        top: y of the top.
        bottom: y of the bottom, larger than top.
        wanted: about how many intervals.
        zero: begin at zero.

    Returns:
        The scale, with a little room beyond the values.
    """
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low = min(low, 0.0) if zero else low
    if high - low < 1e-12:
        low, high = (0.0, high or 1.0) if zero else (low - abs(low) * 0.1 - 0.05, high + 0.05)
    room = (high - low) * 0.07
    step = _round_step((high - low) / wanted)
    return ValueScale(low if zero else low - room, high + room, top, bottom, step)


def _round_step(rough: float) -> float:
    size = 10.0 ** math.floor(math.log10(rough))
    return next(s * size for s in (1, 2, 2.5, 5, 10) if s * size >= rough * 0.999)
