"""The small pictures of an evaluation page: gains, pairs of bars, rates, flips, calibration."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from feedback_assets.reports.rows import Row, interval, number, percent, said
from feedback_assets.reports.svg import Point, group, line, polygon_path, polyline_path, tag, text

WIDTH = 190.0
SIDES = ("champion", "candidate")
_EDGE = 4.0
_PLOT = 320.0
_MARGIN = 58.0
_ROOM = 22.0
"""Beside the last number of an axis."""
_TICKS = 5


def gain_bar(value: Any, low: Any, high: Any, largest: float) -> Markup:
    """An improvement with its interval about zero; to the right the candidate is better.

    Args:
        value: the improvement.
        low: lower end.
        high: upper end.
        largest: what fills half of the bar; ends beyond it are cut.
    """
    gain, ends = number(value), (number(low), number(high))
    if not (math.isfinite(gain) and largest > 0):
        return Markup("")
    tone = "good" if ends[0] > 0 else "bad" if ends[1] < 0 else "open"
    parts = [line(WIDTH / 2, 0, WIDTH / 2, 14, class_="zero")]
    if all(map(math.isfinite, ends)):
        x = [_about_zero(end, largest) for end in ends]
        parts.append(line(x[0], 7, x[1], 7, class_=f"range {tone}"))
    parts.append(tag("circle", cx=_about_zero(gain, largest), cy=7, r=3, class_=tone))
    way = "better" if gain >= 0 else "worse"
    words = f"{way} by {said(abs(gain))}, {interval(*ends)}".rstrip(", ")
    return _bar(words, parts)


def _about_zero(value: float, largest: float) -> float:
    half = WIDTH / 2 - _EDGE
    return WIDTH / 2 + half * min(max(value / largest, -1), 1)


def pair_bars(
    pair: Row, span: tuple[float, float], words: str, spread: Row | None = None
) -> Markup:
    """Champion's bar above the candidate's, from zero, with a whisker of a standard deviation.

    Args:
        pair: champion and candidate; what is not known has no bar.
        span: smallest and largest value of the table; values beyond are cut.
        words: what people hear who do not see it.
        spread: standard deviations of both.
    """
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if not high > low:
        return Markup("")

    def x(value: float) -> float:
        return _EDGE + (min(max(value, low), high) - low) / (high - low) * (WIDTH - 2 * _EDGE)

    parts = []
    for name, y in zip(SIDES, (1.0, 8.0), strict=True):
        value = number(pair[name])
        if not math.isfinite(value):
            continue
        left, right = sorted((x(0), x(value)))
        parts.append(tag("rect", x=left, y=y, width=max(right - left, 0.8), height=5, class_=name))
        around = number(spread[name]) if spread else math.nan
        if math.isfinite(around) and around > 0:
            ends = x(value - around), x(value + around)
            parts.append(line(ends[0], y + 2.5, ends[1], y + 2.5, class_="whisker"))
    parts.append(line(x(0), 0, x(0), 14, class_="zero"))
    return _bar(words, parts)


def span_of_pairs(values: Sequence[Any]) -> tuple[float, float]:
    """Smallest and largest of what is known; 0 and 0 of nothing."""
    known = [v for v in map(number, values) if math.isfinite(v)]
    return (min(known), max(known)) if known else (0.0, 0.0)


def share_bar(pair: Row, words: str) -> Markup:
    """Two shares on a line from 0 to 1."""
    parts = [line(_EDGE, 7, WIDTH - _EDGE, 7, class_="ground")]
    for name in SIDES:
        share = number(pair[name])
        if math.isfinite(share):
            at = _EDGE + share * (WIDTH - 2 * _EDGE)
            parts.append(tag("circle", cx=at, cy=7, r=4, class_=name))
    return _bar(words, parts)


def flips_bar(changes: Row) -> Markup:
    """All rows as one bar: kept answers, changed for the better, for the worse, and the rest."""
    better, worse = number(changes["positive_flips"]), number(changes["negative_flips"])
    changed = number(changes["changed_share"])
    if not all(map(math.isfinite, (better, worse, changed))):
        return Markup("")
    rest = max(changed - better - worse, 0.0)
    shares = {
        "kept": max(1 - better - worse - rest, 0.0),
        "good": better,
        "bad": worse,
        "other": rest,
    }
    parts, at = [], 0.0
    for name, share in shares.items():
        parts.append(tag("rect", x=at * 1000, y=0, width=share * 1000, height=22, class_=name))
        at += share
    words = f"{percent(better)} for the better, {percent(worse)} for the worse"
    return tag(
        "svg", tag("title", words), *parts, viewBox="0 0 1000 22", preserveAspectRatio="none",
        class_="flips", role="img", aria_label=words,
    )  # fmt: skip


def calibration_chart(calibration: Row) -> Markup:
    """What came true against what was said, for both models; on the diagonal is right."""
    held = {name: calibration[name]["bins"] for name in SIDES if calibration[name]}
    ends = [number(b[k]) for bins in held.values() for b in bins for k in ("mean_score", "share")]
    top = _round_up(max([e for e in ends if math.isfinite(e)], default=1.0))
    inner = _PLOT - _MARGIN - _ROOM

    def at(score: float, share: float) -> Point:
        return _MARGIN + inner * score / top, 10 + inner * (1 - min(share, top) / top)

    parts = [_grid(at, top), line(*at(0, 0), *at(top, top), class_="diagonal")]
    for name, bins in held.items():
        points = [at(number(b["mean_score"]), number(b["share"])) for b in bins]
        for b, (x, y) in zip(bins, points, strict=True):
            low, high = number(b.get("lower")), number(b.get("upper"))
            if math.isfinite(low) and math.isfinite(high):
                parts.append(line(x, at(0, low)[1], x, at(0, high)[1], class_=f"whisker {name}"))
            told = (
                f"said {percent(b['mean_score'])}, came true {percent(b['share'])} of {b['rows']:,}"
            )
            parts.append(tag("circle", tag("title", told), cx=x, cy=y, r=3.2, class_=name))
        parts.append(tag("path", d=polyline_path([points]), class_=f"line {name}"))
    parts.append(text(_MARGIN + inner / 2, inner + 48, "probability said", text_anchor="middle"))
    parts.append(
        text(12, 10 + inner / 2, "share that came true", text_anchor="middle",
             transform=f"rotate(-90 12 {10 + inner / 2:g})")
    )  # fmt: skip
    return tag(
        "svg", *parts, viewBox=f"0 0 {_PLOT:g} {inner + 56:g}", class_="reliability", role="img",
        aria_label="Share that came true against the probability said, both models",
    )  # fmt: skip


def _grid(at: Any, top: float) -> Markup:
    marks = [top * i / _TICKS for i in range(_TICKS + 1)]
    return group(
        item
        for mark in marks
        for item in (
            line(*at(0, mark), *at(top, mark), class_="grid"),
            text(at(0, 0)[0] - 6, at(0, mark)[1] + 4, f"{mark:.0%}", text_anchor="end"),
            text(at(mark, 0)[0], at(0, 0)[1] + 16, f"{mark:.0%}", text_anchor="middle"),
        )
    )


def _round_up(value: float) -> float:
    """The axis' end: the next tenth, at most 1."""
    return min(max(math.ceil(value * 10 - 1e-9) / 10, 0.1), 1.0)


def days_bar(days: Row) -> Markup:
    """Rows by day, as one column a day."""
    counts = [number(held["rows"]) for held in days.values()]
    if not counts:
        return Markup("")
    largest, step = max(counts), 1000 / len(counts)
    columns = [
        [
            (i * step, 60.0),
            (i * step, 60 - 56 * n / largest),
            (i * step + step * 0.82, 60 - 56 * n / largest),
            (i * step + step * 0.82, 60.0),
        ]
        for i, n in enumerate(counts)
    ]
    words = f"{len(counts)} days, at most {largest:,.0f} rows a day"
    return tag(
        "svg", tag("title", words), tag("path", d=polygon_path(columns)), viewBox="0 0 1000 60",
        preserveAspectRatio="none", class_="days", role="img", aria_label=words,
    )  # fmt: skip


def _bar(words: str, parts: Sequence[Markup]) -> Markup:
    return tag(
        "svg", tag("title", words), *parts, viewBox=f"0 0 {WIDTH:g} 14", width=WIDTH, height=14,
        class_="bar", role="img", aria_label=words,
    )  # fmt: skip
