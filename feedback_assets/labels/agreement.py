"""How far several people agree beyond chance (Krippendorff 2011; Hayes & Krippendorff 2007).

Alpha is 1 less the disagreement seen within items over the one expected between any two answers. It
takes any number of people, and items that not everybody answered.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Level = Literal["nominal", "interval"]


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha with its interval; NaN where nothing tells."""

    alpha: float
    """1: they agree always; 0: as often as chance would; negative: less often."""
    low: float
    high: float
    items: int
    """Items that several people answered."""
    answers: int
    """Their answers."""


NOTHING = Agreement(math.nan, math.nan, math.nan, 0, 0)


def krippendorff(
    items: npt.ArrayLike,
    values: npt.ArrayLike,
    level: Level = "nominal",
    confidence: float = 0.95,
) -> Agreement:
    """Alpha of answers [n], with an interval from the spread of the items' influence on it.

    Items are what repeats, so the error is that of the linearized ratio over items (infinitesimal
    jackknife). Where all agree, nothing spreads: then the lower end is what the largest share of
    disagreeing items, which chance hides at this confidence, would make of it.

    Args:
        items: What each answer is about [n].
        values: The answers [n]: anything for `nominal`, numbers for `interval`.
        level: Whether answers are names or numbers.
        confidence: Of the two-sided interval.
    """
    item, _ = pd.factorize(np.asarray(items))
    often = np.bincount(item)
    several = often[item] > 1
    if not several.any():
        return NOTHING
    given = np.asarray(values)[several]
    item, _ = pd.factorize(item[several])
    part = _named(item, given) if level == "nominal" else _measured(item, given)
    return _alpha(*part, confidence)


def _named(item: npt.NDArray[np.int64], given: npt.NDArray) -> tuple[Floats, Floats, Floats, float]:
    """By item: answers, disagreement within, influence on the expected one; and the expected one."""
    code, names = pd.factorize(given)
    width = len(names)
    size = np.bincount(item).astype(np.float64)
    cell, count = np.unique(item * width + code, return_counts=True)
    equal = np.bincount(cell // width, count.astype(np.float64) ** 2)
    within = (size**2 - equal) / (size - 1)
    total = np.bincount(code).astype(np.float64)
    n = total.sum()
    # Expected: n² - Σ n_c², whose derivative in an item's weight is 2 n m - 2 Σ n_c n_ic.
    moved = 2 * n * size - 2 * np.bincount(item, total[code])
    return size, within, moved, float(n**2 - (total**2).sum())


def _measured(
    item: npt.NDArray[np.int64], given: npt.NDArray
) -> tuple[Floats, Floats, Floats, float]:
    """The same with squared differences: over all ordered pairs they sum to 2 (n Σx² - (Σx)²)."""
    x = given.astype(np.float64)
    x = x - x.mean()  # differences stay, and large numbers lose no digits
    size = np.bincount(item).astype(np.float64)
    first, second = np.bincount(item, x), np.bincount(item, x * x)
    within = np.maximum(2 * (size * second - first**2), 0) / (size - 1)
    n, total, squares = size.sum(), first.sum(), second.sum()
    moved = 2 * (size * squares + n * second - 2 * total * first)
    return size, within, moved, float(2 * (n * squares - total**2))


def _alpha(
    size: Floats, within: Floats, moved: Floats, expected: float, confidence: float
) -> Agreement:
    from scipy.special import stdtrit

    n, count = size.sum(), len(size)
    if expected <= 0:
        return Agreement(math.nan, math.nan, math.nan, count, int(n))
    seen = within.sum()
    alpha = 1 - (n - 1) * seen / expected
    influence = -(size * seen + (n - 1) * within) / expected + (n - 1) * seen * moved / expected**2
    if count < 2:
        return Agreement(float(alpha), math.nan, math.nan, count, int(n))
    if seen == 0:
        hidden = 1 - ((1 - confidence) / 2) ** (1 / count)
        low = 1 - hidden * n * (n - 1) / expected
        return Agreement(1.0, max(float(low), -1.0), 1.0, count, int(n))
    error = math.sqrt(count / (count - 1) * float((influence**2).sum()))
    reach = float(stdtrit(count - 1, (1 + confidence) / 2)) * error
    return Agreement(
        float(alpha), max(float(alpha) - reach, -1.0), min(float(alpha) + reach, 1.0), count, int(n)
    )
