"""When the labels that are still to come will be there: "87% are in; 95% by Tuesday".

Each row that waits has a chance, by the delay curve and its age, that its label comes within so many
days, and that it comes at all. What the sum of these chances leaves open is the rows' luck and the
curve's error (delta method over Greenwood's terms), both stretched by as much as past days departed
from what was to be expected of them: labels of one day come, or stay out, together.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS
from feedback_assets.labels.dispersion import dispersion
from feedback_assets.labels.exposure import Exposure, exposure
from feedback_assets.performance.intervals import t_quantile
from feedback_assets.performance.metrics import Codes, Floats

TOLD = 0.95
"""The share whose day is told."""
WEEK = 7
_HORIZONS = 97


@dataclass(frozen=True)
class Moment:
    """When a share will be reached: days from now, with the ends of its interval."""

    days: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What some days' labels have come to, and will.

    Attributes:
        as_of: the moment it is told.
        keys: the partitions, oldest first.
        rows: rows that owe a label or have it.
        known: labels that are there.
        to_come: labels expected still to come; NaN before any row is old enough to tell.
        share: known ones of all that will ever come.
        low: lower end of `share`.
        high: upper end.
        told: when `TOLD` of them are there; None when not known, or when they are.
        horizon: days for which `arrived` is told.
        arrived: share of all that will be there after each of `horizon` [points], low and high.
        confidence: of the intervals, two-sided.
    """

    as_of: dt.datetime
    keys: tuple[str, ...]
    rows: int
    known: int
    to_come: float
    share: float
    low: float
    high: float
    told: Moment | None
    horizon: Floats
    arrived: tuple[Floats, Floats, Floats]
    confidence: float

    def words(self) -> str:
        """One sentence."""
        if not self.keys:
            return "no day has ended yet"
        span = self.keys[0] if len(self.keys) == 1 else f"{self.keys[0]} to {self.keys[-1]}"
        if math.isnan(self.share):
            return (
                f"{self.known:,} labels of {span} are in; how many are still to come is not known "
                "before a day is as old as the largest delay"
            )
        if self.known == 0 and self.to_come < 0.5:
            return f"no label of {span} is in, and none is expected"
        said = f"{percent(self.share)} of the labels of {span} are in"
        if round(self.low, 2) < round(self.high, 2):
            said += f" ({percent(self.low)} to {percent(self.high)})"
        if self.told is None:
            return said
        when = self.as_of + dt.timedelta(days=self.told.days)
        said += f"; {TOLD:.0%} by {when:%a %Y-%m-%d}"
        ends = [self.as_of + dt.timedelta(days=d) for d in (self.told.low, self.told.high)]
        return said + (
            f" ({ends[0]:%m-%d} to {ends[1]:%m-%d})" if ends[0].date() != ends[1].date() else ""
        )


def percent(share: float) -> str:
    """A share in words; what is not all is not said to be all.

    >>> percent(0.874), percent(0.9999), percent(1.0)
    ('87%', '99%', '100%')
    """
    return "100%" if share >= 1 else f"{min(round(share * 100), 99)}%"


def last_week(keys: Sequence[str], config: Config, as_of: dt.datetime) -> list[str]:
    """The newest seven days of partitions that have ended by `as_of`, oldest first."""
    grain = config.partitions.grain
    over = sorted(key for key in keys if partition_end(grain, key) <= as_of)
    if not over:
        return []
    first = partition_end(grain, over[-1]) - dt.timedelta(days=WEEK)
    return [key for key in over if partition_end(grain, key) > first]


