"""Is a difference real, and is it large enough to matter?

The null hypothesis is not "nothing changed", which is never true of real traffic and which enough
rows always refute, but "the divergence of the current from the reference is at most epsilon".
With G the log-likelihood ratio of homogeneity on coarse cells and n_eff = n m / (n + m), a
divergence epsilon (Kullback-Leibler, nats) puts G near a noncentral chi-square with noncentrality
2 n_eff epsilon (Wilks 1938; Wald 1943 for the local alternatives), so the p-value is its upper
tail there, the least favourable point of the null.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bins import ColumnBins, Counts
from feedback_assets.drift.statistics import g_statistic, gather

COARSE = 10
"""Cells of an ordered column in the test: more cells spread the evidence of a shift thin."""
EXPECTED = 5.0
"""Rows that a cell must expect in the smaller sample for G to be near chi-square (Cochran 1954)."""
EXPECTED_OUTSIDE = 1.0
"""The same for the cells outside the reference (Cochran lets a fifth of the cells go so low)."""
EXACT_UP_TO = 1e5
"""Noncentrality up to which the tail is computed exactly; beyond, it takes milliseconds."""
MIN_DAYS = 5
"""Days of the reference from which a margin is learned."""


@dataclass(frozen=True)
class Evidence:
    """What the counts say about one part of a column."""

    g: float
    """Log-likelihood ratio of homogeneity."""
    degrees: int
    """Degrees of freedom; 0 if there is nothing to compare."""
    n_eff: float
    """n m / (n + m), rows."""

    @property
    def divergence(self) -> float:
        """Unbiased estimate of the divergence in nats; may be a little below 0."""
        return (self.g - self.degrees) / (2 * self.n_eff) if self.degrees else 0.0

    def p_value(self, epsilon: float = 0.0) -> float:
        """Probability of so large a G when the divergence is at most `epsilon` nats."""
        if not self.degrees:
            return 1.0
        return noncentral_tail(self.g, self.degrees, 2 * self.n_eff * epsilon)


def epsilon_of(sd: float) -> float:
    """Divergence of two normal distributions whose means are `sd` standard deviations apart."""
    return sd**2 / 2


def sd_of(epsilon: float) -> float:
    """The inverse of `epsilon_of`: a divergence as a shift in standard deviations."""
    return math.sqrt(2 * max(epsilon, 0.0))


def noncentral_tail(x: float, degrees: int, noncentrality: float) -> float:
    """Upper tail of the noncentral chi-square, finite for any arguments.

    Where the exact routine gives up (far tails) or gets slow, Sankaran's (1963, Biometrika 50)
    normal approximation stands in.
    """
    from scipy.special import chdtrc, ndtr
    from scipy.stats import ncx2

    if noncentrality <= 0:
        return float(chdtrc(degrees, x))
    if noncentrality <= EXACT_UP_TO:
        try:
            with np.errstate(all="ignore"):
                exact = float(ncx2.sf(x, degrees, noncentrality))
        except OverflowError:
            exact = math.nan
        if 0 < exact <= 1:
            return exact
    both, twice = degrees + noncentrality, degrees + 2 * noncentrality
    h = 1 - 2 * both * (degrees + 3 * noncentrality) / (3 * twice**2)
    p, m = twice / both**2, (h - 1) * (1 - 3 * h)
    centre = 1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p)
    width = h * math.sqrt(2 * p) * (1 + 0.5 * m * p)
    return float(ndtr((centre - (x / both) ** h) / width))


def value_evidence(ref: Counts, cur: Counts, bins: ColumnBins) -> Evidence:
    """Evidence on the values alone, among the rows that have one.

    Args:
        ref: [cells] of the reference.
        cur: [cells] of the current data.
        bins: Their cells.
    """
    ref, cur = ref[: bins.values], cur[: bins.values]
    expected = _expected(ref, cur)
    if bins.ordered:
        return _evidence(ref, cur, _neighbours(expected))
    return _evidence(ref, cur, _by_size(expected, bins))


def presence_evidence(ref: Counts, cur: Counts, bins: ColumnBins) -> Evidence:
    """Evidence on how many rows have a value at all, and in which way the others have none."""
    sides = [np.concatenate([[c[: bins.values].sum()], c[bins.values :]]) for c in (ref, cur)]
    order = np.argsort(-(sides[0] + sides[1])[1:], kind="stable") + 1
    order = np.concatenate([[0], order])
    expected = _expected(sides[0], sides[1])[order]
    cells = np.arange(len(order))
    for i in range(len(order) - 1, 1, -1):
        if expected[cells == i].sum() < EXPECTED_OUTSIDE:
            cells[cells == i] = i - 1
    return _evidence(sides[0][order], sides[1][order], cells)


def learned_margin(estimates: list[Evidence], level: float) -> float:
    """What a clean day of its own may diverge from the rest of the reference, in nats.

    Real days are not drawn from one distribution: weekday, weather and season move them. The mean
    and variance of the days' divergences, less what sampling alone gives, make a gamma
    distribution; the margin is its `level` quantile, widened as a prediction from so few days
    must be (Student t with sqrt(1 + 1/days)).

    Args:
        estimates: One per day, each against all the other days.
        level: Share of clean days that the margin is to cover, 0 to 1.

    Returns:
        0 for fewer than 5 days.
    """
    from scipy.special import gammaincinv, ndtri, stdtrit

    used = [e for e in estimates if e.degrees]
    if len(used) < MIN_DAYS:
        return 0.0
    found = np.array([e.divergence for e in used])
    noise = [
        (2 * e.degrees + 8 * e.n_eff * max(e.divergence, 0.0)) / (2 * e.n_eff) ** 2 for e in used
    ]
    centre = max(float(found.mean()), 0.0)
    variance = float(found.var(ddof=1) - np.mean(noise))
    if centre <= 0 or variance <= 0:
        return centre
    shape = centre**2 / variance
    top = float(gammaincinv(shape, level)) * variance / centre
    widened = float(stdtrit(len(used) - 1, level) / ndtri(level)) * math.sqrt(1 + 1 / len(used))
    return centre + max(top - centre, 0.0) * widened


def _evidence(ref: Counts, cur: Counts, cells: npt.NDArray[np.int64]) -> Evidence:
    n, m = float(ref.sum()), float(cur.sum())
    if n <= 0 or m <= 0:
        return Evidence(0.0, 0, 0.0)
    a, b = gather(ref, cells), gather(cur, cells)
    occupied = int(np.count_nonzero(a + b))
    return Evidence(g_statistic(a, b), occupied - 1, n * m / (n + m))


def _expected(ref: Counts, cur: Counts) -> npt.NDArray[np.float64]:
    """Rows expected in the smaller sample if both came from one distribution."""
    n, m = float(ref.sum()), float(cur.sum())
    pooled = (ref + cur).astype(np.float64)
    return pooled * (min(n, m) / (n + m)) if n + m > 0 else pooled


def _neighbours(expected: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Neighbouring cells joined until each group expects enough; the outermost two stay apart."""
    last = len(expected) - 1
    low = int(expected[0] >= EXPECTED_OUTSIDE)
    high = last if expected[last] >= EXPECTED_OUTSIDE else last + 1
    tenth = expected[low:high].sum() / COARSE
    cells, group, held, seen, mark = np.zeros(last + 1, np.int64), low, 0.0, 0.0, tenth
    for i in range(low, high):
        cells[i] = group
        held += expected[i]
        seen += expected[i]
        if held >= EXPECTED and seen >= mark * (1 - 1e-9):
            group, held = group + 1, 0.0
            mark = tenth * (seen // (tenth * (1 - 1e-9)) + 1)
    if held and group > low:
        cells[low:high][cells[low:high] == group] = group - 1
    cells[high:] = group + 1
    return np.unique(cells, return_inverse=True)[1]


def _by_size(expected: npt.NDArray[np.float64], bins: ColumnBins) -> npt.NDArray[np.int64]:
    """Categories that expect enough stand alone, the rest together."""
    alone = expected >= EXPECTED
    alone[bins.outside[0]] = expected[bins.outside[0]] >= EXPECTED_OUTSIDE
    rest = ~alone
    if 0 < expected[rest].sum() < EXPECTED and alone.any():
        smallest = np.flatnonzero(alone)[np.argmin(expected[alone])]
        rest[smallest] = True
    cells = np.zeros(len(expected), np.int64)
    cells[~rest] = np.arange(1, int((~rest).sum()) + 1)
    return cells
