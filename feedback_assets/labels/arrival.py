"""How late labels come, and which days have all but the last of theirs.

A young day shows only its quick labels (right truncation), some labels never come, and one class's
labels may come weeks before another's. So the delay curve is the reverse-hazard product of
Lynden-Bell (1971), on counts the same as the chain ladder of insurance: how many of the labels
known at age j were not yet known at age j - 1, asked only of cohorts at least j old. It is made per
label value and the slowest one decides; rows without a label do not enter.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.sqltext import ident, instant, number

STEPS = 720
_OWN_CURVE_LABELS = 50
_JUDGED_LABELS = 20


@dataclass(frozen=True)
class ArrivalCurve:
    """Share of the labels that will ever come which are known at an age.

    Attributes:
        max_delay_days: age at which a cohort is complete by definition.
        shares: share known at age `j * max_delay_days / STEPS`, j = 0..STEPS, of the slowest group.
        cohorts: cohorts old enough to know the curve's end.
        labels: labels of those cohorts.
        label_share: labels per prediction in those cohorts (some never come); NaN without any.
    """

    max_delay_days: float
    shares: tuple[float, ...]
    cohorts: int
    labels: int
    label_share: float

    def share(self, age_days: float) -> float:
        """Share known at an age, in days since the cohort's end."""
        if age_days >= self.max_delay_days:
            return 1.0
        if age_days < 0:
            return 0.0
        return self.shares[int(age_days / self.max_delay_days * STEPS)]

    def age_at(self, share: float) -> float:
        """The age in days at which `share` is known; `max_delay_days` if none before reaches it."""
        reached = np.flatnonzero(np.asarray(self.shares) >= share)
        step = self.max_delay_days / STEPS
        return (
            min(float(reached[0]) * step, self.max_delay_days)
            if reached.size
            else self.max_delay_days
        )


@dataclass(frozen=True)
class Cohort:
    """One partition's labels as-of a moment."""

    partition_key: str
    age_days: float
    """Days since the partition's end; negative while it runs."""
    rows: int
    labels: int
    expected_share: float
    """Share of its labels that should have arrived at this age."""
    mature: bool
    reason: str
    """Why it is mature or not, in words."""


@dataclass(frozen=True)
class Maturity:
    """The delay curve and every cohort's standing."""

    curve: ArrivalCurve
    cohorts: tuple[Cohort, ...]

    @property
    def partitions(self) -> list[str]:
        """Keys of the mature partitions, oldest first."""
        return [c.partition_key for c in self.cohorts if c.mature]

    def frame(self) -> pd.DataFrame:
        """One row per cohort, columns as the fields of `Cohort`, oldest first."""
        fields = list(Cohort.__dataclass_fields__)
        return pd.DataFrame([[getattr(c, f) for f in fields] for c in self.cohorts], columns=fields)


def delay_counts_sql(
    config: Config, relation: str, as_of: dt.datetime, segment: str | None = None
) -> str:
    """Portable SQL that counts a feedback table's rows by cohort, label value and delay.

    Args:
        config: the loop's.
        relation: text for FROM: the feedback table (`label_delay_days` is received label time less
            event time, in days).
        as_of: labels received later count as pending, predictions received later not at all.
        segment: a column by whose values the counts are also split.

    Returns:
        A query with columns `partition_key`, `label_group` VARCHAR, `delay_step` BIGINT (null for
        rows without an accepted label; steps of max_delay_days / 720, rounded up), `n` BIGINT,
        and with a segment `segment_value` VARCHAR.
    """
    split = f", CAST({ident(segment)} AS STRING) AS segment_value" if segment else ""
    by = ", segment_value" if segment else ""
    now = instant(as_of)
    known = f"label_status = 'accepted' AND label_received_time <= {now}"
    step = number(config.label.max_delay_days / STEPS)
    group = "CAST(label AS STRING)"
    if config.label.kind == "regression":
        group = f"CAST(NTILE(4) OVER (PARTITION BY {known} ORDER BY label) AS STRING)"
    return f"""
SELECT partition_key, label_group, delay_step{by}, COUNT(*) AS n
FROM (
  SELECT partition_key{split},
    CASE WHEN {known} THEN {group} END AS label_group,
    CASE WHEN {known} THEN CAST(CEIL(GREATEST(label_delay_days, 0e0) / {step}) AS BIGINT) END
      AS delay_step
  FROM {relation} AS feedback
  WHERE received_time <= {now}
) AS delays
GROUP BY partition_key, label_group, delay_step{by}
""".strip()


