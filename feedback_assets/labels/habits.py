"""Whether somebody's way of answering changed, and when (CUSUM; Ploberger & Krämer 1992).

Of a series in order of time, each value less the mean is summed up. Without a change the sum wanders
like a Brownian bridge, whose largest distance from zero has Kolmogorov's distribution; a change bends
it, and the bend is where the change was. No moment has to be named before.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """The likeliest change of a series."""

    chance: float
    """Chance that a series without any change looks changed like this (p-value); 1 if nothing varies."""
    at: int
    """Values before the change."""
    before: float
    """Mean of the values before it."""
    after: float
    """Mean of the values after it."""


def change(series: Floats, least: int = 12) -> Change:
    """The likeliest single change in a series' mean.

    Args:
        series: Values in order of time [n], none missing.
        least: Values that must be on each side; with fewer than four times as many nothing is said.

    >>> found = change(np.r_[np.tile([0.0, 1.0], 50), np.ones(40)])
    >>> found.at, round(found.before, 2), round(found.after, 2), found.chance < 0.01
    (99, 0.49, 1.0, True)
    """
    from scipy.special import kolmogorov

    n = len(series)
    mean = float(series.mean()) if n else 0.0
    # Equal values differ from their mean in the last digit, which is no spread.
    if n < 4 * least or np.ptp(series) <= 1e-9 * max(1.0, abs(mean)):
        return Change(1.0, n, mean, mean)
    bridge = np.cumsum(series - mean)
    inside = np.abs(bridge[least - 1 : n - least])
    at = least + int(inside.argmax())
    before, after = float(series[:at].mean()), float(series[at:].mean())
    # Spread around the two means: around one mean a large change would hide itself.
    rest = series - np.where(np.arange(n) < at, before, after)
    spread = float(np.sqrt((rest**2).sum() / (n - 2)))
    spread = max(spread, _least_spread(series, n))
    chance = float(kolmogorov(float(inside.max()) / (spread * np.sqrt(n))))
    return Change(chance, at, before, after)


def _least_spread(series: Floats, n: int) -> float:
    """What one more value of another kind would add: a side without any spread is not known so well."""
    return float(np.ptp(series)) * float(np.sqrt(1 / n * (1 - 1 / n)))
