"""Plots of how people answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from feedback_assets.reports.plots import BLUE, FAINT, SOFT, _figure, _names, _nothing, _png

SHOWN = 20


def agreement_bars(people: Sequence[Mapping[str, Any]], title: str = "Agreement") -> bytes:
    """Share of others' answers that each person shares, with intervals, as a PNG.

    Args:
        people: each with `annotator`, `answers`, `agreement`, `agreement_low`, `agreement_high`
            (None where nobody answered the same); those with the most answers are shown.
        title: above the plot.
    """
    known = [row for row in people if row.get("agreement") is not None][:SHOWN]
    figure, axes = _figure(title, height=1.2 + 0.3 * max(len(known), 3))
    if not known:
        return _nothing(figure, axes)
    places = np.arange(len(known))[::-1]
    for place, row in zip(places, known, strict=True):
        axes.plot([0, 1], [place, place], color=FAINT, linewidth=1)
        ends = [row["agreement_low"], row["agreement_high"]]
        axes.plot(ends, [place, place], color=SOFT, linewidth=2)
        axes.plot(row["agreement"], place, "o", color=BLUE, markersize=5)
    _names(axes, places, [f"{row['annotator']} ({row['answers']:,})" for row in known])
    axes.set_xlim(0, 1.02)
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.set_xlabel("share of the others who said the same")
    return _png(figure)
