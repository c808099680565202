"""Exact intervals of a share (Clopper & Pearson 1934)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def share_interval(
    right: npt.ArrayLike, rows: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Lower and upper ends of two-sided intervals; 0 and 1 where there are no rows.

    >>> low, high = share_interval([9], [10])
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.555, 0.9975)
    """
    tail = (1 - confidence) / 2
    k, n = np.atleast_1d(np.asarray(right, np.float64)), np.atleast_1d(np.asarray(rows, np.float64))
    return at_least(k, n, 1 - tail), 1 - at_least(n - k, n, 1 - tail)


def at_least(right: npt.ArrayLike, rows: npt.ArrayLike, confidence: float) -> Floats:
    """One-sided lower bounds of shares: with this confidence the share is larger."""
    from scipy.special import betaincinv

    k, n = np.atleast_1d(np.asarray(right, np.float64)), np.atleast_1d(np.asarray(rows, np.float64))
    some = k > 0
    found = betaincinv(np.where(some, k, 1), np.where(some, n - k + 1, 1), 1 - confidence)
    return np.where(some, found, 0.0)
