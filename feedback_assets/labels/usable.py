"""How many new labels a training could use now, and in some days: what the trigger may wait for."""

import math
from collections.abc import Collection, Mapping

import numpy as np

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import ArrivalCurve, Cohort, Maturity
from feedback_assets.labels.curves import ALL
from feedback_assets.labels.immature import known
from feedback_assets.policy.evidence import Coming

MOST_MOMENTS = 60


def coming(
    standing: Maturity,
    curves: Mapping[str, ArrivalCurve],
    config: Config,
    trained: Collection[str],
    max_days: float,
) -> tuple[Coming, ...]:
    """New labels of rows that are there by now, at the moments when more may be trained on.

    A label counts from when its day is mature (with `pool.immature: weight`, from when the day may be
    weighed). Held-out days do not change the sum: as many go to training as take their place.

    Args:
        standing: Every day's rows and labels, and which are mature.
        curves: `group_curves` of the same counts.
        config: The loop.
        trained: Partitions that the newest version could use.
        max_days: Looks no further ahead.

    Returns:
        Days from now, ascending from 0, with the labels by then; empty before delays are known.
    """
    if ALL not in curves:
        return ()
    fresh = [c for c in standing.cohorts if c.partition_key not in set(trained)]
    ripe = {c.partition_key: _ripe_at(c, standing.curve, config) for c in fresh}
    days = sorted({0.0, *(at for at in ripe.values() if 0 < at <= max_days)})
    if config.pool.immature == "weight":
        days = sorted({*days, *np.arange(1.0, math.floor(max_days) + 1).tolist()})
    if len(days) > MOST_MOMENTS:
        days = [0.0, *np.linspace(0, max_days, MOST_MOMENTS)[1:].tolist()]
    return tuple(
        Coming(at, sum(_labels(c, ripe[c.partition_key], at, curves, config) for c in fresh))
        for at in days
    )


def _ripe_at(cohort: Cohort, curve: ArrivalCurve, config: Config) -> float:
    """Days from now until a cohort is mature; one that is kept back though old enough waits for all."""
    if cohort.mature:
        return 0.0
    fixed = config.pool.mature_after_days
    age = curve.age_at(config.pool.maturity) if fixed is None else fixed
    if cohort.age_days >= age:
        age = curve.max_delay_days
    return max(age - cohort.age_days, 0.0)


def _labels(
    cohort: Cohort,
    ripe: float,
    at: float,
    curves: Mapping[str, ArrivalCurve],
    config: Config,
) -> float:
    """Labels of a cohort that a training in `at` days could use."""
    later = known(cohort, curves, at)
    if at < ripe and (
        config.pool.immature == "leave" or min(later.values()) * config.pool.max_weight < 1
    ):
        return 0.0
    whole = curves[ALL]
    more = max(later[ALL] - whole.share(cohort.age_days), 0.0)
    return cohort.labels + cohort.rows * whole.label_share * more
