"""What every chart of the reports has: its two sizes, the grid, the time axis, boxes."""

from dataclasses import dataclass

from markupsafe import Markup

from feedback_assets.reports.scales import TimeScale, ValueScale
from feedback_assets.reports.svg import Point, group, line, text


@dataclass(frozen=True)
class Layout:
    """One of the two sizes in which every panel is drawn; the page shows the one that fits."""

    name: str
    width: float
    left: float
    right: float
    height: float
    name_chars: int

    @property
    def wide(self) -> bool:
        """Whether there is room for labels at the end of lines."""
        return self.name == "wide"


WIDE = Layout("wide", 1080, 112, 78, 250, 16)
NARROW = Layout("narrow", 400, 78, 12, 190, 11)


def value_grid(axis: TimeScale, scale: ValueScale) -> Markup:
    """Lines and numbers of the value axis."""
    rows = [
        item
        for y, words in scale.ticks()
        for item in (
            line(axis.left, y, axis.last, y, class_="grid"),
            text(axis.left - 12, y + 4, words, class_="tick", text_anchor="end"),
        )
    ]
    return group(rows)


def time_ticks(axis: TimeScale, y: float) -> Markup:
    """Marks and words of the time axis, their baseline at y."""
    return group(
        item
        for x, words in axis.ticks()
        for item in (
            line(x, y - 17, x, y - 12, class_="tickmark"),
            text(x, y, words, class_="tick", text_anchor="middle"),
        )
    )


def box(x: float, width: float, top: float, bottom: float) -> list[Point]:
    """The corners of a box."""
    return [(x, top), (x + width, top), (x + width, bottom), (x, bottom)]