def maturity(counts: pd.DataFrame, config: Config, as_of: dt.datetime) -> Maturity:
    """The curve learned from `counts` (of `delay_counts_sql`) and the standing of every cohort.

    With `pool.mature_after_days` a cohort is mature at that age; else when the curve reaches
    `pool.maturity`, and at the latest at `label.max_delay_days`. A cohort with far fewer labels than
    its age promises (`contract.min_label_share`; a feed that stands still) waits for the latter.
    """
    ages = cohort_ages(counts["partition_key"].unique().tolist(), config, as_of)
    delays = counts["delay_step"].to_numpy(dtype=np.float64, na_value=np.nan)
    curve = arrival_curve(
        np.asarray(delays * (config.label.max_delay_days / STEPS), dtype=np.float64),
        np.array([ages[k] for k in counts["partition_key"]], dtype=np.float64),
        config.label.max_delay_days,
        groups=counts["label_group"].to_numpy(dtype=object),
        weights=counts["n"].to_numpy(dtype=np.float64),
        cohorts=counts["partition_key"].to_numpy(dtype=object),
    )
    rows = counts.groupby("partition_key")["n"].sum()
    labels = counts[np.isfinite(delays)].groupby("partition_key")["n"].sum()
    standing = [
        _standing(key, ages[key], int(rows[key]), int(labels.get(key, 0)), curve, config)
        for key in sorted(ages)
    ]
    return Maturity(curve, tuple(standing))


def cohort_ages(keys: Sequence[str], config: Config, as_of: dt.datetime) -> dict[str, float]:
    """Days from the end of each partition to `as_of`; negative while a partition runs."""
    grain = config.partitions.grain
    return {k: (as_of - partition_end(grain, k)).total_seconds() / 86_400 for k in keys}


def arrival_curve(
    delay_days: npt.NDArray[np.float64],
    cohort_age_days: npt.NDArray[np.float64],
    max_delay_days: float,
    *,
    groups: npt.NDArray[np.object_] | None = None,
    weights: npt.NDArray[np.float64] | None = None,
    cohorts: npt.NDArray[np.object_] | None = None,
) -> ArrivalCurve:
    """The delay curve of right-truncated labels, of the slowest group of labels.

    Until a cohort is `max_delay_days` old nothing is claimed: the share is 0 before that age. Half a
    label is added at the largest delay, so that few labels never promise that no other will come:
    99% takes 50 labels. Groups with fewer complete labels than that are judged together.

    Args:
        delay_days: delay of each label [n]; NaN for a row without one.
        cohort_age_days: age of each row's cohort [n], from the cohort's end.
        max_delay_days: later labels do not count.
        groups: label value of each row [n]: delays may differ by it.
        weights: number of rows that each entry stands for [n]; 1 if absent.
        cohorts: key of each row's cohort [n], to count them; the age tells them apart if absent.
    """
    n = np.ones(delay_days.size) if weights is None else weights
    old = cohort_age_days >= max_delay_days
    labelled = np.isfinite(delay_days) & (delay_days <= max_delay_days * (1 + 1e-9))
    complete = float(n[old & labelled].sum())
    keys = cohort_age_days if cohorts is None else cohorts
    shares = np.zeros(STEPS + 1)
    if complete:
        shares = np.ones(STEPS + 1)
        for member in _members(groups, labelled, old, n):
            shares = np.minimum(
                shares,
                _lynden_bell(
                    delay_days[member], cohort_age_days[member], n[member], max_delay_days
                ),
            )
    everyone = float(n[old].sum())
    return ArrivalCurve(
        max_delay_days,
        tuple(float(s) for s in shares),
        cohorts=int(pd.Series(keys[old]).nunique()),
        labels=int(complete),
        label_share=complete / everyone if everyone else float("nan"),
    )


