"""Drift statistics on counts: each says which of its textbook forms it is.

Two count arrays `ref` and `cur` of the same cells, of any integer or float dtype, shape
[..., cells]; leading axes (days, slices) broadcast and are kept. Where a side has no rows a
statistic is NaN: not known, never zero.
"""

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bins import NOT_FINITE, PRESENCE, ColumnBins, Counts, Floats

PSI_BINS = 10
"""Cells for the PSI: the tenths for which its 0.1 and 0.25 rules of thumb were made."""
PSI_CATEGORIES = 20
"""Categories with a cell of their own in the PSI: it grows by (cells - 1) / rows from noise."""


def shares(counts: npt.ArrayLike) -> Floats:
    """Counts as shares of their sum over the last axis; NaN if there are none."""
    numbers = np.asarray(counts, np.float64)
    total = numbers.sum(axis=-1, keepdims=True)
    return np.where(total > 0, numbers / np.where(total > 0, total, 1.0), np.nan)


def psi(ref: npt.ArrayLike, cur: npt.ArrayLike, floor: float | None = None) -> Floats:
    """Population stability index, sum of (p - q) ln(p / q) (natural logarithm; Siddiqi 2006).

    Equal to the symmetric Kullback-Leibler (Jeffreys) divergence. A cell empty on one side is
    given half a row there (Jeffreys' prior), or the share `floor`; empty on both it counts 0.

    >>> round(float(psi([50, 50], [80, 20])), 4)
    0.4159
    """
    a, b = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    q, p = (_filled(side, floor) for side in (a, b))
    terms = np.where((a > 0) | (b > 0), (p - q) * np.log(p / q), 0.0)
    return _known(terms.sum(axis=-1), a, b)


def ks(ref: npt.ArrayLike, cur: npt.ArrayLike) -> Floats:
    """Two-sample Kolmogorov-Smirnov distance over ordered cells, 0 to 1.

    The largest difference of the two distribution functions at the cells' edges. It equals the
    distance of the raw values when every value has its own cell, else it is at most one cell's
    mass below it.

    >>> float(ks([1, 1, 0], [0, 1, 1]))
    0.5
    """
    difference = np.cumsum(shares(cur) - shares(ref), axis=-1)
    return np.asarray(np.abs(difference).max(axis=-1, initial=0.0))[()]


def js_distance(ref: npt.ArrayLike, cur: npt.ArrayLike) -> Floats:
    """Jensen-Shannon distance: square root of the divergence in bits (base 2), 0 to 1.

    Lin 1991, IEEE Trans. Inf. Theory 37; the form of `scipy.spatial.distance.jensenshannon(base=2)`.

    >>> float(js_distance([1, 0], [0, 1]))
    1.0
    """
    q, p = shares(ref), shares(cur)
    middle = (p + q) / 2
    bits = (_entropy_terms(p, middle) + _entropy_terms(q, middle)) / (2 * np.log(2))
    return np.sqrt(np.clip(bits, 0.0, 1.0))


def hellinger(ref: npt.ArrayLike, cur: npt.ArrayLike) -> Floats:
    """Hellinger distance, 0 to 1: the root of half the sum of (sqrt(p) - sqrt(q))^2.

    The normed form (Hellinger 1909; Le Cam's factor one half), no cell filled up.

    >>> float(hellinger([1, 0], [0, 1]))
    1.0
    """
    gaps = np.sqrt(shares(cur)) - np.sqrt(shares(ref))
    return np.sqrt(np.minimum((gaps**2).sum(axis=-1) / 2, 1.0))


def g_statistic(ref: npt.ArrayLike, cur: npt.ArrayLike) -> Floats:
    """Log-likelihood ratio of homogeneity of a 2 x cells table, uncorrected.

    Twice the sum of O ln(O / E) (Wilks 1938); about chi-square with (occupied cells - 1) degrees.

    >>> float(g_statistic([10, 10], [10, 10]))
    0.0
    """
    a, b, pooled, n, m = _table(ref, cur)
    g = 2 * (_entropy_terms(a, pooled * n) + _entropy_terms(b, pooled * m))
    return _known(np.maximum(g, 0.0), a, b)


def chi2_statistic(ref: npt.ArrayLike, cur: npt.ArrayLike) -> Floats:
    """Pearson's chi-square of homogeneity of a 2 x cells table, without Yates' correction."""
    a, b, pooled, n, m = _table(ref, cur)
    used = pooled > 0
    safe = np.where(used, pooled, 1.0)
    gaps = (a - n * pooled) ** 2 / np.maximum(n, 1.0) + (b - m * pooled) ** 2 / np.maximum(m, 1.0)
    return _known(np.where(used, gaps / safe, 0.0).sum(axis=-1), a, b)


def chi2_goodness_p(ref: npt.ArrayLike, cur: npt.ArrayLike) -> float:
    """p-value of the current counts under the reference's shares taken as exact.

    Pearson's goodness-of-fit form, blind to the reference's own uncertainty: shown for comparison
    with tools that use it; the verdict does not. 0 when a cell is occupied that the reference
    never had.
    """
    from scipy.special import chdtrc

    a, b = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    if a.sum() <= 0 or b.sum() <= 0:
        return float("nan")
    if ((a == 0) & (b > 0)).any():
        return 0.0
    expected = a[a > 0] * b.sum() / a.sum()
    if len(expected) < 2:
        return 1.0
    return float(chdtrc(len(expected) - 1, ((b[a > 0] - expected) ** 2 / expected).sum()))


