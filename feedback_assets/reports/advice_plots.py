"""The picture of a replay: what each way of asking would have brought."""

from collections.abc import Mapping, Sequence

import numpy as np

from feedback_assets.reports.plots import (
    BLUE,
    GREEN,
    RED,
    SAND,
    SOFT,
    _figure,
    _legend,
    _nothing,
    _png,
)

_COLOURS = (BLUE, GREEN, SAND, RED, "#6d28a8", "#0e7490", "#9f1239")
_STYLES = ("-", "--", "-.", ":")
_LEFT_OUT = 2
"""Budgets at the beginning by which the height of the picture is not chosen."""


def learning_curves(
    budgets: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    errors: Mapping[str, Sequence[float]],
    loss: str,
    random: str = "random",
    title: str = "What labels would have brought",
) -> bytes:
    """Loss by labels of each way of asking, the first one with its band, as a PNG.

    Args:
        budgets: labels [b].
        curves: way to its mean loss [b]; `random` is drawn grey, its last loss as a line across.
        errors: way to the standard error of its difference from random [b].
        loss: what was measured.
        random: name of the way that asks evenly.
        title: above the plot.
    """
    figure, axes = _figure(title, height=3.6)
    ways = [name for name in curves if name != random]
    if not budgets or not ways:
        return _nothing(figure, axes)
    whole = np.concatenate(
        [np.asarray(curve)[min(_LEFT_OUT, len(curve) - 1) :] for curve in curves.values()]
    )
    first, band = np.asarray(curves[ways[0]]), 2 * np.asarray(errors[ways[0]])
    axes.fill_between(budgets, first - band, first + band, color=BLUE, alpha=0.13, linewidth=0)
    axes.plot(
        budgets, curves[random], color=SOFT, linewidth=2.5, marker="o", markersize=3, label=random
    )
    for i, name in enumerate(ways):
        axes.plot(
            budgets, curves[name], color=_COLOURS[i % len(_COLOURS)], linewidth=2.2 if i == 0 else 1.3,
            linestyle=_STYLES[i // len(_COLOURS) % len(_STYLES)], marker="o", markersize=3, label=name,
        )  # fmt: skip
    axes.axhline(curves[random][-1], color=SOFT, linewidth=1, linestyle="--")
    room = 0.08 * float(whole.max() - whole.min()) or 0.01
    axes.set_ylim(float(whole.min()) - room, float(whole.max()) + room)
    axes.set_xscale("log")
    shown = list(budgets)[:: max(1, len(budgets) // 6)]
    axes.set_xticks(shown, [f"{b:,}" for b in shown])
    axes.minorticks_off()
    axes.set_xlabel("labels")
    axes.set_ylabel(loss)
    _legend(axes)
    return _png(figure)
