"""How much days differ beyond chance: rows of one day share its weather, and are wrong together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from feedback_assets.config.grain import partition_start
from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import Codes, Floats

MIN_DAYS = 5
"""Days from which a spread is learned."""


@dataclass(frozen=True)
class DaySpread:
    """A random effect of the day, in the unit of the estimate's errors (log-odds, or relative)."""

    variance: float = 0.0
    """Variance between days beyond what their rows explain; 0 if too few days to tell."""
    days: int = 0
    """Days that it was learned from."""
    anchor: float = 0.0
    """Share of the variance that the held-out days' own mean still has."""

    @classmethod
    def learn(cls, residual: Floats, variance: Floats, scale: Floats, day: Codes) -> Self:
        """The method of moments of DerSimonian and Laird (1986, Control. Clin. Trials 7).

        Args:
            residual: observed less expected, of each row [n].
            variance: its variance by chance alone [n].
            scale: how much it moves with a unit of the day's effect [n].
            day: number of each row's day [n].
        """
        total, chance, unit = (np.bincount(day, weights=v) for v in (residual, variance, scale))
        known = (unit > 0) & (chance > 0)
        total, chance, unit = total[known], chance[known], unit[known]
        count = int(known.sum())
        if count < MIN_DAYS:
            return cls(days=count)
        effect, weight = total / unit, unit**2 / chance
        mean = (weight * effect).sum() / weight.sum()
        excess = (weight * (effect - mean) ** 2).sum() - (count - 1)
        between = excess / (weight.sum() - (weight**2).sum() / weight.sum())
        anchor = float((unit**2).sum() / unit.sum() ** 2)
        return cls(max(float(between), 0.0), count, anchor)

    def draw(self, rng: np.random.Generator, draws: int, days: int) -> Floats:
        """Effects [draws, days] of days still to come, the estimate's own anchor included.

        The variance itself is drawn as well (scaled inverse chi-square): few days know it badly.
        """
        if not self.variance:
            return np.zeros((draws, days))
        free = self.days - 1
        sd = np.sqrt(self.variance * free / rng.chisquare(free, (draws, 1)))
        own = rng.standard_normal((draws, days))
        common = rng.standard_normal((draws, 1)) * np.sqrt(self.anchor)
        return np.asarray(sd * (own + common), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"variance": self.variance, "days": self.days, "anchor": self.anchor}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(float(raw["variance"]), int(raw["days"]), float(raw["anchor"]))


def day_numbers(partition_keys: "pd.Series[str]", config: Config) -> Codes:
    """Number of the calendar day in which each row's partition begins, 0..D-1 without gaps [rows].

    Hours of a day are one day; a week is one day.
    """
    found, keys = pd.factorize(partition_keys.astype(str))
    grain = config.partitions.grain
    days = [partition_start(grain, key).date().toordinal() for key in keys]
    number = np.unique(np.array(days, dtype=np.int64), return_inverse=True)[1]
    return np.asarray(number[found], dtype=np.int64)
