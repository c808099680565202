"""The mean over many rows, from few labels drawn by lot and a model's guess of every row.

The guess is known of all rows, the truth of some. The mean guess is corrected by what the labelled
rows say it errs by (the rectifier): the better the guess, the less is left for labels to tell, and
where it is worthless the tuned power brings the estimate back to the labels alone.

Sources: prediction-powered inference (Angelopoulos and others, Science 2023), its power tuning
(PPI++, 2023), drawn with unequal chances (active inference, Zrnic and Candès, ICML 2024); the
estimator is survey sampling's difference estimator with weights that sum to one (Hájek 1971).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.performance.intervals import Interval, t_quantile, wilson

Floats = npt.NDArray[np.float64]
FEWEST = 10
"""Fewer labels say nothing of their own spread."""
_ALIKE = 1e-12
_MOST_SKEWED = 0.5
"""Beyond, the correction would stretch one end without bounds."""


@dataclass(frozen=True)
class Powered:
    """A mean over all rows.

    Attributes:
        mean: by the model's guesses and the labels, with its range.
        plain: by the labels alone, weighted by their chances.
        power: how much of the guess was used: 0 none, 1 all.
        labels: rows with the truth.
        worth: labels drawn evenly that would have told as much without a model; NaN while all
            labelled rows are alike.
        rows: rows the mean is over.
    """

    mean: Interval
    plain: Interval
    power: float
    labels: int
    worth: float
    rows: int

    @property
    def words(self) -> str:
        """As in "212 labels gave what 900 random ones would"."""
        if math.isnan(self.worth):
            return f"{self.labels:,} labels, all alike: what they are worth cannot be told yet"
        random = f"{self.labels:,} labels gave what {round(self.worth):,} random ones would"
        return random if self.worth > self.labels else f"{random}: no gain"


def powered_mean(
    truth: Floats,
    guess: Floats,
    everywhere: Floats,
    probability: Floats | None = None,
    level: float = 0.95,
    share: bool = False,
) -> Powered:
    """The mean of a quantity over all rows, taken as draws from what the model meets.

    Args:
        truth: the quantity where labels are [n], as 1 where the answer was right.
        guess: what the model expects it to be there [n].
        everywhere: what the model expects on all rows [N], the labelled ones among them.
        probability: chance with which each labelled row came to be labelled [n], up to a common
            factor; the same for all if None.
        level: how often the range must hold the truth.
        share: truth is 0 or 1, and the mean a share.

    Raises:
        ValueError: fewer than 10 labels, more labels than rows, or a chance that is not positive.

    Examples:
        >>> guess = np.linspace(0, 1, 1000)
        >>> labelled = np.arange(0, 1000, 10)
        >>> found = powered_mean(guess[labelled] ** 1.1, guess[labelled], guess)
        >>> round(found.mean.value, 3), found.worth > 5 * found.labels
        (0.476, True)
    """
    truth, guess, everywhere = (np.asarray(a, np.float64) for a in (truth, guess, everywhere))
    weight, loose = _weights(probability, len(truth), len(everywhere))
    power = _power(truth, guess, loose)
    powered = _Estimate.of(truth - power * guess, weight, loose, power * everywhere.mean(), power)
    plain = _Estimate.of(truth, weight, loose, 0.0, 0.0)
    spread = _variance(truth, weight)
    own = spread / len(everywhere)
    worth = math.nan
    if spread > _ALIKE:
        worth = min(spread / max(powered.error + own, _ALIKE), float(len(everywhere)))
    return Powered(
        powered.interval(own, level, share),
        plain.interval(own, level, share),
        power,
        len(truth),
        worth,
        len(everywhere),
    )


@dataclass(frozen=True)
class _Estimate:
    """A mean, the square of its standard error, and what its range needs beside."""

    value: float
    error: float
    skewness: float
    units: float
    """Labels of equal weight that the labelled rows are like."""
    left: float
    """The same, less what was fitted to them."""
    tails: float
    """Kurtosis of what the labels move the mean by: large where few of them carry the error."""

    @classmethod
    def of(
        cls, values: Floats, weight: Floats, loose: Floats, offset: float, used: float
    ) -> "_Estimate":
        mean = float(weight @ values)
        moved = np.sqrt(loose) * (values - mean)
        units = 1 / float(weight @ weight)
        left = max(units - 1 - (used != 0), 1)
        error = float(moved @ moved)
        skewness, tails = 0.0, 3.0
        if error > _ALIKE**2:
            skewness = float((moved**3).sum()) / error**1.5
            tails = len(values) * float((moved**4).sum()) / error**2
        return cls(mean + offset, error * units / left, skewness, units, left, tails)

    def interval(self, own: float, level: float, share: bool) -> Interval:
        """The range, where all rows' own mean strays from the law's by the square `own`."""
        return self._share(own, level) if share else self._mean(own, level)

    def _share(self, own: float, level: float) -> Interval:
        """Wilson's with as many labels as the error is worth (Korn and Graubard 1998)."""
        value, error = min(max(self.value, 0.0), 1.0), self.error + own
        worth = value * (1 - value) / error if error > _ALIKE and 0 < value < 1 else self.units
        shrunk = (t_quantile(level, 10**9) / t_quantile(level, max(int(self.left), 1))) ** 2
        found = wilson(value, max(worth * shrunk, 1.0), level)
        return Interval(value, found.low, found.high)

    def _mean(self, own: float, level: float) -> Interval:
        """Student's t, corrected for skewness (Hall 1992).

        The heavier the tails, the fewer its degrees of freedom: by the error's own (Cramér 1946).
        """
        error = self.error + own
        freedom = min(self.left, max(2 * self.units / max(self.tails - 1, _ALIKE), 2.0))
        t, scale = t_quantile(level, int(freedom)), math.sqrt(error)
        part = (self.error / error) ** 1.5 if error > _ALIKE**2 else 0.0
        low, high = (_unskewed(side, self.skewness * part) for side in (t, -t))
        return Interval(self.value, self.value - scale * low, self.value - scale * high)


