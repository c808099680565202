"""Plots of what people are asked: why, and how far they are."""

from collections.abc import Mapping, Sequence

import numpy as np

from feedback_assets.reports.plots import (
    BLUE,
    FAINT,
    SAND,
    _dates,
    _figure,
    _names,
    _nothing,
    _png,
)

COLOURS = {"done": BLUE, "open": SAND, "withdrawn": FAINT}


def asked_for(counts: Mapping[str, int], title: str = "Why these rows are asked about") -> bytes:
    """Bars of questions by strategy, the most frequent on top.

    Args:
        counts: strategy to questions.
        title: above the plot.

    Returns:
        A PNG.
    """
    figure, axes = _figure(title, height=1.1 + 0.26 * max(len(counts), 3))
    if not counts:
        return _nothing(figure, axes)
    names = sorted(counts, key=lambda name: (counts[name], name))
    places = np.arange(len(names))
    axes.barh(places, [counts[name] for name in names], color=BLUE, height=0.7)
    for place, name in zip(places, names, strict=True):
        axes.annotate(f" {counts[name]:,}", (counts[name], float(place)), va="center", fontsize=8)
    _names(axes, places, names)
    axes.set_xlabel("questions")
    return _png(figure)


def batches_done(
    days: Sequence[str], counts: Mapping[str, Sequence[int]], title: str = "Questions by day"
) -> bytes:
    """Stacked bars of each batch's questions: answered, open, withdrawn.

    Args:
        days: of n batches (ISO dates), oldest first; month and day are shown.
        counts: `done`, `open` and `withdrawn` to questions of each batch [n].
        title: above the plot.

    Returns:
        A PNG.
    """
    figure, axes = _figure(title)
    if not days:
        return _nothing(figure, axes)
    places, height = np.arange(len(days)), np.zeros(len(days))
    for name, colour in COLOURS.items():
        values = np.asarray(counts[name], dtype=np.float64)
        axes.bar(places, values, bottom=height, color=colour, width=0.85, label=name)
        height += values
    _dates(axes, [day[-5:] for day in days])
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 0.99))
    return _png(figure)
