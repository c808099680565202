"""A metric with what chance leaves open about it.

Where the rows come from five days or more, the days are what repeats, not the rows: rows of one
day share its weather, so the error is clustered by day (Liang & Zeger 1986), though never taken to
be smaller than independent rows would have it. With fewer days the rows count as independent,
which the width cannot know to be too narrow.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.performance.measure import Answers, Measured, dot, measure
from feedback_assets.performance.metrics import Codes, Floats

CLUSTERS = 5
_UNITS = 32
_DRAWS = 400
_SEED = 15


class Interval(NamedTuple):
    """A value with its two-sided confidence interval; NaN where not known.

    Attributes:
        value: the point estimate.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def intervals(
    metrics: Sequence[ReportMetric], answers: Answers, confidence: float
) -> dict[ReportMetric, Interval]:
    """Several metrics of the same rows with their intervals."""
    return {m: interval(measure(m, answers), confidence) for m in metrics}


def mean_interval(values: Floats, confidence: float, days: Codes | None = None) -> Interval:
    """The mean of `values[n]` (NaN left out) by Student's t, clustered by `days[n]` if given.

    >>> [round(x, 3) for x in mean_interval(np.array([1.0, 2.0, 3.0]), 0.95)]
    [2.0, -0.484, 4.484]
    """
    day = np.zeros(values.size, dtype=np.int64) if days is None else days
    nothing = np.zeros(values.size)
    answers = Answers("regression", nothing, nothing, nothing, day, worth=values)
    return interval(measure("value", answers), confidence)


def interval(measured: Measured, confidence: float) -> Interval:
    """The two-sided interval of a measured metric.

    Means: Student's t, errors cut at 0. Shares (accuracy, AUC with DeLong's variance, F1 by its
    Jaccard index): Wilson's with as many answers as the standard error is worth (Korn & Graubard
    1998), which stays within 0 and 1 and open at a perfect score. RMSE and R2: t on the logarithm
    of the squared error. ECE: `_gap_interval`. Ends are NaN with fewer than two rows.
    """
    value = measured.working
    if not math.isfinite(value):
        return UNKNOWN
    if measured.rows < 2:
        return Interval(measured.value, math.nan, math.nan)
    if measured.scale == "gap":
        return _gap_interval(measured, confidence)
    error, freedom = standard_error(measured)
    reach = t_quantile(confidence, freedom)
    if measured.scale == "share":
        trials = measured.trials * _evenness(measured)
        low, high = _wilson(value, error, trials, reach)
    elif measured.scale == "ratio":
        stretch = math.exp(reach * error / value) if value > 0 else 1.0
        low, high = value / stretch, value * stretch
    else:
        low, high = value - reach * error, value + reach * error
        low = max(low, 0.0) if measured.scale == "positive" else low
    ends = sorted([measured.finish(low), measured.finish(high)])
    return Interval(measured.value, ends[0], ends[1])


def standard_error(measured: Measured) -> tuple[float, int]:
    """Standard error on the working scale and its degrees of freedom."""
    moves = measured.spread * measured.weights
    total = float(measured.weights.sum())
    error = math.sqrt(dot(moves, moves)) / total
    clusters = _clusters(measured.answers.day)
    if not clusters:
        return error, max(measured.rows - 1, 1)
    moves = measured.influence * measured.weights
    sums = np.bincount(measured.answers.day, moves).astype(np.float64)
    by_day = math.sqrt(clusters / (clusters - 1) * dot(sums, sums)) / total
    return max(error, by_day), clusters - 1


@functools.lru_cache(maxsize=4096)
def t_quantile(confidence: float, freedom: int) -> float:
    """Student's t below which half of 1 + confidence lies.

    >>> round(t_quantile(0.95, 9), 3)
    2.262
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def wilson(share: float, trials: float, confidence: float) -> Interval:
    """A share of independent trials (Wilson 1927).

    >>> [round(x, 3) for x in wilson(0.5, 10, 0.95)]
    [0.5, 0.237, 0.763]
    """
    if not trials > 0 or not math.isfinite(share):
        return UNKNOWN
    low, high = _score_ends(share, trials, t_quantile(confidence, 10**9))
    return Interval(share, low, high)


def upper_end(draws: Floats, tail: float) -> float:
    """The draw at or below which a share `tail` of them lies (np.quantile costs ten times this).

    >>> upper_end(np.arange(1.0, 101.0), 0.975)
    98.0
    """
    return float(np.sort(draws)[min(int(tail * draws.size), draws.size - 1)])


def _wilson(share: float, error: float, trials: float, reach: float) -> tuple[float, float]:
    worth = share * (1 - share) / error**2 if error > 0 and 0 < share < 1 else trials
    return _score_ends(share, worth, reach)


def _score_ends(share: float, trials: float, reach: float) -> tuple[float, float]:
    square = reach**2 / trials
    centre = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _evenness(measured: Measured) -> float:
    """Equal rows that a row of uneven inverse propensity is worth (Kish 1965); 1 without such."""
    weight = measured.answers.weight
    if weight is None:
        return 1.0
    return float(weight.sum()) ** 2 / (dot(weight, weight) * weight.size)


def _gap_interval(measured: Measured, confidence: float) -> Interval:
    """ECE by a seeded bootstrap of the bins' gaps, days or dealt units resampled.

    ECE is too large by what chance adds to each bin's gap, and a percentile bootstrap adds that
    twice. So the lower end takes away as much as the bins' errors add up to in the given share of the
    draws: a calibrated model's interval reaches 0.
    """
    gaps, bins, day = measured.gaps, measured.bins, measured.answers.day
    if gaps is None or bins is None:
        return UNKNOWN
    clusters, n = _clusters(day), gaps.size
    _, unit = np.unique(day, return_inverse=True) if clusters else (None, np.arange(n) % _UNITS)
    units = clusters or min(_UNITS, n)
    bin_of = np.repeat(np.arange(bins.size), np.diff(np.append(bins, n)))
    moves = gaps * measured.weights / float(measured.weights.sum())
    table = np.bincount(unit * bins.size + bin_of, moves, units * bins.size)
    table = table.reshape(units, bins.size)
    stretch = math.sqrt(units / (units - 1))
    stretch *= t_quantile(confidence, units - 1) / t_quantile(confidence, 10**9)
    errors = (_draws(units) @ table) * stretch
    added = np.abs(errors).sum(axis=1)
    shift = errors @ np.sign(table.sum(axis=0))
    tail = (1 + confidence) / 2
    low = measured.working - upper_end(added, tail)
    high = measured.working + max(upper_end(shift, tail), 0.0)
    return Interval(measured.value, max(low, 0.0), min(high, 1.0))


def _clusters(day: Codes) -> int:
    """Days among the rows; 0 when too few to stand for days."""
    found = int(np.count_nonzero(np.bincount(day))) if day.size else 0
    return found if found >= CLUSTERS else 0


@functools.lru_cache(maxsize=256)
def _draws(units: int) -> Floats:
    """How much more or less often than once each unit is drawn [draws, units]."""
    rng = np.random.default_rng([_SEED, units])
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=_DRAWS)
    return np.asarray(drawn, dtype=np.float64) - 1
