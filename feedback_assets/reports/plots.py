"""Small PNG plots for asset metadata and MLflow; matplotlib is imported only when one is drawn."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from feedback_assets.drift import ColumnVerdict

MAX_BYTES = 60_000
INK, SOFT, FAINT = "#14181f", "#565e6b", "#e4e7ec"
BLUE, SAND, GREEN, RED = "#2456d6", "#8a6d3b", "#0a7a55", "#b4380b"
STATUS = {
    "drift": "#e8853d",
    "broken": "#9f1239",
    "insufficient": "#b8bec8",
    "immaterial": "#8fb8a6",
    "stable": "#8fb8a6",
}


def markdown_image(png: bytes, alt: str) -> str:
    """A picture inside Markdown metadata, as a data address.

    Args:
        png: a PNG of at most 60 kB: every metadata row is kept in Dagster's database.
        alt: what the picture shows, for people who do not see it.

    Returns:
        Markdown text.

    Raises:
        ValueError: the picture is too large.
    """
    if len(png) > MAX_BYTES:
        raise ValueError(f"picture '{alt}' has {len(png)} bytes, the limit is {MAX_BYTES}")
    safe = "".join(" " if c in "[]()\\\r\n<>`" else c for c in alt)
    return f"![{safe}](data:image/png;base64,{base64.b64encode(png).decode()})"


def volume_by_hour(times: "pd.Series[Any]", title: str = "Predictions by hour") -> bytes:
    """Bars of how many rows fell into each hour of the day (UTC); null times are left out."""
    hours = pd.to_datetime(times, utc=True).dropna().dt.hour
    counts = np.bincount(hours.to_numpy(dtype=np.int64), minlength=24)
    figure, axes = _figure(title)
    if not counts.any():
        return _nothing(figure, axes)
    axes.bar(np.arange(24), counts, color=BLUE, width=0.8)
    axes.set_xticks(range(0, 24, 3), [f"{h:02d}:00" for h in range(0, 24, 3)])
    return _png(figure)


def drift_bars(
    columns: "Sequence[ColumnVerdict]", title: str = "Drift by column", limit: int = 25
) -> bytes:
    """PSI by column, coloured by our verdict, the largest first.

    Args:
        columns: a day's verdicts.
        title: above the plot.
        limit: columns shown; the rest are said to be left out.

    Returns:
        A PNG.
    """
    known = [(np.nan_to_num(c.statistics.psi, posinf=0.0), c) for c in columns]
    shown = sorted(known, key=lambda pair: pair[0])[-limit:]
    left_out = len(columns) - len(shown)
    name = f"{title} ({left_out} smaller ones left out)" if left_out else title
    figure, axes = _figure(name, height=1.1 + 0.26 * max(len(shown), 4))
    if not shown:
        return _nothing(figure, axes)
    places, psi = np.arange(len(shown)), [float(value) for value, _ in shown]
    axes.barh(places, psi, color=[STATUS[c.status] for _, c in shown], height=0.7)
    _names(axes, places, [column.name for _, column in shown])
    for place, (value, column) in enumerate(shown):
        words = f" {value:.2f} {column.status}"
        axes.text(value, place, words, va="center", color=SOFT, fontsize=8)
    axes.set_xlim(0, max(max(psi) * 1.25, 0.05))
    axes.set_xlabel("PSI")
    return _png(figure)


def label_arrival(
    days: Sequence[Any],
    expected: Sequence[float],
    arrived: Sequence[float],
    title: str = "Labels arrived by day",
) -> bytes:
    """Bars of labels expected and arrived for each prediction day."""
    figure, axes = _figure(title)
    if not len(days):
        return _nothing(figure, axes)
    places = np.arange(len(days))
    axes.bar(places, expected, color=FAINT, width=0.8, label="expected")
    axes.bar(places, arrived, color=BLUE, width=0.8, label="arrived")
    _dates(axes, days)
    _legend(axes)
    return _png(figure)


def arrival_curve(
    age_days: Sequence[float], share: Sequence[float], title: str = "How late labels come"
) -> bytes:
    """Share of all labels that have arrived by a cohort's age in days."""
    figure, axes = _figure(title)
    if not len(age_days):
        return _nothing(figure, axes)
    axes.step(age_days, share, where="post", color=BLUE, linewidth=2)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("days since the prediction")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return _png(figure)


def pool_by_day(
    days: Sequence[Any],
    train: Sequence[float],
    holdout: Sequence[float],
    title: str = "Rows of the labeled pool",
) -> bytes:
    """Stacked bars of training and held-out rows by prediction day."""
    figure, axes = _figure(title)
    if not len(days):
        return _nothing(figure, axes)
    places = np.arange(len(days))
    axes.bar(places, train, color=BLUE, width=0.85, label="train")
    axes.bar(places, holdout, bottom=train, color=SAND, width=0.85, label="held out")
    _dates(axes, days)
    _legend(axes)
    return _png(figure)


def gate_interval(
    rows: Sequence[Mapping[str, Any]], title: str = "Improvement over the champion"
) -> bytes:
    """Intervals of the improvement, over all rows and by segment (a forest plot).

    Args:
        rows: each with `name`, `improvement`, `low` and `high` (positive is better), and
            optionally `rows` (their number) and `worse` (clearly worse).
        title: above the plot.

    Returns:
        A PNG.
    """
    figure, axes = _figure(title, height=1.2 + 0.3 * max(len(rows), 3))
    if not rows:
        return _nothing(figure, axes)
    places = np.arange(len(rows))[::-1]
    axes.axvline(0, color=SOFT, linewidth=1)
    for place, row in zip(places, rows, strict=True):
        colour = RED if row.get("worse") else GREEN if row["low"] > 0 else SOFT
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
        axes.plot(row["improvement"], place, "o", color=colour, markersize=5)
    names = [f"{r['name']} ({r['rows']:,})" if "rows" in r else str(r["name"]) for r in rows]
    _names(axes, places, names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("worse ← 0 → better")
    return _png(figure)


def _figure(title: str, width: float = 7.0, height: float = 2.6) -> "tuple[Any, Axes]":
    """A figure without pyplot, whose global state is not safe between threads."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(width, height), dpi=100, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold", parse_math=False)
    axes.tick_params(colors=SOFT, labelsize=8, length=0)
    axes.xaxis.label.set(color=SOFT, fontsize=8)
    axes.yaxis.label.set(color=SOFT, fontsize=8)
    axes.set_axisbelow(True)
    axes.grid(color=FAINT, linewidth=0.8)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure, axes


def _nothing(figure: Any, axes: "Axes") -> bytes:
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, "nothing to show yet", ha="center", color=SOFT, transform=axes.transAxes)
    return _png(figure)


def _names(axes: "Axes", places: npt.NDArray[np.int64], names: list[str]) -> None:
    """Names at the left; a dollar sign in one is not mathematics."""
    short = [name if len(name) <= 32 else name[:31] + "…" for name in names]
    axes.set_yticks(places, short, parse_math=False, color=INK)
    axes.grid(visible=False, axis="y")


def _dates(axes: "Axes", days: Sequence[Any]) -> None:
    step = max(len(days) // 7, 1)
    shown = range(0, len(days), step)
    axes.set_xticks(list(shown), [str(days[i])[:16] for i in shown], parse_math=False)
    axes.grid(visible=False, axis="x")


def _legend(axes: "Axes") -> None:
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.99))


def _png(figure: Any) -> bytes:
    """A PNG with a palette: a third of the bytes, and every metadata row carries them."""
    from PIL import Image

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels)).quantize(128)
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
