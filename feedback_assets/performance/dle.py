"""What a regressor's errors will be, told by a model of its errors before labels are known.

Direct loss estimation: a second model predicts the absolute error of each answer; what it says is
calibrated against each loss on held-out rows it did not see. Like every estimate without labels it
is blind to concept drift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any, Self

import numpy as np

from feedback_assets.performance.calibration import REPLICATES, cells_of, isotonic, mean_between
from feedback_assets.performance.days import DaySpread
from feedback_assets.performance.intervals import UNKNOWN, Interval
from feedback_assets.performance.metrics import Codes, Floats

DRAWS = 1024
"""Draws of the curve and of the days behind an interval."""
_WIDEST = 20.0


@dataclass(frozen=True)
class LossCurve:
    """Mean of one loss as a monotone function of the expected absolute error."""

    x: Floats
    """Mean expected error of each cell, increasing [K]."""
    rows: Floats
    """Held-out rows of each cell [K]."""
    sums: Floats
    """Their losses added up [K]."""
    variance: Floats
    """Variance of a row's loss in each cell [K]."""
    falling: bool
    """Whether the loss falls with the error: a value does."""
    spread: DaySpread
    """The days' effects, relative to the loss."""
    scale: float = 1.0
    """Correction for other traffic than the held-out rows'."""
    scales: Floats | None = None
    """Its replicates [REPLICATES]."""

    @classmethod
    def fit(cls, expected: Floats, loss: Floats, day: Codes) -> Self:
        """Learn from expected errors [n], losses [n], both finite, and day numbers [n]; n not 0."""
        cell, x = cells_of(expected, np.ones(expected.size))
        rows = np.bincount(cell).astype(np.float64)
        sums = np.bincount(cell, weights=loss).astype(np.float64)
        squares = np.bincount(cell, weights=(loss - (sums / rows)[cell]) ** 2)
        # A cell of one row says nothing of its own spread.
        variance = (squares + squares.sum() / rows.sum()) / rows
        falling = bool(np.cov(expected, loss)[0, 1] < 0) if expected.size > 1 else False
        flat = cls(x, rows, sums, variance, falling, DaySpread())
        mean = flat(expected)
        spread = DaySpread.learn(loss - mean, variance[cell], np.abs(mean), day)
        return cls(x, rows, sums, variance, falling, spread)

    @cached_property
    def knots(self) -> Floats:
        """Mean loss at `x` [K]."""
        return self.scale * self._fitted(self.sums[None])[0]

    @cached_property
    def replicates(self) -> Floats:
        """The same under other draws of the held-out rows [REPLICATES, K]."""
        rng = np.random.default_rng(len(self.x))
        noise = rng.standard_normal((REPLICATES, self.x.size))
        fits = self._fitted(self.sums + noise * np.sqrt(self.variance * self.rows))
        return fits * (self.scale if self.scales is None else self.scales[:, None])

    def __call__(self, expected: Floats) -> Floats:
        """Expected loss of each row [n]; NaN where `expected[n]` is."""
        return np.asarray(np.interp(expected, self.x, self.knots), dtype=np.float64)

    def mean(self, expected: Floats, day: Codes) -> tuple[float, Floats, float]:
        """The mean loss of rows to come, without labels.

        Args:
            expected: the error model's answers [n], finite; n must not be 0.
            day: number of the day 0..D-1 [n].

        Returns:
            The expected mean, draws of it by the curve and the days [DRAWS], and the standard
            error that the rows' own losses add.
        """
        rng = np.random.default_rng(0)
        each = self(expected)
        bent = mean_between(expected, self.x, self.replicates)
        days = np.bincount(day, weights=each) / each.size
        effect = self.spread.draw(rng, DRAWS, days.size) @ days
        drawn = bent[np.arange(DRAWS) % REPLICATES] + effect
        chance = np.interp(expected, self.x, self.variance).sum() * self.scale**2
        return float(each.mean()), drawn, float(np.sqrt(chance)) / each.size

    def scaled(self, scale: float, scales: Floats) -> "LossCurve":
        """The same for other traffic: times `scale`, and times its replicates [REPLICATES]."""
        return replace(self, scale=scale, scales=scales)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; a correction for other traffic is never stored."""
        arrays = ("x", "rows", "sums", "variance")
        plain = {name: getattr(self, name).tolist() for name in arrays}
        return {**plain, "falling": self.falling, "spread": self.spread.to_dict()}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        arrays = ("x", "rows", "sums", "variance")
        x, rows, sums, variance = (np.asarray(raw[name], float) for name in arrays)
        spread = DaySpread.from_dict(raw["spread"])
        return cls(x, rows, sums, variance, bool(raw["falling"]), spread)

    def _fitted(self, sums: Floats) -> Floats:
        rows = np.broadcast_to(self.rows, sums.shape)
        return -isotonic(-sums, rows) if self.falling else isotonic(sums, rows)


def mean_interval(
    parts: Sequence[tuple[LossCurve, Floats, Codes]], confidence: float, root: bool = False
) -> Interval:
    """The mean loss, or its root, with the interval in which the realised one is expected.

    Losses are never negative and lean to the right, so their interval is symmetric in logarithms; a
    value, which may have either sign, has a symmetric one.

    Args:
        parts: for each model that answered its curve, and its rows' expected errors and days.
        confidence: two-sided.
        root: of the mean, for squares.
    """
    known = [part for part in parts if part[1].size]
    if not known:
        return UNKNOWN
    share = np.array([expected.size for _, expected, _ in known], dtype=np.float64)
    share /= share.sum()
    means, draws, chances = zip(*(curve.mean(e, day) for curve, e, day in known), strict=True)
    value = float(share @ np.array(means))
    doubt = share @ (np.stack(draws) - np.array(means)[:, None])
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * float(np.sqrt(np.mean(doubt**2) + np.sum((share * np.array(chances)) ** 2)))
    if known[0][0].falling or value <= 0:
        return Interval(value, value - half, value + half)
    times = float(np.exp(min(half / value, _WIDEST)))
    ends = (value, value / times, value * times)
    return Interval(*(float(np.sqrt(end)) for end in ends)) if root else Interval(*ends)
