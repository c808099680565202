"""How many labels a way of asking needs to be as good as random labels, and how sure that is."""

import math
from dataclasses import dataclass

import numpy as np

from feedback_assets.querying.candidates import Floats, Ints
from feedback_assets.querying.replay import Curve

DRAWS = 500
LEVEL = 0.9


@dataclass(frozen=True)
class Needed:
    """Labels that reach the loss of `random` random ones."""

    name: str
    labels: float
    """Infinite where all were not enough."""
    low: float
    high: float
    """Where it lies, 90 times of 100: the replays drawn again (bootstrap over replays)."""
    random: int
    worse: float
    """Mean loss above random's over all budgets, in its standard errors: 2 is more than noise."""

    @property
    def share(self) -> float:
        """Of the random labels."""
        return self.labels / self.random


def needed(curve: Curve, random: Curve, at: int = -1) -> Needed:
    """Labels a way of asking needs for the loss that `random` has at its budget number `at`."""
    target = float(falling(random.mean)[at])
    rng, seeds = np.random.default_rng(0), len(curve.losses)
    draws = []
    for _ in range(DRAWS):
        rows = rng.integers(seeds, size=seeds)
        aim = float(falling(random.losses[rows].mean(axis=0))[at])
        draws.append(crossing(curve.budgets, curve.losses[rows].mean(axis=0), aim))
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], method="nearest")
    apart = (curve.losses - random.losses)[:, 1:].mean(axis=1)
    error = float(apart.std(ddof=1)) / math.sqrt(seeds) if seeds > 1 else math.nan
    worse = float(apart.mean()) / error if error else 0.0
    labels = crossing(curve.budgets, curve.mean, target)
    return Needed(curve.name, labels, float(low), float(high), int(random.budgets[at]), worse)


def crossing(budgets: Ints, losses: Floats, target: float) -> float:
    """Labels at which the falling curve reaches the target, along the logarithm; infinite if never.

    >>> round(crossing(np.array([100, 400]), np.array([0.6, 0.4]), 0.5))
    200
    """
    smooth = falling(losses)
    there = np.flatnonzero(smooth <= target + 1e-12)
    if not there.size:
        return math.inf
    i = int(there[0])
    if i == 0:
        return float(budgets[0])
    part = (smooth[i - 1] - target) / (smooth[i - 1] - smooth[i])
    return float(np.exp(np.log(budgets[i - 1]) + part * np.log(budgets[i] / budgets[i - 1])))


def falling(losses: Floats) -> Floats:
    """The nearest curve that never rises: more labels do not hurt but by chance."""
    from sklearn.isotonic import isotonic_regression

    return np.asarray(isotonic_regression(losses, increasing=False), dtype=np.float64)
