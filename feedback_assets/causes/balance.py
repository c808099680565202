"""Loss of two periods compared like for like: overlap weights from a logistic regression.

A logistic regression tells the later rows from the earlier ones by some variables. Weighting each
row by the fitted chance of the *other* period (overlap weights; Li, Morgan & Zaslavsky 2018, JASA
113) makes the two periods alike in these variables: the weighted means of every variable in the
regression are then equal exactly, and rows that have no like in the other period drop out
instead of being blown up. What difference in loss remains is not due to these variables.

Uncertainty is that of an M-estimator (Stefanski & Boos 2002): each row's influence on a difference,
through its own loss and through the regression's coefficients, in closed form. Influences add up,
so any sum of differences has its error from the same arrays, by row or by day.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RIDGE = 1e-5
"""Keeps the coefficients finite where a variable tells the periods apart completely."""
STEPS = 30
COMMON = 0.05
"""With less overlap than this two periods have nothing in common that could be compared."""
DAYS = 5
"""Fewer days than this say nothing about how days differ: rows then count as independent."""


@dataclass(frozen=True)
class Logit:
    """A fitted regression of "later" on a design."""

    design: Floats
    """Standardised variables [n, d], the first all ones."""
    theta: Floats
    """Coefficients [d]."""
    offset: Floats
    """Known part of the logit [n]."""
    fit: float
    """Mean log likelihood of a row, both periods weighing one half."""

    def logits(self, columns: Bools | None = None) -> Floats:
        """The logit [n], of some columns only if said."""
        theta = self.theta if columns is None else np.where(columns, self.theta, 0.0)
        return np.asarray(self.offset + self.design @ theta)


@dataclass(frozen=True)
class Difference:
    """A difference of mean loss, later less earlier."""

    value: float
    influence: Floats
    """Each row's influence [n]; the variance is the sum of their squares (centred, by cluster)."""
    overlap: float = 1.0
    """1 where the periods are alike, 0 where no row has its like in the other."""


def shares(later: Bools) -> Floats:
    """Weights [n] that give each period one half."""
    after = max(int(later.sum()), 1)
    return np.where(later, 0.5 / after, 0.5 / max(later.size - after, 1))


def standardised(blocks: Sequence[Floats], rows: int) -> Floats:
    """Ones and the blocks' columns [n, d_i] with mean 0 and spread 1; constant ones become 0."""
    columns = np.column_stack([np.empty((rows, 0)), *blocks])
    spread = columns.std(axis=0)
    scaled = (columns - columns.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    return np.column_stack([np.ones(rows), scaled])


def fitted(design: Floats, later: Bools, offset: Floats | None = None) -> Logit:
    """Maximum likelihood by Newton's method with halved steps.

    Args:
        design: Variables [n, d], see `standardised`.
        later: Which rows are of the later period [n].
        offset: Known part of the logit [n].
    """
    known = np.zeros(later.size) if offset is None else offset
    omega, sign = shares(later), np.where(later, 1.0, -1.0)
    ridge = np.full(design.shape[1], RIDGE)
    ridge[0] = 0.0

    def loss(theta: Floats) -> float:
        margin = sign * (known + design @ theta)
        return float(omega @ np.logaddexp(0, -margin) + 0.5 * ridge @ theta**2)

    theta = np.zeros(design.shape[1])
    now = loss(theta)
    for _ in range(STEPS):
        pi = sigmoid(known + design @ theta)
        slope = design.T @ (omega * (later - pi)) - ridge * theta
        step = np.linalg.solve(_curvature(design, omega, pi, ridge), slope)
        size = 1.0
        while (then := loss(theta + size * step)) > now and size > 1e-4:
            size /= 2
        if not then < now - 1e-12:
            break
        theta, now = theta + size * step, then
    margin = sign * (known + design @ theta)
    return Logit(design, theta, known, -float(omega @ np.logaddexp(0, -margin)))


def difference(
    loss: Floats, later: Bools, logit: Logit | None = None, columns: Bools | None = None
) -> Difference:
    """The difference of mean loss between rows made alike by a regression.

    Args:
        loss: Of each row [n].
        later: Which rows are of the later period [n].
        logit: The regression; none compares the periods as they are.
        columns: Make alike only by these columns of its design (the first must be among them).

    Returns:
        The difference; 0 where the periods have nothing in common (overlap below `COMMON`), so
        that what they differ by counts with the variables that tell them apart.
    """
    omega = shares(later)
    chance = np.full(later.size, 0.5) if logit is None else sigmoid(logit.logits(columns))
    weight = omega * np.where(later, 1 - chance, chance)
    after, before = float(weight[later].sum()), float(weight[~later].sum())
    overlap = 4 * min(after, before)
    if logit is not None and overlap < COMMON:
        return Difference(0.0, np.zeros(later.size), overlap)
    means = (
        float(weight[~later] @ loss[~later]) / before if before else float("nan"),
        float(weight[later] @ loss[later]) / after if after else float("nan"),
    )
    centred = (loss - np.where(later, means[1], means[0])) / np.where(later, after, before)
    own = np.where(later, 1, -1) * weight * centred
    if logit is None:
        return Difference(means[1] - means[0], own, overlap)
    # More weight for a logit higher by one: chance (1 - chance) up if earlier, down if later.
    slope = -(logit.design.T @ (omega * chance * (1 - chance) * centred))
    slope = slope if columns is None else np.where(columns, slope, 0.0)
    pi = sigmoid(logit.logits())
    ridge = np.full(slope.size, RIDGE)
    pull = np.linalg.solve(_curvature(logit.design, omega, pi, ridge), slope)
    through = omega * (later - pi) * (logit.design @ pull)
    return Difference(means[1] - means[0], own + through, overlap)


def error(influence: Floats, later: Bools, day: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of influences.

    Args:
        influence: Of each row [n].
        later: Which rows are of the later period [n].
        day: Code of each row's day [n].

    Days are the units in a period that has at least `DAYS` of them, rows elsewhere. Degrees of
    freedom by Welch and Satterthwaite.
    """
    variance, part = 0.0, 0.0
    for period in (~later, later):
        units = influence[period]
        days, codes = np.unique(day[period], return_inverse=True)
        if days.size >= DAYS:
            units = np.bincount(codes, units).astype(np.float64)
        if units.size < 2:
            return float("nan"), float("nan")
        own = float(units.var(ddof=1)) * units.size
        variance += own
        part += own**2 / (units.size - 1)
    return float(np.sqrt(variance)), variance**2 / part if part > 0 else float(later.size)


def sigmoid(logits: Floats) -> Floats:
    """Logistic function, safe for large numbers."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def _curvature(design: Floats, omega: Floats, pi: Floats, ridge: Floats) -> Floats:
    weight = omega * pi * (1 - pi)
    return np.asarray((design.T * weight) @ design + np.diag(ridge + 1e-12))
