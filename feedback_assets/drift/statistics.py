"""Drift statistics on counts: each says which of its textbook forms it is.

Two count vectors `ref` and `cur` of the same cells, of any integer or float dtype, shape [cells].
Where a side has no rows a statistic is NaN: not known, never zero.
"""

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bins import NOT_FINITE, PRESENCE, ColumnBins, Counts, Floats

PSI_BINS = 10
"""Cells for the PSI: the tenths for which its 0.1 and 0.25 rules of thumb were made."""
PSI_CATEGORIES = 20
"""Categories with a cell of their own in the PSI: it grows by (cells - 1) / rows from noise."""


def shares(counts: npt.ArrayLike) -> Floats:
    """Counts as shares of their sum; NaN if there are none."""
    numbers = np.asarray(counts, np.float64)
    total = numbers.sum()
    return numbers / total if total > 0 else np.full(numbers.shape, np.nan)


def psi(ref: npt.ArrayLike, cur: npt.ArrayLike, floor: float | None = None) -> float:
    """Population stability index, sum of (p - q) ln(p / q) (natural logarithm; Siddiqi 2006).

    Equal to the symmetric Kullback-Leibler (Jeffreys) divergence. A cell empty on one side is
    given half a row there (Jeffreys' prior), or the share `floor`; empty on both it counts 0.

    >>> round(psi([50, 50], [80, 20]), 4)
    0.4159
    """
    a, b = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    if a.sum() <= 0 or b.sum() <= 0:
        return float("nan")
    used = (a > 0) | (b > 0)
    q, p = (
        np.where(side > 0, side / side.sum(), 0.5 / side.sum() if floor is None else floor)[used]
        for side in (a, b)
    )
    return float(np.sum((p - q) * np.log(p / q)))


def ks(ref: npt.ArrayLike, cur: npt.ArrayLike) -> float:
    """Two-sample Kolmogorov-Smirnov distance over ordered cells, 0 to 1.

    The largest difference of the two distribution functions at the cells' edges. It equals the
    distance of the raw values when every value has its own cell, else it is at most one cell's
    mass below it.

    >>> ks([1, 1, 0], [0, 1, 1])
    0.5
    """
    difference = np.cumsum(shares(cur)) - np.cumsum(shares(ref))
    return float(np.abs(difference).max()) if difference.size else float("nan")


def js_distance(ref: npt.ArrayLike, cur: npt.ArrayLike) -> float:
    """Jensen-Shannon distance: square root of the divergence in bits (base 2), 0 to 1.

    Lin 1991, IEEE Trans. Inf. Theory 37; the form of `scipy.spatial.distance.jensenshannon(base=2)`.

    >>> js_distance([1, 0], [0, 1])
    1.0
    """
    q, p = shares(ref), shares(cur)
    if np.isnan(q).any() or np.isnan(p).any():
        return float("nan")
    middle = (p + q) / 2
    bits = (_entropy_terms(p, middle) + _entropy_terms(q, middle)) / (2 * np.log(2))
    return float(np.sqrt(min(max(bits, 0.0), 1.0)))


def g_statistic(ref: npt.ArrayLike, cur: npt.ArrayLike) -> float:
    """Log-likelihood ratio of homogeneity of a 2 x cells table, uncorrected.

    Twice the sum of O ln(O / E) (Wilks 1938); about chi-square with (occupied cells - 1) degrees.

    >>> g_statistic([10, 10], [10, 10])
    0.0
    """
    a, b = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    n, m = a.sum(), b.sum()
    if n <= 0 or m <= 0:
        return float("nan")
    pooled = (a + b) / (n + m)
    return max(0.0, 2 * (_entropy_terms(a, pooled * n) + _entropy_terms(b, pooled * m)))


def chi2_statistic(ref: npt.ArrayLike, cur: npt.ArrayLike) -> float:
    """Pearson's chi-square of homogeneity of a 2 x cells table, without Yates' correction."""
    a, b = np.asarray(ref, np.float64), np.asarray(cur, np.float64)
    n, m = a.sum(), b.sum()
    if n <= 0 or m <= 0:
        return float("nan")
    pooled = (a + b)[(a + b) > 0] / (n + m)
    gaps = ((side[(a + b) > 0], side.sum() * pooled) for side in (a, b))
    return float(sum(((o - e) ** 2 / e).sum() for o, e in gaps))


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
) -> float:
    """First Wasserstein (earth mover's) distance in reference standard deviations.

    Each cell stands at the mean of its values, so the difference of the means is kept exactly and
    the rest within a bin's width. NaN if the reference does not vary.

    Args:
        ref: [cells] counts of the value cells.
        ref_sums: [cells] sum of the values in each.
        cur: As `ref`.
        cur_sums: As `ref_sums`.
    """
    weights, atoms = [], []
    for counts, sums, sign in ((ref, ref_sums, -1.0), (cur, cur_sums, 1.0)):
        n = np.asarray(counts, np.float64)
        weights.append(sign * shares(n)[n > 0])
        atoms.append(np.asarray(sums, np.float64)[n > 0] / n[n > 0])
    sd = spread(ref, ref_sums)
    if not (len(weights[0]) and len(weights[1]) and sd > 0):
        return float("nan")
    at, weight = np.concatenate(atoms), np.concatenate(weights)
    order = np.argsort(at, kind="stable")
    gap = np.cumsum(weight[order])[:-1]
    return float(np.sum(np.abs(gap) * np.diff(at[order])) / sd)


def mean(counts: npt.ArrayLike, sums: npt.ArrayLike) -> float:
    """Mean of the values; NaN if there are none."""
    n = np.asarray(counts, np.float64).sum()
    return float(np.asarray(sums, np.float64).sum() / n) if n > 0 else float("nan")


def spread(counts: npt.ArrayLike, sums: npt.ArrayLike) -> float:
    """Standard deviation of the cell means: a little below that of the values."""
    n, total = np.asarray(counts, np.float64), np.asarray(sums, np.float64)
    if n.sum() <= 0:
        return float("nan")
    used = n > 0
    gaps = total[used] / n[used] - total.sum() / n.sum()
    return float(np.sqrt((n[used] * gaps**2).sum() / n.sum()))


def null_share(counts: Counts, bins: ColumnBins) -> float:
    """Share of rows that hold no value (null, or not a finite number), of all rows."""
    cells = [bins.null]
    if NOT_FINITE in PRESENCE[bins.kind]:
        cells.append(bins.null + 1)
    return float(shares(counts)[cells].sum())


def outside_share(counts: Counts, bins: ColumnBins) -> float:
    """Share of the values that lie outside the reference: out of range, or unseen categories."""
    return float(shares(counts[: bins.values])[list(bins.outside)].sum())


def psi_cells(ref: Counts, bins: ColumnBins) -> npt.NDArray[np.int64]:
    """To which coarse cell each cell belongs, by the reference alone: int64 [cells].

    Tenths of the reference, or its 20 largest categories and the rest; what lies outside the
    reference and every way of having no value keep cells of their own.
    """
    inner = np.asarray(ref[: bins.values], np.float64)
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
    """Counts summed by coarse cell."""
    return np.bincount(cells, weights=np.asarray(counts, np.float64)).astype(np.float64, copy=False)


def _entropy_terms(observed: Floats, expected: Floats) -> float:
    used = observed > 0
    return float(np.sum(observed[used] * np.log(observed[used] / expected[used])))
