"""From scores to probabilities that hold, learned on held-out labelled rows, in numpy alone.

The rows are pooled into cells of neighbouring scores, so that what is kept is a few hundred numbers
and can be fitted again at no cost: isotonic regression (Barlow et al. 1972, by the min-max formula)
or a sigmoid of the score's log-odds (Platt 1999), whichever predicts held-back rows better. The
uncertainty of the fit is carried as replicates under the Bayesian bootstrap (Rubin 1981).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from feedback_assets.performance.metrics import Floats

CELLS = 64
"""Most cells of neighbouring scores: finer than the noise of some ten thousand rows."""
CELL_ROWS = 15
"""Rows a cell holds on average at least."""
REPLICATES = 128
"""Fits that carry the uncertainty."""

_FOLDS = 5
_STEPS = 12
_EPS = 1e-6

Method = Literal["isotonic", "sigmoid"]


class Curve(Protocol):
    """One class's probability as a function of its score."""

    def __call__(self, score: Floats) -> Floats:
        """Probabilities of `score[n]`."""

    def replicated(self, score: Floats) -> Floats:
        """The same under the uncertainty of the fit [REPLICATES, n]."""


@dataclass(frozen=True)
class Calibrator:
    """Probability of one class as a function of its score: straight lines between cells."""

    x: Floats
    """Mean score of each cell, increasing [K]."""
    rows: Floats
    """Held-out rows of each cell [K]."""
    positives: Floats
    """Those of the class [K]."""
    method: Method
    """Which of the two predicted held-back rows better."""

    @classmethod
    def fit(cls, score: Floats, y: Floats) -> Self:
        """Learn from finite scores [n] in 0..1 and 0/1 labels [n]; n must not be 0.

        >>> rng = np.random.default_rng(0)
        >>> score = rng.random(4000)
        >>> found = Calibrator.fit(score, (rng.random(4000) < score**2).astype(float))
        >>> bool(np.abs(found(np.array([0.2, 0.5, 0.9])) - [0.04, 0.25, 0.81]).max() < 0.06)
        True
        """
        # Either class has half of the cells: a rare class is as finely resolved as a common one.
        mass = np.where(y == 1, 1 / max(y.sum(), 1), 1 / max((1 - y).sum(), 1))
        cell, x = cells_of(score, mass)
        rows = np.bincount(cell, minlength=x.size).astype(np.float64)
        positives = np.bincount(cell, weights=y, minlength=x.size).astype(np.float64)
        return cls(x, rows, positives, _choose(cell, x, y))

    @cached_property
    def knots(self) -> Floats:
        """The class's probability at `x` [K]."""
        return self._fitted(self.positives[None], self.rows[None])[0]

    @cached_property
    def replicates(self) -> Floats:
        """The same under other draws of the held-out rows [REPLICATES, K]; always the same ones."""
        rng = np.random.default_rng(len(self.x))
        shape = (REPLICATES, self.x.size)
        # Dirichlet weights of rows, added up over a cell, are gamma distributed by its count.
        positives = rng.standard_gamma(self.positives, shape)
        rows = positives + rng.standard_gamma(self.rows - self.positives, shape)
        return self._fitted(positives, rows)

    def __call__(self, score: Floats) -> Floats:
        """Calibrated probabilities of `score[n]`; NaN where it is."""
        return np.asarray(np.interp(score, self.x, self.knots), dtype=np.float64)

    def replicated(self, score: Floats) -> Floats:
        """The same by every replicate [REPLICATES, n]."""
        return between(score, self.x, self.replicates)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "x": self.x.tolist(),
            "rows": self.rows.tolist(),
            "positives": self.positives.tolist(),
            "method": self.method,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        x, rows, positives = (np.asarray(raw[k], float) for k in ("x", "rows", "positives"))
        return cls(x, rows, positives, raw["method"])

    def _fitted(self, positives: Floats, rows: Floats) -> Floats:
        if self.method == "isotonic":
            return isotonic(positives, rows)
        return sigmoid(log_odds(self.x), positives, rows)


@dataclass(frozen=True)
class Tilted:
    """A calibrator corrected in level and slope of its log-odds, for other traffic."""

    curve: Curve
    level: float
    slope: float
    levels: Floats
    """The level's replicates [REPLICATES]."""
    slopes: Floats
    """The slope's replicates [REPLICATES]."""

    def __call__(self, score: Floats) -> Floats:
        """Corrected probabilities of `score[n]`."""
        return expit(self.level + self.slope * log_odds(self.curve(score)))

    def replicated(self, score: Floats) -> Floats:
        """The same by every replicate [REPLICATES, n]."""
        z = log_odds(self.curve.replicated(score))
        return expit(self.levels[:, None] + self.slopes[:, None] * z)