def _members(
    groups: npt.NDArray[np.object_] | None,
    labelled: npt.NDArray[np.bool_],
    old: npt.NDArray[np.bool_],
    n: npt.NDArray[np.float64],
) -> list[npt.NDArray[np.bool_]]:
    """Masks of the groups judged apart; the small ones together, all of them at least."""
    if groups is None:
        return [labelled]
    codes, _ = pd.factorize(groups)
    sizes = np.bincount(codes[labelled & old], n[labelled & old], minlength=codes.max() + 1)
    own = np.flatnonzero(sizes >= _OWN_CURVE_LABELS)
    rest = labelled & ~np.isin(codes, own)
    members = [labelled & (codes == g) for g in own]
    return [*members, rest] if (rest & old).any() else members


def _lynden_bell(
    delay: npt.NDArray[np.float64],
    age: npt.NDArray[np.float64],
    n: npt.NDArray[np.float64],
    max_delay: float,
) -> npt.NDArray[np.float64]:
    """Shares known at each step: the product over later steps of 1 - reverse hazard."""
    step = max_delay / STEPS
    known_to = np.clip(np.floor(age / step + 1e-9), -1, STEPS).astype(np.int64)
    came = np.clip(np.ceil(delay / step - 1e-6), 0, STEPS).astype(np.int64)
    seen = came <= known_to
    size = STEPS + 1
    table = np.bincount(known_to[seen] * size + came[seen], n[seen], minlength=size * size).reshape(
        size, size
    )
    by_age = table[::-1].cumsum(axis=0)[::-1]
    new = np.diagonal(by_age).copy()
    so_far = np.diagonal(by_age.cumsum(axis=1)).copy()
    new[-1] += 0.5
    so_far[-1] += 0.5
    hazard = np.divide(new, so_far, out=np.ones(size), where=so_far > 0)
    later = np.cumprod((1 - hazard[1:])[::-1])[::-1]
    return np.append(later, 1.0)


def _standing(
    key: str, age: float, rows: int, labels: int, curve: ArrivalCurve, config: Config
) -> Cohort:
    share = curve.share(age)
    mature, reason = _verdict(age, rows, labels, share, curve, config)
    return Cohort(key, age, rows, labels, share, mature, reason)


def _verdict(
    age: float, rows: int, labels: int, share: float, curve: ArrivalCurve, config: Config
) -> tuple[bool, str]:
    fixed = config.pool.mature_after_days
    if fixed is not None:
        verb = "is past" if age >= fixed else "has not reached"
        return age >= fixed, f"its age of {age:.1f} days {verb} the {fixed:g} days of the file"
    if age >= curve.max_delay_days:
        return True, f"older than the largest delay of {curve.max_delay_days:g} days"
    if not curve.cohorts:
        return False, f"no day is {curve.max_delay_days:g} days old yet, so delays are not known"
    if share < config.pool.maturity:
        return (
            False,
            f"{share:.1%} of its labels expected by now, {config.pool.maturity:.1%} needed",
        )
    if starved(rows, labels, share, curve, config):
        expected = rows * curve.label_share * share
        return False, f"only {labels:,} labels where about {expected:,.0f} were expected by now"
    return True, f"{share:.1%} of its labels expected by now"


def starved(rows: int, labels: int, share: float, curve: ArrivalCurve, config: Config) -> bool:
    """Whether a cohort has far fewer labels than its age promises: a feed that stands still."""
    expected = rows * curve.label_share * share
    return expected >= _JUDGED_LABELS and labels < config.contract.min_label_share * expected
