"""Bars small enough for a table's cell: evidence, impact, an interval beside what was expected."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from feedback_assets.reports.rows import Row, chance, interval, number, said
from feedback_assets.reports.svg import line, tag

WIDTH, HEIGHT = 90.0, 12.0
FULL_EVIDENCE = math.log(1e6)
"""ln e at which an evidence bar is full; a false alarm is then rarer than one in a million."""
KINDS = ("realised", "estimated", "adjusted")


def evidence_bar(row: Row) -> Markup:
    """How sure a column's change is: ln e as a bar that is full at one in a million."""
    known = number(row["evidence"])
    if math.isnan(known):
        return Markup("")
    length = WIDTH * min(max(known / FULL_EVIDENCE, 0), 1)
    words = f"chance of a false alarm {chance(known)}"
    return _bar(words, tag("rect", x=0, y=3, width=length, height=6, rx=2, class_=row["status"]))


def impact_bar(value: float, largest: float) -> Markup:
    """An impact against the day's largest: to the right costs, to the left gains."""
    if math.isnan(value) or not largest > 0:
        return Markup("")
    half = WIDTH / 2
    length = half * min(abs(value) / largest, 1)
    side = "costs" if value > 0 else "gains"
    bar = tag("rect", x=half if value > 0 else half - length, y=3, width=length, height=6, rx=2,
              class_=side)  # fmt: skip
    return _bar(f"{side} {said(abs(value))} per row", bar, line(half, 1, half, 11, class_="zero"))


@dataclass(frozen=True)
class Span:
    """The values that the intervals of one table share."""

    low: float
    high: float
    width: float = 150.0

    def x(self, value: float) -> float:
        """The x of a value."""
        return 3 + (min(max(value, self.low), self.high) - self.low) / (self.high - self.low) * (
            self.width - 6
        )


def span_of(rows: Sequence[Row]) -> Span | None:
    """The span that holds all values and expected values, and intervals within reason."""
    values = [number(r[name]) for r in rows for name in ("value", "low", "high", "expected")]
    known = [v for v in values if math.isfinite(v)]
    if not known or max(known) - min(known) < 1e-12:
        return None
    return Span(min(known), max(known))


def interval_bars(rows: Sequence[Row], span: Span | None) -> Markup:
    """Realised above estimated above adjusted, the expected value as a line through all."""
    held = {row["kind"]: row for row in rows}
    shown = [held[k] for k in KINDS if k in held and math.isfinite(number(held[k]["value"]))]
    if not shown or span is None:
        return Markup("")
    parts, words = [], []
    for place, row in enumerate(shown):
        y = HEIGHT * (place + 0.5) / len(shown)
        low, high = number(row["low"]), number(row["high"])
        if math.isfinite(low) and math.isfinite(high):
            parts.append(line(span.x(low), y, span.x(high), y, class_=f"range {row['kind']}"))
        parts.append(
            tag("circle", cx=span.x(number(row["value"])), cy=y, r=2.2, class_=row["kind"])
        )
        words.append(f"{row['kind']} {said(row['value'])} {interval(low, high)}".strip())
    expected = number(shown[0]["expected"])
    if math.isfinite(expected):
        parts.insert(0, line(span.x(expected), 0, span.x(expected), HEIGHT, class_="expected-line"))
        words.append(f"expected {said(expected)}")
    return _bar(", ".join(words), *parts, width=span.width)


def _bar(words: str, *parts: Markup, width: float = WIDTH) -> Markup:
    return tag("svg", tag("title", words), *parts, viewBox=f"0 0 {width:g} {HEIGHT:g}",
               width=width, height=HEIGHT, class_="bar", role="img", aria_label=words)  # fmt: skip


def split_bar(value: float, low: float, high: float, largest: float) -> Markup:
    """A part of a split with its interval, as wide as its cell; to the right costs."""
    if not (math.isfinite(value) and largest > 0):
        return Markup("")
    at = [150 + 145 * v / largest for v in (value, low, high)]
    side = "costs" if value > 0 else "gains"
    parts = [
        tag("rect", x=min(150, at[0]), y=5, width=abs(at[0] - 150), height=12, class_=side),
        line(150, 0, 150, 22, class_="zero"),
    ]
    if math.isfinite(low) and math.isfinite(high):
        parts.append(line(at[1], 11, at[2], 11, class_="range"))
    words = f"{side} {said(abs(value))}, {interval(low, high)}"
    return tag("svg", tag("title", words), *parts, viewBox="0 0 300 22", preserveAspectRatio="none",
               role="img", aria_label=words)  # fmt: skip