def cells_of(x: Floats, mass: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Pool rows of neighbouring `x[n]` into cells of about equal `mass[n]`; ties stay together.

    Returns:
        The cell of each row [n] and the mean of `x` in each cell [K], increasing.
    """
    wanted = int(np.clip(x.size // CELL_ROWS, 1, CELLS))
    distinct, at = np.unique(x, return_inverse=True)
    if distinct.size <= wanted:
        return at, distinct
    weight = np.bincount(at, weights=mass)
    middle = np.cumsum(weight) - weight / 2
    cut = np.minimum((wanted * middle / weight.sum()).astype(np.int64), wanted - 1)
    cell = np.unique(cut, return_inverse=True)[1][at]
    return cell, np.bincount(cell, weights=x) / np.bincount(cell)


def isotonic(sums: Floats, rows: Floats) -> Floats:
    """Increasing least-squares fits to the means of cells [R, K], each replicate for itself.

    The value of cell i is the largest over j <= i of the smallest over k >= i of the mean of the
    cells j..k (min-max formula): a loop over the cells only. Cells without rows are allowed.

    >>> isotonic(np.array([[1.0, 3.0, 2.0, 4.0]]), np.ones((1, 4)))
    array([[1. , 2.5, 2.5, 4. ]])
    """
    size = rows.shape[1]
    total = np.pad(np.cumsum(sums, axis=1), ((0, 0), (1, 0)))
    count = np.pad(np.cumsum(rows, axis=1), ((0, 0), (1, 0)))
    found = np.full(rows.shape, -np.inf)
    for j in range(size):  # all blocks that begin at cell j
        over = count[:, j + 1 :] - count[:, j : j + 1]
        mean = np.full(over.shape, np.inf)
        np.divide(total[:, j + 1 :] - total[:, j : j + 1], over, out=mean, where=over > 0)
        smallest = np.minimum.accumulate(mean[:, ::-1], axis=1)[:, ::-1]
        smallest[np.isposinf(smallest)] = -np.inf  # nothing but cells without rows from here on
        np.maximum(found[:, j:], smallest, out=found[:, j:])
    return found


def sigmoid(z: Floats, positives: Floats, rows: Floats) -> Floats:
    """Logistic fits a + b z to counts [R, K] at log-odds `z[K]`, by Newton's method: values [R, K].

    A normal prior of width 10 on both keeps separable data finite.
    """
    level, slope = logistic_line(z, positives, rows, ridge=0.01)
    return expit(level + slope * z)


def logistic_line(
    z: Floats, positives: Floats, rows: Floats, ridge: float
) -> tuple[Floats, Floats]:
    """Level a [R, 1] and slope b [R, 1] of log-odds a + b z, shrunk by `ridge` towards 0 and 1.

    Args:
        z: where the cells are, for all fits [K] or for each [R, K].
        positives: of each cell [R, K].
        rows: likewise; fractions are allowed.
        ridge: precision of the prior.
    """
    a, b = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    for _ in range(_STEPS):
        p = expit(a + b * z)
        gap, curve = positives - rows * p, rows * p * (1 - p)
        ga = gap.sum(1, keepdims=True) - ridge * a
        gb = (gap * z).sum(1, keepdims=True) - ridge * (b - 1)
        aa = curve.sum(1, keepdims=True) + ridge
        ab = (curve * z).sum(1, keepdims=True)
        bb = (curve * z * z).sum(1, keepdims=True) + ridge
        det = aa * bb - ab * ab
        a = a + np.clip((bb * ga - ab * gb) / det, -2, 2)
        b = b + np.clip((aa * gb - ab * ga) / det, -2, 2)
    return a, b


def between(x: Floats, at: Floats, values: Floats) -> Floats:
    """`np.interp` of `x[n]` for many functions at once: `values[R, K]` at `at[K]` to [R, n]."""
    low, high, share = _neighbours(x, at)
    return np.asarray(values[:, low] * (1 - share) + values[:, high] * share, dtype=np.float64)


def mean_between(x: Floats, at: Floats, values: Floats) -> Floats:
    """The means [R] of `between` over `x[n]`, finite, at the cost of one function."""
    low, high, share = _neighbours(x, at)
    weight = np.bincount(low, 1 - share, at.size) + np.bincount(high, share, at.size)
    return np.asarray(values @ weight / x.size, dtype=np.float64)


def _neighbours(
    x: Floats, at: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """The cells [n] on either side, and how far from the first to the second [n]."""
    place = np.asarray(np.interp(x, at, np.arange(at.size)), dtype=np.float64)
    low = np.nan_to_num(place).astype(np.int64)
    return low, np.minimum(low + 1, at.size - 1), place - low


def log_odds(p: Floats) -> Floats:
    """Ln p / (1 - p), finite."""
    clipped = np.clip(p, _EPS, 1 - _EPS)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)


def expit(z: Floats) -> Floats:
    """The inverse of `log_odds`."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)), dtype=np.float64)


def _choose(cell: npt.NDArray[np.int64], x: Floats, y: Floats) -> Method:
    """The method with the smaller squared error on rows left out of its fit."""
    if not 0 < y.sum() < y.size:
        return "isotonic"
    fold = np.random.default_rng(0).permutation(y.size) % _FOLDS
    shape = (_FOLDS, x.size)
    flat = fold * x.size + cell
    rows = np.bincount(flat, minlength=_FOLDS * x.size).reshape(shape).astype(np.float64)
    positives = np.bincount(flat, weights=y, minlength=_FOLDS * x.size).reshape(shape)
    kept_rows, kept = rows.sum(0) - rows, positives.sum(0) - positives

    def error(p: Floats) -> float:
        return float((positives * (1 - p) ** 2 + (rows - positives) * p**2).sum())

    steps, line = isotonic(kept, kept_rows), sigmoid(log_odds(x), kept, kept_rows)
    return "isotonic" if error(steps) < error(line) else "sigmoid"