def forecast(
    counts: pd.DataFrame, config: Config, as_of: dt.datetime, keys: Sequence[str]
) -> Forecast:
    """What the labels of the partitions `keys` have come to, and will.

    Args:
        counts: Rows of `waiting_counts_sql` of all that is to be learned from, `keys` among them.
        config: The loop.
        as_of: The moment of the counts.
        keys: Partitions.
    """
    seen, mine = exposure(counts), counts[counts["partition_key"].isin(keys)]
    waits = mine["delay_step"].isna()
    known = int(mine.loc[~waits, "n"].sum())
    pending = _by_age(mine[waits])
    step = config.label.max_delay_days / STEPS
    ahead: Codes = np.unique(np.linspace(0, STEPS, _HORIZONS).astype(np.int64))
    days: Floats = ahead.astype(np.float64) * step
    confidence = config.performance.confidence
    if seen.known_to < STEPS:
        middle = low = high = np.full(ahead.size, np.nan)
    else:
        middle, error = still_after(seen, pending, ahead)
        reach = t_quantile(confidence, max(seen.at_risk.shape[0] - 1, 1))
        error *= reach * math.sqrt(dispersion(seen))
        low, high = np.maximum(middle - error, 0), np.minimum(middle + error, pending.sum())
    all_in = known + middle[0]
    shares = (_share(all_in, middle), _share(all_in, high), _share(all_in, low))
    return Forecast(
        as_of,
        tuple(sorted(keys)),
        int(mine["n"].sum()),
        known,
        float(middle[0]),
        float(shares[0][0]),
        _in(known, high[0]),
        _in(known, low[0]),
        _told(days, shares),
        days,
        shares,
        confidence,
    )


def still_after(seen: Exposure, pending: Floats, ahead: Codes) -> tuple[Floats, Floats]:
    """Labels still to come after each of `ahead` steps, and the standard error of that number.

    Args:
        seen: What the delays are learned from, known up to the last step.
        pending: Rows that wait, by the step of their age [STEPS + 1].
        ahead: Steps from now [points].
    """
    left = seen.left
    ages = np.flatnonzero(pending)
    rows, start = pending[ages], left[ages]
    total, came = seen.at_risk.sum(axis=0), seen.came.sum(axis=0)
    bare = total * (total - came)
    greenwood = np.divide(came, bare, out=np.zeros(total.size), where=bare > 0)
    never = np.divide(left[-1], start, out=np.zeros(start.size), where=start > 0)
    # Every step after a row's age moves the share that never gets a label.
    pull = _spread(rows * never, ages, np.full(ages.size, STEPS))
    means, errors = [], []
    for steps in ahead:
        until = np.minimum(ages + steps, STEPS)
        waiting = np.divide(left[until], start, out=np.zeros(start.size), where=start > 0)
        late = waiting - never
        moves = _spread(rows * waiting, ages, until) - pull
        luck = float((rows * late * (1 - late)).sum())
        means.append(float((rows * late).sum()))
        errors.append(math.sqrt(luck + float((moves**2 * greenwood).sum())))
    return np.array(means), np.array(errors)


def _spread(values: Floats, after: Codes, until: Codes) -> Floats:
    """Sum of `values` over the steps after `after` up to `until`, by step [STEPS + 1]."""
    edges = np.bincount(after + 1, values, minlength=STEPS + 3)
    edges = edges - np.bincount(until + 1, values, minlength=STEPS + 3)
    return np.asarray(edges.cumsum()[: STEPS + 1])


def _by_age(waiting: pd.DataFrame) -> Floats:
    """Rows by the step of their age [STEPS + 1]."""
    ages = np.clip(waiting["age_step"].to_numpy(np.int64), 0, STEPS)
    table = np.bincount(ages, waiting["n"].to_numpy(np.float64), minlength=STEPS + 1)
    return np.asarray(table, dtype=np.float64)


def _share(all_in: float, left: Floats) -> Floats:
    if all_in <= 0:
        return np.ones(left.size)
    return np.asarray(np.clip(1 - left / all_in, 0.0, 1.0), dtype=np.float64)


def _in(known: int, left: float) -> float:
    if math.isnan(left):
        return math.nan
    return known / (known + left) if known + left > 0 else 1.0


def _told(days: Floats, shares: tuple[Floats, Floats, Floats]) -> Moment | None:
    """When `TOLD` is reached, at the middle, the sooner and the later end; None if it is already."""
    middle, low, high = (_reached(days, share) for share in shares)
    if math.isnan(middle) or middle <= 0:
        return None
    return Moment(middle, high, low)


def _reached(days: Floats, share: Floats) -> float:
    over = np.flatnonzero(share >= TOLD)
    if not over.size or np.isnan(share).any():
        return math.nan
    at = int(over[0])
    if not at:
        return 0.0
    part = (TOLD - share[at - 1]) / (share[at] - share[at - 1])
    return float(days[at - 1] + part * (days[at] - days[at - 1]))
