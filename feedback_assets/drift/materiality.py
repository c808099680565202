"""How large is a difference, and how large is one that a clean day shows anyway?

Sizes are Kullback-Leibler divergences in nats, told as the shift of a normal distribution of the
same divergence. They are estimated from the log-likelihood ratio G of homogeneity on coarse cells:
G is near a noncentral chi-square with noncentrality 2 n_eff divergence, n_eff = n m / (n + m)
(Wilks 1938; Wald 1943), so (G - degrees) / (2 n_eff) is free of the sample's noise.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bins import ColumnBins, Counts, Floats
from feedback_assets.drift.statistics import g_statistic, gather, psi_cells

EXPECTED = 5.0
"""Rows that a cell must expect in the smaller sample for G to be near chi-square (Cochran 1954)."""
MIN_DAYS = 5
"""Days of the reference from which a margin is learned."""
SURE = 0.999
"""How sure it must be that the reference's days differ at all before a margin is learned."""


@dataclass(frozen=True)
class Difference:
    """What counts say about one part of a column, for each of several groups."""

    g: Floats
    """[groups] log-likelihood ratio of homogeneity."""
    degrees: npt.NDArray[np.int64]
    """[groups] degrees of freedom; 0 if there is nothing to compare."""
    n_eff: Floats
    """[groups] n m / (n + m), rows."""

    @property
    def divergence(self) -> Floats:
        """[groups] unbiased estimate of the divergence in nats; may be a little below 0."""
        known = self.degrees > 0
        rows = np.where(known, self.n_eff, 1.0)
        return np.where(known, (self.g - self.degrees) / (2 * rows), 0.0)


def epsilon_of(sd: float) -> float:
    """Divergence of two normal distributions whose means are `sd` standard deviations apart."""
    return sd**2 / 2


def sd_of(epsilon: float) -> float:
    """The inverse of `epsilon_of`: a divergence as a shift in standard deviations."""
    return math.sqrt(2 * max(epsilon, 0.0))


def value_difference(
    ref: Counts,
    cur: Counts,
    bins: ColumnBins,
    rows: float | None = None,
    cells: Counts | None = None,
) -> Difference:
    """The difference of the values alone, among the rows that have one.

    Cells are the reference's tenths or largest categories; what lies outside stays apart.

    Args:
        ref: [cells] or [groups, cells] of the reference.
        cur: [groups, cells] of the current data.
        bins: Their cells.
        rows: Rows of a usual group: cells are joined until such a group expects enough in each.
        cells: [cells] coarse cell of each, if already known.
    """
    n = bins.values
    ref, cur = np.atleast_2d(ref)[:, :n], np.atleast_2d(cur)[:, :n]
    cells = _value_cells(ref.sum(axis=0), bins) if cells is None else cells[:n]
    if rows is not None:
        cells = _joined(cells, ref.sum(axis=0), bins, rows)
    return _difference(gather(ref, cells), gather(cur, cells))


def presence_difference(ref: Counts, cur: Counts, bins: ColumnBins) -> Difference:
    """The difference in how many rows have a value at all, and in which way the others have none.

    Args:
        ref: [cells] or [groups, cells] of the reference.
        cur: [groups, cells] of the current data.
        bins: Their cells.
    """
    cells = presence_cells(bins)
    return _difference(gather(np.atleast_2d(ref), cells), gather(np.atleast_2d(cur), cells))


def presence_cells(bins: ColumnBins) -> npt.NDArray[np.int64]:
    """0 for a value, a cell of its own for each way of having none: int64 [cells]."""
    return np.maximum(np.arange(bins.size) - bins.values + 1, 0)


def learned_margin(days: Difference, level: float) -> float:
    """What a clean day of its own may diverge from the rest of the reference, in nats.

    Real days are not drawn from one distribution: weekday, weather and season move them. The mean
    and variance of the days' divergences, less what sampling alone gives, make a gamma
    distribution; the margin is its `level` quantile, widened as a prediction from so few days
    must be (Student t with sqrt(1 + 1/days)).

    Args:
        days: One group per day, each against all the other days.
        level: Share of clean days that the margin is to cover, 0 to 1.

    Returns:
        0 for fewer than 5 days, or if sampling alone explains how they differ.
    """
    from scipy.special import chdtri, gammaincinv, ndtri, stdtrit

    used = days.degrees > 0
    n_days = int(used.sum())
    if n_days < MIN_DAYS:
        return 0.0
    if days.g[used].sum() <= chdtri(float(days.degrees[used].sum()), 1 - SURE):
        return 0.0
    found, degrees, n_eff = days.divergence[used], days.degrees[used], days.n_eff[used]
    noise = (2 * degrees + 8 * n_eff * np.maximum(found, 0.0)) / (2 * n_eff) ** 2
    centre = max(float(found.mean()), 0.0)
    variance = float(found.var(ddof=1) - noise.mean())
    if centre <= 0 or variance <= 0:
        return centre
    shape = centre**2 / variance
    top = float(gammaincinv(shape, level)) * variance / centre
    widened = float(stdtrit(n_days - 1, level) / ndtri(level)) * math.sqrt(1 + 1 / n_days)
    return centre + max(top - centre, 0.0) * widened


def _difference(ref: Floats, cur: Floats) -> Difference:
    n, m = ref.sum(axis=1), cur.sum(axis=1)
    both = (n > 0) & (m > 0)
    occupied = np.count_nonzero(ref + cur, axis=1)
    n_eff = n * m / np.maximum(n + m, 1.0)
    g = np.where(both, g_statistic(ref, cur), 0.0)
    return Difference(g, np.where(both, np.maximum(occupied - 1, 0), 0), n_eff)


def _value_cells(ref: Counts, bins: ColumnBins) -> npt.NDArray[np.int64]:
    whole = np.concatenate([ref, np.zeros(bins.size - bins.values, np.int64)])
    return psi_cells(whole, bins)[: bins.values]


def _joined(
    cells: npt.NDArray[np.int64], ref: Counts, bins: ColumnBins, rows: float
) -> npt.NDArray[np.int64]:
    """Coarse cells that expect enough of `rows` rows: neighbours, or the rarest categories."""
    inner = np.ones(bins.values, np.bool_)
    inner[list(bins.outside)] = False
    mass = np.bincount(cells[inner], weights=ref[inner]).astype(np.float64)
    expected = mass * (rows / max(float(ref.sum()), 1.0))
    order = np.arange(len(mass)) if bins.ordered else np.argsort(-expected, kind="stable")
    group = np.zeros(len(mass), np.int64)
    number, held = 0, 0.0
    for k in order:
        group[k] = number
        held += expected[k]
        if held >= EXPECTED:
            number, held = number + 1, 0.0
    group = np.minimum(group, max(number - 1, 0))
    joined = np.zeros(bins.values, np.int64)
    joined[inner] = group[cells[inner]]
    joined[list(bins.outside)] = np.arange(len(bins.outside)) + max(number, 1)
    return joined