def wasserstein_normed(
    ref: npt.ArrayLike, ref_sums: npt.ArrayLike, cur: npt.ArrayLike, cur_sums: npt.ArrayLike
) -> Floats:
    """First Wasserstein (earth mover's) distance in reference standard deviations.

    Each cell stands at the mean of its values, so the difference of the means is kept exactly and
    the rest within a bin's width. NaN if the reference does not vary.

    Args:
        ref: [..., cells] counts of the value cells.
        ref_sums: [..., cells] sum of the values in each.
        cur: As `ref`.
        cur_sums: As `ref_sums`.
    """
    sides = [np.asarray(side, np.float64) for side in (ref, ref_sums, cur, cur_sums)]
    a, a_sums, b, b_sums = np.broadcast_arrays(*sides)
    weight = np.concatenate([-shares(a), shares(b)], axis=-1)
    n = np.concatenate([a, b], axis=-1)
    at = np.concatenate([a_sums, b_sums], axis=-1) / np.maximum(n, 1.0)
    order = np.argsort(at, axis=-1, kind="stable")
    at, weight = (np.take_along_axis(side, order, axis=-1) for side in (at, weight))
    gap = np.cumsum(weight, axis=-1)[..., :-1]
    sd = spread(sides[0], sides[1])
    moved = np.sum(np.abs(gap) * np.diff(at, axis=-1), axis=-1)
    return np.where(sd > 0, moved / np.where(sd > 0, sd, 1.0), np.nan)[()]


def mean(counts: npt.ArrayLike, sums: npt.ArrayLike) -> Floats:
    """Mean of the values; NaN if there are none."""
    n = np.asarray(counts, np.float64).sum(axis=-1)
    total = np.asarray(sums, np.float64).sum(axis=-1)
    return np.where(n > 0, total / np.maximum(n, 1.0), np.nan)[()]


def spread(counts: npt.ArrayLike, sums: npt.ArrayLike) -> Floats:
    """Standard deviation of the cell means: a little below that of the values."""
    n, total = np.asarray(counts, np.float64), np.asarray(sums, np.float64)
    rows = n.sum(axis=-1)
    centre = np.expand_dims(total.sum(axis=-1) / np.maximum(rows, 1.0), -1)
    gaps = np.where(n > 0, total / np.maximum(n, 1.0) - centre, 0.0)
    variance = (n * gaps**2).sum(axis=-1) / np.maximum(rows, 1.0)
    return np.where(rows > 0, np.sqrt(variance), np.nan)[()]


def null_share(counts: Counts, bins: ColumnBins) -> Floats:
    """Share of rows that hold no value (null, or not a finite number), of all rows."""
    cells = [bins.null]
    if NOT_FINITE in PRESENCE[bins.kind]:
        cells.append(bins.null + 1)
    return shares(counts)[..., cells].sum(axis=-1)


def outside_share(counts: Counts, bins: ColumnBins) -> Floats:
    """Share of the values that lie outside the reference: out of range, or unseen categories."""
    return shares(counts[..., : bins.values])[..., list(bins.outside)].sum(axis=-1)


def psi_cells(ref: Counts, bins: ColumnBins) -> npt.NDArray[np.int64]:
    """To which coarse cell each cell belongs, by the reference alone: int64 [cells].

    Tenths of the reference, or its 20 largest categories and the rest; what lies outside the
    reference and every way of having no value keep cells of their own.
    """
    inner = np.array(ref[: bins.values], np.float64)
    inner[list(bins.outside)] = 0
    if bins.ordered:
        middle = np.cumsum(inner) - inner / 2
        coarse = np.floor(PSI_BINS * middle / max(inner.sum(), 1.0)).astype(np.int64)
        coarse = np.clip(coarse, 0, PSI_BINS - 1)
        cells = PSI_BINS
    else:
        rank = np.argsort(np.argsort(-inner, kind="stable"), kind="stable")
        coarse = np.minimum(rank, PSI_CATEGORIES)
        cells = PSI_CATEGORIES + 1
    apart = [*bins.outside, *range(bins.values, bins.size)]
    whole = np.concatenate([coarse, np.zeros(bins.size - bins.values, np.int64)])
    whole[apart] = np.arange(cells, cells + len(apart))
    return whole


def gather(counts: npt.ArrayLike, cells: npt.NDArray[np.int64]) -> Floats:
    """Counts summed by coarse cell, over the last axis."""
    fine = np.asarray(counts, np.float64)
    return fine @ np.equal.outer(cells, np.arange(cells.max() + 1)).astype(np.float64)


def _filled(side: Floats, floor: float | None) -> Floats:
    """Shares with something where there is nothing."""
    total = np.maximum(side.sum(axis=-1, keepdims=True), 1.0)
    return np.where(side > 0, side / total, 0.5 / total if floor is None else floor)


def _table(ref: npt.ArrayLike, cur: npt.ArrayLike) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Both sides, the pooled shares, and the rows of each side (last axis kept)."""
    a, b = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    n, m = a.sum(axis=-1, keepdims=True), b.sum(axis=-1, keepdims=True)
    return a, b, (a + b) / np.maximum(n + m, 1.0), n, m


def _known(value: Floats, a: Floats, b: Floats) -> Floats:
    """NaN where a side has no rows."""
    return np.where((a.sum(axis=-1) > 0) & (b.sum(axis=-1) > 0), value, np.nan)[()]


def _entropy_terms(observed: Floats, expected: Floats) -> Floats:
    used = observed > 0
    ratio = np.where(used, observed, 1.0) / np.where(used, expected, 1.0)
    return np.where(np.isnan(observed), np.nan, np.where(used, observed, 0.0) * np.log(ratio)).sum(
        axis=-1
    )
