"""How late labels come, told from every row, those that still wait too: Kaplan and Meier (1958).

A row without a label is censored at its age: all that is known is that its label takes longer, or
never comes. So the curve levels off at the share of rows that ever get one, and of a young day's rows
it can be told how many labels they are still owed. (`arrival` tells from labels alone which share of
those that come is there, which is what makes a day mature.) By label value it is the cumulative
incidence of Aalen and Johansen (1978): values compete for a row.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS
from feedback_assets.labels.exposure import Exposure, exposure, leaving, over, table
from feedback_assets.performance.intervals import t_quantile
from feedback_assets.performance.metrics import Floats

CLUSTERS = 5


@dataclass(frozen=True)
class DelayCurve:
    """Share of all rows whose label is there by an age, with its interval.

    Attributes:
        max_delay_days: a label that comes later does not count.
        shares: at age `j * max_delay_days / STEPS`, j = 0..STEPS; NaN where no row is that old.
        low: lower end of the interval at each age.
        high: upper end.
        outcomes: label value to the share of all rows that have it by each age; none of numbers.
        rows: rows that it is learned from.
        labels: those with a label.
    """

    max_delay_days: float
    shares: Floats
    low: Floats
    high: Floats
    outcomes: Mapping[str, Floats]
    rows: int
    labels: int

    @property
    def plateau(self) -> float:
        """Share of the rows that ever get a label; NaN before any row is `max_delay_days` old."""
        return float(self.shares[-1])

    @property
    def ages(self) -> Floats:
        """The ages in days [STEPS + 1]."""
        return np.arange(STEPS + 1, dtype=np.float64) * (self.max_delay_days / STEPS)

    def at(self, age_days: float) -> tuple[float, float, float]:
        """Share, lower and upper end at an age in days since the prediction."""
        step = min(max(int(age_days / self.max_delay_days * STEPS + 1e-9), 0), STEPS)
        return float(self.shares[step]), float(self.low[step]), float(self.high[step])

    def age_at(self, share: float) -> float:
        """Age in days by which this share of the labels that ever come is there; NaN if not known.

        Where no row is old enough, the share is of those that come by the oldest row's age.
        """
        known = self.shares[np.isfinite(self.shares)]
        if not known.size or not known[-1] > 0:
            return math.nan
        reached = int(np.argmax(known >= share * known[-1] - 1e-12))
        return reached * self.max_delay_days / STEPS


def delay_curve(counts: pd.DataFrame, config: Config) -> DelayCurve:
    """The curve of some rows (of `waiting_counts_sql`).

    The interval is complementary log-log (Kalbfleisch and Prentice 1980) by Greenwood's variance, and
    by that of whole cohorts (Ying and Wei 1994) where it is larger: labels of one day come together.
    """
    seen = exposure(counts)
    left = seen.left
    shares = np.where(np.arange(STEPS + 1) <= seen.known_to, 1 - left, np.nan)
    low, high = _ends(seen, left, config.performance.confidence)
    unknown = np.isnan(shares)
    labelled = counts["delay_step"].notna()
    return DelayCurve(
        config.label.max_delay_days,
        shares,
        np.where(unknown, np.nan, low),
        np.where(unknown, np.nan, high),
        {} if config.label.kind == "regression" else _incidence(counts, seen, left),
        int(counts["n"].sum()),
        int(counts.loc[labelled, "n"].sum()),
    )


def segment_curves(counts: pd.DataFrame, config: Config, most: int) -> dict[str, DelayCurve]:
    """Curves by value of the column `segment_value`, the `most` frequent values, largest first."""
    sizes = counts.groupby("segment_value")["n"].sum().sort_index().nlargest(most)
    return {
        str(value): delay_curve(counts[counts["segment_value"] == value], config)
        for value in sizes.index
    }


def _incidence(counts: pd.DataFrame, seen: Exposure, left: Floats) -> dict[str, Floats]:
    leaves, came = leaving(counts)
    total = seen.at_risk.sum(axis=0)
    before = np.append(1.0, left[:-1])
    n, groups = counts["n"].to_numpy(np.float64), counts["label_group"].to_numpy(object)
    found = {}
    for name in sorted({str(g) for g in groups[came]}):
        own = came & (groups == name)
        new = table(np.zeros_like(leaves[own]), leaves[own], n[own], (1, STEPS + 1))[0]
        share = np.cumsum(before * over(new, total))
        found[name] = np.where(np.arange(STEPS + 1) <= seen.known_to, share, np.nan)
    return found


def log_variance(seen: Exposure) -> Floats:
    """Variance of the logarithm of the share still without a label, at each step.

    The larger of Greenwood's and that of cohorts as a whole; infinite from where nobody waits on.
    """
    came, total = seen.came.sum(axis=0), seen.at_risk.sum(axis=0)
    left = total * (total - came)
    own = np.divide(came, left, out=np.where(came > 0, np.inf, 0.0), where=left > 0)
    greenwood = np.cumsum(own)
    cohorts = int(np.count_nonzero(seen.at_risk[:, 0]))
    if cohorts < CLUSTERS:
        return greenwood
    rate = seen.rate
    scale = over(np.ones(total.size), total - came)
    moves = np.cumsum((seen.came - seen.at_risk * rate) * scale, axis=1)
    return np.maximum(greenwood, cohorts / (cohorts - 1) * (moves**2).sum(axis=0))


def _ends(seen: Exposure, left: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Ends of the interval of `1 - left`; where nothing, or all, has come the exact binomial end."""
    rows = max(float(seen.at_risk[:, 0].sum()), 1.0)
    cohorts = int(np.count_nonzero(seen.at_risk[:, 0]))
    reach = t_quantile(confidence, cohorts - 1 if cohorts >= CLUSTERS else 10**9)
    tail = ((1 - confidence) / 2) ** (1 / rows)
    inside = (left > 0) & (left < 1)
    log_left = np.log(left, out=np.full(left.size, -1.0), where=inside)
    variance = np.where(inside, log_variance(seen), 0.0)
    stretch = np.exp(reach * np.sqrt(variance) / -log_left)
    low = np.where(inside, 1 - np.exp(log_left / stretch), np.where(left >= 1, 0.0, tail))
    high = np.where(inside, 1 - np.exp(log_left * stretch), np.where(left >= 1, 1 - tail, 1.0))
    return low, high
