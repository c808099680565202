"""What changed in a column, in one plain sentence with numbers."""

import math

import numpy as np

from feedback_assets.drift.bins import UNSEEN, ColumnBins, Counts, Floats
from feedback_assets.drift.profile import ReferenceColumn
from feedback_assets.drift.statistics import mean, shares, spread

TELLING_SHIFT = 0.1
"""A mean is said to have moved from this many standard deviations; else the cell that did is."""


def share(value: float) -> str:
    """A share as a percentage with two figures, as in "2.4%" and "31%"."""
    percent = 100 * value
    if percent == 0 or percent >= 9.95:
        return f"{percent:.0f}%"
    return f"{percent:.1f}%" if percent >= 0.095 else f"{percent:.1g}%"


def e_value(log_e: float) -> str:
    """An e-value from its logarithm: "3e+05", "40", "0.2"."""
    if not math.isfinite(log_e):
        return "not known"
    value = math.exp(min(log_e, 700.0))
    return f"{value:.0e}" if value >= 1000 else f"{value:.2g}"


def presence_change(reference: ReferenceColumn, counts: Counts) -> str:
    """The way of having no value whose share moved most: "null from 1.0% to 5.2%"."""
    before, after = shares(reference.counts), shares(counts)
    first = reference.bins.values
    cell = first + int(np.argmax(np.abs(after - before)[first:]))
    return f"{reference.bins.label(cell)} from {share(before[cell])} to {share(after[cell])}"


def value_change(reference: ReferenceColumn, counts: Counts, sums: Floats) -> str:
    """How the values moved: their mean, else their spread, else the cell that moved most."""
    bins, n = reference.bins, reference.bins.values
    if not (reference.counts[:n].any() and counts[:n].any()):
        return "the reference has no values to compare with"
    parts = []
    if bins.ordered:
        parts.append(_moments(reference, counts[:n], sums[:n]))
    parts.append(_outside(reference, counts))
    said = [p for p in parts if p]
    return ", ".join(said) if said else _cell(reference, counts)


def _moments(reference: ReferenceColumn, counts: Counts, sums: Floats) -> str:
    """How the mean or the spread moved; empty if neither did by much."""
    n = reference.bins.values
    before, width = reference.counts[:n], reference.sums[:n]
    sd = spread(before, width)
    what = "mean length" if reference.bins.kind == "text" else "mean"
    old, new = mean(before, width), mean(counts, sums)
    if not sd > 0:
        return f"{what} from {old:.4g}, where it was constant, to {new:.4g}" if old != new else ""
    shift = (new - old) / sd
    if abs(shift) >= TELLING_SHIFT:
        way = "higher" if shift > 0 else "lower"
        return f"{what} {abs(shift):.2g} sd {way}, {old:.4g} to {new:.4g}"
    ratio = spread(counts, sums) / sd
    if ratio > 1 + TELLING_SHIFT or ratio < 1 - TELLING_SHIFT:
        return f"spread {ratio:.2g} times as wide"
    return ""


def _outside(reference: ReferenceColumn, counts: Counts) -> str:
    """The share outside the reference, where it grew by more than a hundredth."""
    n, cells = reference.bins.values, list(reference.bins.outside)
    before, after = (float(shares(c[:n])[cells].sum()) for c in (reference.counts, counts))
    if after - before < 0.01:
        return ""
    if reference.bins.ordered:
        return f"{share(after)} outside the reference's range"
    return f"{UNSEEN} from {share(before)} to {share(after)}"


def _cell(reference: ReferenceColumn, counts: Counts) -> str:
    """The cell that adds most to the divergence; for ordered columns a tenth of the reference."""
    bins, n = reference.bins, reference.bins.values
    before, after = shares(reference.counts[:n]), shares(counts[:n])
    if not bins.ordered:
        floor = 0.5 / max(reference.rows, 1)
        pull = (after - before) * np.log((after + floor) / (before + floor))
        cell = int(np.argmax(pull))
        name = f"category {bins.label(cell)}" if cell < n - 2 else bins.label(cell)
        return f"{name} from {share(before[cell])} to {share(after[cell])}"
    return _stretch(bins, before, after)


def _stretch(bins: ColumnBins, before: Floats, after: Floats) -> str:
    """The stretch of values whose share grew most (the largest sum of neighbouring gains)."""
    gains = np.cumsum(np.concatenate([[0.0], after - before]))
    lows = np.minimum.accumulate(gains)
    end = int(np.argmax(gains - lows))
    start = int(np.argmin(gains[: end + 1]))
    if end <= start:
        return "no cell moved"
    low, high = bins.label(start), bins.label(end - 1)
    where = low if end - start == 1 else f"{low.split(' to ')[0]} to {high.split(' to ')[-1]}"
    old, new = before[start:end].sum(), after[start:end].sum()
    return f"values {where} from {share(old)} to {share(new)}"