def _weights(probability: Floats | None, labels: int, rows: int) -> tuple[Floats, Floats]:
    """Weights that sum to one, and the share of their squares that is left to chance [n], [n]."""
    if not FEWEST <= labels <= rows:
        raise ValueError(
            f"{labels} labels of {rows} rows: at least {FEWEST} are needed, of the rows"
        )
    chance = np.ones(labels) if probability is None else np.asarray(probability, np.float64)
    if not (np.isfinite(chance) & (chance > 0)).all():
        raise ValueError("every labelled row needs a positive chance of having been drawn")
    weight = 1 / chance
    weight /= weight.sum()
    return weight, weight**2 * np.maximum(1 - 1 / (weight * rows), 0)


def _power(truth: Floats, guess: Floats, loose: Floats) -> float:
    """The share of the guess that leaves the least to chance, from 0 to 1."""
    total = loose.sum()
    if total <= 0:
        return 0.0
    away = guess - (loose @ guess) / total
    spread = float(loose @ away**2)
    if spread <= _ALIKE * total:
        return 0.0
    return float(np.clip((loose @ (away * truth)) / spread, 0, 1))


def _variance(values: Floats, weight: Floats) -> float:
    """Of the rows that the weighted ones stand for."""
    away = values - weight @ values
    return float(weight @ away**2) / max(1 - float(weight @ weight), _ALIKE)


def _unskewed(t: float, skewness: float) -> float:
    """The quantile of a skewed mean's t statistic."""
    skewness = min(max(skewness, -_MOST_SKEWED), _MOST_SKEWED)
    if abs(skewness) < _ALIKE**0.5:
        return t
    return 3 / skewness * (float(np.cbrt(1 + skewness * (t - skewness / 6))) - 1)
