"""A draw of fixed size in which every row's chance is known exactly.

Chances are proportional to how much a row is wanted and never over 1 (`capped`). The draw itself is
Deville's systematic sampling (Deville 1998, equal to the ordered pivotal method, Chauvet 2012): the
rows' chances lie on a line one after the other, one row is drawn in each stretch of length 1, and a
row that lies across a border is drawn with what the stretch before has left. So rows next to each
other are seldom drawn together, and a sample covers the order in which the rows are given.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CERTAIN = 1 - 1e-9
"""Chances beyond are taken for 1, those under one minus it for 0: cumulated sums are no more exact."""
LEAST = 1e-9
"""A smaller part of the largest mass counts as this: numbers are no more exact."""


def capped(mass: Floats, size: float) -> Floats:
    """Chances proportional to mass, none over 1, whose sum is `size`.

    Args:
        mass: how much each row is wanted [n], finite and not negative.
        size: how many rows are to be drawn; where fewer rows have mass, all of them are certain.

    >>> capped(np.array([6.0, 1.0, 1.0, 0.0]), 2)
    array([1. , 0.5, 0.5, 0. ])
    """
    wanted = int((mass > 0).sum())
    if size <= 0 or not wanted:
        return np.zeros(mass.size)
    if size >= wanted:
        return (mass > 0).astype(np.float64)
    relative = np.where(mass > 0, np.maximum(mass / mass.max(), LEAST), 0.0)
    falling = np.sort(relative)[::-1]
    rest = np.cumsum(falling[::-1])[::-1]
    certain = np.arange(wanted)
    factor = (size - certain) / rest[:wanted]
    fits = (certain < size) & (factor * falling[:wanted] <= 2 - CERTAIN)
    return np.minimum(1.0, factor[int(fits.argmax())] * relative)


def draw(chances: Floats, rng: np.random.Generator) -> Ints:
    """Draw rows with the given chances.

    Args:
        chances: of each row [n], 0 to 1; their sum is a whole number up to rounding.
        rng: what decides.

    Returns:
        Positions in rising order, as many as the chances sum to.
    """
    sure = np.flatnonzero(chances >= CERTAIN)
    open_ = np.flatnonzero((chances > 1 - CERTAIN) & (chances < CERTAIN))
    size = round(float(chances[open_].sum()))
    if not size:
        return sure
    ends = np.cumsum(chances[open_])
    ends *= size / ends[-1]
    ends[-1] = size
    return np.sort(np.concatenate([sure, open_[_one_in_each(ends, size, rng)]]))


def evenly(n: int, size: int, rng: np.random.Generator) -> Ints:
    """Positions of a simple random sample: `size` of n rows, in rising order."""
    return np.sort(rng.choice(n, size=size, replace=False)).astype(np.int64)


def _one_in_each(ends: Floats, size: int, rng: np.random.Generator) -> Ints:
    """One row of each unit stretch, where `ends` are the rows' ends on the line [n]."""
    borders = np.arange(size, dtype=np.float64)
    crossing = np.searchsorted(ends, borders, side="left")
    starts = np.where(crossing > 0, ends[crossing - 1], 0.0)
    before = borders - starts
    after = np.where(borders > 0, ends[crossing] - borders, 0.0)
    chance = np.divide(after, 1 - before, out=np.ones(size), where=before < 1)
    lots, places = rng.random(size), rng.random(size)
    drawn = np.empty(size, dtype=np.int64)
    last = -1
    for i in range(size):
        left = after[i] if before[i] > 0 else 0.0
        across = int(crossing[i])
        if left > 0 and last != across and lots[i] < chance[i]:
            last = across
        else:
            place = borders[i] + left + places[i] * (1 - left)
            last = max(int(np.searchsorted(ends, place, side="right")), across + (left > 0))
            last = min(last, ends.size - 1)
        drawn[i] = last
    return drawn
