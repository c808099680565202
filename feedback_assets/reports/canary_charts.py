"""Charts of a trial: the gain with its interval, and the evidence, label by label."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from feedback_assets.reports.axes import Layout
from feedback_assets.reports.rows import chance, number, said
from feedback_assets.reports.scales import ValueScale, value_scale
from feedback_assets.reports.svg import (
    Point,
    group,
    line,
    polygon_path,
    polyline_path,
    tag,
    text,
)
from feedback_assets.reports.verdict_charts import panel

EVIDENCE = {"log_better": "better", "log_safe": "safe", "log_worse": "worse"}
"""Field of a point to what its evidence speaks for."""
LEAST = -2.0
"""log10 of the e-values at which the axis ends: less is no evidence either way."""
MOST = 12.0
TOP = 14.0
_LN10 = math.log(10)
Path = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Frame:
    """Where things stand on a chart: labels to the right, values up."""

    across: ValueScale
    up: ValueScale
    left: float
    last: float

    @classmethod
    def of(cls, path: Path, values: Sequence[float], layout: Layout) -> "Frame":
        """The frame that holds these values at the labels of the path."""
        last = layout.width - layout.right
        counts = [0.0, *(float(point["labels"]) for point in path)]
        wide = value_scale(counts, last, layout.left, wanted=6 if layout.wide else 3, zero=True)
        across = ValueScale(0, max(counts), last, layout.left, wide.step)
        return cls(across, value_scale(values, TOP, layout.height - 40), layout.left, last)

    def place(self, labels: float, value: float) -> Point:
        """Where a value at so many labels stands; beyond the axis at its end."""
        y = min(max(self.up.y(value), self.up.top), self.up.bottom)
        return self.across.y(labels), y

    def runs(self, path: Path, value: str, factor: float = 1.0) -> list[list[Point]]:
        """The runs of known values."""
        known = groupby(path, key=lambda point: math.isfinite(number(point[value])))
        return [
            [self.place(p["labels"], factor * number(p[value])) for p in run]
            for there, run in known
            if there
        ]

    def grid(self) -> Markup:
        """Lines of the values, marks of the labels, both with their numbers."""
        rows = [
            item
            for y, words in self.up.ticks()
            for item in (
                line(self.left, y, self.last, y, class_="grid"),
                text(self.left - 12, y + 4, words, class_="tick", text_anchor="end"),
            )
        ]
        marks = [
            item
            for x, words in self.across.ticks()
            for item in (
                line(x, self.up.bottom + 4, x, self.up.bottom + 9, class_="tickmark"),
                text(x, self.up.bottom + 24, words, class_="tick", text_anchor="middle"),
            )
        ]
        return group([*rows, *marks])

    def level(self, value: float, kind: str, words: str) -> Markup:
        """A line across with its words."""
        _, y = self.place(0, value)
        return group(
            [
                line(self.left, y, self.last, y, class_=f"level {kind}"),
                text(self.last - 4, y - 5, words, class_="level-name", text_anchor="end"),
            ]
        )


def gain_chart(path: Path, margin: float, layout: Layout) -> Markup | None:
    """The gain per row by labels, with the interval that holds at all labels together.

    Args:
        path: points with labels, gain, lower, upper.
        margin: loss per row that a candidate may be worse and still be safe.
        layout: its size.

    Returns:
        The panel; None before the first label.
    """
    gains = [number(point["gain"]) for point in path if math.isfinite(number(point["gain"]))]
    if not gains:
        return None
    # Early intervals are so wide that they would press all else into a line: they are cut.
    settled = [number(point["gain"]) for point in path[len(path) // 4 :]]
    known = [g for g in settled if math.isfinite(g)] or gains
    ends = [number(path[-1][end]) for end in ("lower", "upper")]
    values = [0.0, -margin, *known, *(e for e in ends if math.isfinite(e))]
    frame = Frame.of(path, values, layout)
    lows, highs = frame.runs(path, "lower"), frame.runs(path, "upper")
    bands = [low + high[::-1] for low, high in zip(lows, highs, strict=False)]
    body = [
        frame.grid(),
        tag("path", d=polygon_path(bands), class_="band trial"),
        frame.level(0.0, "zero", "equal"),
        *([frame.level(-margin, "limit", "still safe")] if margin else []),
        tag("path", d=polyline_path(frame.runs(path, "gain")), class_="line loop"),
        _end(frame, path, "gain", said(path[-1]["gain"])),
    ]
    words = "Loss of the champion less that of the challenger, per labelled row, and its interval."
    return panel(body, layout.height, f"gain-{layout.name}", "Gain by labels", words, layout)


def evidence_chart(path: Path, alpha: float, layout: Layout) -> Markup | None:
    """How the evidence grew with the labels: powers of ten of the three e-values.

    Args:
        path: points with labels, log_better, log_safe, log_worse.
        alpha: largest probability of a false claim; 1 / alpha is the bar.
        layout: its size.
    """
    if not path:
        return None
    bar = math.log10(1 / alpha)
    logs = [number(point[name]) / _LN10 for point in path for name in EVIDENCE]
    held = [min(max(v, LEAST), MOST) for v in logs if math.isfinite(v)]
    frame = Frame.of(path, [0.0, bar, *held], layout)
    body = [frame.grid(), frame.level(bar, "bar-line", f"1 in {1 / alpha:g}")]
    for name, kind in EVIDENCE.items():
        runs = frame.runs(path, name, 1 / _LN10)
        body.append(tag("path", d=polyline_path(runs), class_=f"line {kind}"))
        body.append(_end(frame, path, name, chance(path[-1][name]), 1 / _LN10, kind))
    words = (
        "Evidence that the challenger is better, is safe, is worse; above the bar it is a proof."
    )
    return panel(
        body, layout.height, f"evidence-{layout.name}", "Evidence by labels", words, layout
    )


def _end(
    frame: Frame, path: Path, name: str, words: str, factor: float = 1.0, kind: str = "loop"
) -> Markup:
    """A dot at the end of a line that says its value."""
    value = number(path[-1][name])
    if not math.isfinite(value):
        return Markup("")
    x, y = frame.place(path[-1]["labels"], factor * value)
    title = tag("title", f"{kind}: {words}" if kind != "loop" else words)
    return tag("circle", title, cx=x, cy=y, r=3.5, class_=f"dot {kind}")
