"""Rows that wait for their label, and labels that came, counted by age: what delay curves are made of.

Every row counts, those that still wait, too: a row without a label is known to have had none for as
long as it is old.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS
from feedback_assets.performance.metrics import Floats
from feedback_assets.sqltext import ident, instant, number

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Exposure:
    """Rows at risk and labels that came, by cohort and step of age (0..STEPS).

    Attributes:
        at_risk: rows of the cohort that were seen for the whole step without a label before it.
        came: those of them whose label came in the step.
        seen_to: the age that the cohort's last row has, in steps [cohorts].
        known_to: the age that the oldest row has, in steps; -1 without rows.
    """

    at_risk: Floats
    came: Floats
    seen_to: npt.NDArray[np.int64]
    known_to: int

    @property
    def rate(self) -> Floats:
        """Chance that a label comes in a step when it has not before [steps]; 0 where none waits."""
        total: Floats = self.at_risk.sum(axis=0)
        came: Floats = self.came.sum(axis=0)
        return over(came, total)

    @property
    def left(self) -> Floats:
        """Share of the rows that still have no label after each step [steps]."""
        return np.asarray(np.cumprod(1 - self.rate), dtype=np.float64)


def waiting_counts_sql(
    config: Config, relation: str, as_of: dt.datetime, segment: str | None = None
) -> str:
    """SQL that counts a feedback table's rows by cohort, label value, delay and age.

    Rows that were rejected owe no label and are left out.

    Args:
        config: the loop's.
        relation: text for FROM: the feedback table.
        as_of: labels received later count as pending, predictions received later not at all.
        segment: a column by whose values the counts are also split.

    Returns:
        A query with columns `partition_key`, `label_group` VARCHAR (null while pending; empty for
        numbers), `delay_step` BIGINT (null while pending; rounded up), `age_step` BIGINT (age of the
        row, rounded down, at most STEPS), `n`, and with a segment `segment_value`. Steps are
        max_delay_days / 720.
    """
    split = f", CAST({ident(segment)} AS STRING) AS segment_value" if segment else ""
    by = ", segment_value" if segment else ""
    now = instant(as_of)
    known = f"label_status = 'accepted' AND label_received_time <= {now}"
    step = config.label.max_delay_days / STEPS
    group = "''" if config.label.kind == "regression" else "CAST(label AS STRING)"
    age = f"(epoch_us({now}) - epoch_us(event_time)) / {number(step * _DAY_US)}"
    return f"""
SELECT partition_key, label_group, delay_step, age_step{by}, COUNT(*) AS n
FROM (
  SELECT partition_key{split},
    CASE WHEN {known} THEN {group} END AS label_group,
    CASE WHEN {known} THEN CAST(CEIL(GREATEST(label_delay_days, 0e0) / {number(step)} - 1e-6)
      AS BIGINT) END AS delay_step,
    CAST(LEAST(GREATEST(FLOOR({age} + 1e-9), -1e0), {number(float(STEPS))}) AS BIGINT) AS age_step
  FROM {relation} AS feedback
  WHERE received_time <= {now} AND label_status <> 'rejected'
) AS waits
GROUP BY partition_key, label_group, delay_step, age_step{by}
""".strip()


def exposure(counts: pd.DataFrame) -> Exposure:
    """Rows at risk and labels that came, of rows of `waiting_counts_sql` [cohorts, STEPS + 1]."""
    cohort, names = pd.factorize(counts["partition_key"], sort=True)
    leaves, came = leaving(counts)
    shape = (len(names), STEPS + 1)
    age = counts["age_step"].to_numpy(np.int64)
    last = np.full(len(names), STEPS, dtype=np.int64)
    np.minimum.at(last, cohort, age)
    n = counts["n"].to_numpy(np.float64)
    seen = leaves >= 0
    return Exposure(
        table(cohort[seen], leaves[seen], n[seen], shape)[:, ::-1].cumsum(axis=1)[:, ::-1],
        table(cohort[came], leaves[came], n[came], shape),
        last,
        int(age.max(initial=-1)),
    )


def leaving(counts: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The step at which rows leave, and whether with a label.

    A label that came in the step that the row has not finished yet counts as not yet come: rows that
    are as old without one do not count either.
    """
    age = counts["age_step"].to_numpy(np.int64)
    delay = counts["delay_step"].to_numpy(np.float64, na_value=np.inf)
    came = delay <= age
    return np.where(came, np.where(came, delay, 0), age).astype(np.int64), came


def table(
    cohort: npt.NDArray[np.int64],
    step: npt.NDArray[np.int64],
    n: Floats,
    shape: tuple[int, int],
) -> Floats:
    """Rows by cohort and step, as floats of `shape`."""
    flat = np.bincount(cohort * shape[1] + step, n, minlength=shape[0] * shape[1])
    return np.asarray(flat, dtype=np.float64).reshape(shape)


def over(top: Floats, bottom: Floats) -> Floats:
    """A quotient, 0 where there is nothing below."""
    found = np.divide(top, bottom, out=np.zeros(bottom.size), where=bottom > 0)
    return np.asarray(found, dtype=np.float64)
