"""A day's verdict as short Markdown with one small picture, for asset metadata."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from feedback_assets.reports.day_page import STATUS_WORDS
from feedback_assets.reports.day_view import DayView, day_view
from feedback_assets.reports.day_words import answers, headline
from feedback_assets.reports.facts import DayFacts
from feedback_assets.reports.plain import markdown_text, plain_text
from feedback_assets.reports.plots import (
    FAINT,
    SOFT,
    STATUS,
    _figure,
    _names,
    _nothing,
    _png,
    markdown_image,
)  # fmt: skip
from feedback_assets.reports.rows import Row, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 8
MAX_MARKDOWN = 30_000
"""Characters: every metadata row is kept in Dagster's database."""
FULL = math.log(1e9)
"""ln e beyond which a bar is cut: surer than any decision needs."""


def day_markdown(day: DayFacts) -> str:
    """The headline, one line for each question, and a plot of the evidence by column.

    Values of the data stay text: the result holds no HTML, link or picture but our own.
    """
    view = day_view(day)
    status = STATUS_WORDS.get(view.status, view.status)
    lines = [f"**{markdown_text(headline(day, view))}** ({markdown_text(status)})", ""]
    for answer in answers(day, view):
        told = "; ".join(markdown_text(line) for line in answer.lines if line)
        lines.append(f"- {answer.question}: {told}")
    text = "\n".join(lines)
    picture = markdown_image(evidence_plot(view), "Evidence by column")
    whole = f"{text}\n\n{picture}\n"
    return whole if len(whole) <= MAX_MARKDOWN else f"{text[:MAX_MARKDOWN]}\n"


def evidence_plot(view: DayView) -> bytes:
    """How sure each column's material change is, the surest at the top.

    Args:
        view: the day; the columns without evidence are left out.

    Returns:
        A PNG; the axis is e on a logarithmic scale, cut at a billion.
    """
    known = [r for r in view.columns if math.isfinite(number(r["evidence"]))]
    known.sort(key=lambda r: number(r["evidence"]))
    shown, left_out = known[-COLUMNS:], max(len(known) - COLUMNS, 0)
    title = f"Evidence e of a material change ({left_out} weaker left out)"
    title = title if left_out else "Evidence e of a material change"
    figure, axes = _figure(title, width=5.6, height=0.9 + 0.22 * max(len(shown), 3))
    if not shown:
        return _nothing(figure, axes)
    _bars(axes, shown)
    height = figure.get_figheight()
    figure.set_layout_engine("none")  # as good here, and half the time
    axes.set_position((0.24, 0.3 / height, 0.75, 1 - 0.62 / height))
    return _png(figure)


def _bars(axes: "Axes", rows: Sequence[Row]) -> None:
    places = np.arange(len(rows))
    powers = [min(max(number(r["evidence"]), 0.0), FULL) / math.log(10) for r in rows]
    colours = [STATUS.get(r["status"], FAINT) for r in rows]
    axes.barh(places, powers, color=colours, height=0.7)
    _names(axes, places, [plain_text(r["column_name"], 40) for r in rows])
    for place, power, row in zip(places, powers, rows, strict=True):
        if row["status"] != "stable":
            words = plain_text(row["status"])
            axes.text(power + 0.08, float(place), words, va="center", color=SOFT, fontsize=8)
    axes.set_xlim(0, 10)
    axes.set_xticks([0, 3, 6, 9], ["1", "1,000", "a million", "a billion"])
