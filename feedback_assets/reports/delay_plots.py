"""How late labels come, as pictures: of all rows, by label value, by segment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.plots import BLUE, FAINT, GREEN, RED, SAND, SOFT, _png

Floats = npt.NDArray[np.float64]
POINTS = 120
LINES = 5
STYLES = ((BLUE, "-"), (SAND, "--"), (GREEN, "-."), (RED, ":"), (SOFT, (0, (6, 2, 1, 2))))
"""Colour and dashes of each line: the dashes alone tell them apart."""


@dataclass(frozen=True)
class Line:
    """One curve: share of the rows whose label is there by an age; NaN where not known.

    Attributes:
        name: in the legend.
        ages: days [points].
        shares: [points].
        low: lower end of its interval, if it is drawn.
        high: upper end.
    """

    name: str
    ages: Floats
    shares: Floats
    low: Floats | None = None
    high: Floats | None = None


def delay_curves(panels: Sequence[tuple[str, Sequence[Line]]]) -> bytes:
    """Small panels side by side, each a title and at most `LINES` curves.

    Args:
        panels: at least one, with a line each.

    Returns:
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (3.1 * len(panels) + 0.4, 2.7)
    figure = Figure(figsize=size, dpi=90, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    top = max(_top(line) for _, lines in panels for line in lines[:LINES])
    for place, (title, lines) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), place)
        axes.set_title(title, fontsize=9, color=SOFT, loc="left", parse_math=False)
        axes.grid(visible=True, color=FAINT, linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, colors=SOFT)
        for line, (colour, dashes) in zip(lines[:LINES], STYLES, strict=False):
            thin = slice(None, None, max(line.ages.size // POINTS, 1))
            ages = line.ages[thin]
            if line.low is not None and line.high is not None:
                axes.fill_between(
                    ages, line.low[thin], line.high[thin], step="post", color=FAINT, linewidth=0
                )
            axes.step(
                ages, line.shares[thin], where="post", color=colour, linestyle=dashes, linewidth=1.8
            )
        axes.set_ylim(0, top)
        axes.set_xlabel("days since the prediction", fontsize=8, color=SOFT)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        if len(lines) > 1:
            names = [_name(line.name) for line in lines[:LINES]]
            axes.legend(axes.lines, names, frameon=False, fontsize=7, loc="lower right")
    return _png(figure)


def _name(name: str) -> str:
    """A name as the legend shows it: a dollar sign in it is not mathematics."""
    return plain_text(name, 24).replace("$", r"\$")


def _top(line: Line) -> float:
    ends = line.shares if line.high is None else line.high
    known = ends[np.isfinite(ends)]
    return min(float(known.max(initial=0.05)) * 1.08, 1.03)
