"""The rows of a trial: what both models say of them, and what is known of their truth by now."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.answers import LEARNED_DAYS
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial_scores import days_since, partition_of, said_columns, scored
from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import delay_counts_sql, maturity
from feedback_assets.labels.judges import may_judge_sql
from feedback_assets.labels.older import SAID, with_columns
from feedback_assets.labels.selection import is_weighted, selection_draw_sql
from feedback_assets.sqltext import ident, instant
from feedback_assets.tables.snapshot import Snapshot

Side = Literal["champion", "challenger"]
SIDES: tuple[Side, Side] = ("champion", "challenger")
TRUTH = ("prediction_id", "partition_key", "event_time", "label", "label_received_time")
"""What every look reads of the feedback table."""


@dataclass(frozen=True)
class TrialRows:
    """Every scored row of a trial, and which of them count as evidence, in which order.

    Attributes:
        frame: a row each: the truth, and by side `champion_score`, `challenger_prediction`, ...;
            `settled`: whether the label is accepted and undisputed, and may judge; of selective labels
            with a logged chance only a fair sample does.
        order: positions of the rows that count, in the order in which they came to count.
        inputs: table to the version that was read.
        scores: the table of scores.
    """

    frame: pd.DataFrame
    order: npt.NDArray[np.int64]
    inputs: dict[str, int]
    scores: Snapshot

    @property
    def counted(self) -> pd.DataFrame:
        """The rows that count, in their order."""
        return self.frame.iloc[self.order]


def trial_rows(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    models: tuple[ModelVersion, ModelVersion],
    after: dt.datetime,
    now: dt.datetime,
    spent: Collection[str] = (),
    run_id: str = "",
) -> TrialRows:
    """The rows predicted after a moment, scored by both models, with the truth known by now.

    A row counts from when its label was received, though not before its day is mature (or it is
    `decide.label_wait_days` old). In that order anybody could have learned of them, and a later row
    never changes what came before: an e-process may be looked at after each. A row whose label is
    corrected counts from the correction on, and no more from its first label: evidence can change in
    retrospect by as much as labels are corrected (`feedback_events` keeps who did it).

    Args:
        space: The loop.
        con: A connection.
        models: Champion and challenger.
        after: Only rows predicted later.
        now: Nothing received later is used.
        spent: Partitions that have judged enough candidates already.
        run_id: The run that asks.

    Raises:
        TableError: The feedback table was never written.
        TrainingError: A model cannot score the log's rows.
    """
    log = space.table("prediction_log").snapshot()
    truth = space.table("feedback_table").snapshot()
    known = truth.partitions()
    days = [day for day in days_since(space, log, after) if day in known and day not in spent]
    for model in models:
        scores = scored(space, con, model, log, days, run_id)
    inputs = {
        "prediction_log": log.version, "feedback_table": truth.version, "trial_rows": scores.version,
    }  # fmt: skip
    if not days:
        return TrialRows(pd.DataFrame(), np.empty(0, dtype=np.int64), inputs, scores)
    frame = con.execute(_rows_sql(space.config, truth, scores, models, days, after, now)).df()
    moments = counting_from(space, con, truth, frame, now)
    order = counting_order(moments, frame["label_received_time"], now)
    return TrialRows(frame, order, inputs, scores)


def counting_from(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    truth: Snapshot,
    frame: pd.DataFrame,
    now: dt.datetime,
) -> pd.Series:
    """When each row came to count, or will [rows]; null where its truth is not known or not settled.

    Labels that come early are no fair sample (fraud is told at once, honesty never). So a row waits
    until its day is mature, or for so long as the file says.
    """
    wait = space.config.decide.label_wait_days
    if wait is not None:
        ripe = frame["event_time"] + pd.Timedelta(days=wait)
    else:
        ripe = frame["partition_key"].map(mature_from(space, con, truth, now))
        ripe = pd.to_datetime(ripe, utc=True)
    known = frame["settled"].to_numpy(dtype=np.bool_) & ripe.notna()
    return ripe.where(ripe > frame["label_received_time"], frame["label_received_time"]).where(
        known
    )


def mature_from(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, truth: Snapshot, now: dt.datetime
) -> dict[str, dt.datetime]:
    """Mature partition to the moment from which it was, by the delays of the newest days."""
    config, grain = space.config, space.config.partitions.grain
    filled = [key for key, info in truth.partitions().items() if info.rows][-LEARNED_DAYS:]
    counts = con.execute(delay_counts_sql(config, truth.relation(filled), now)).df()
    standing = maturity(counts, config, now)
    age = config.pool.mature_after_days
    age = standing.curve.age_at(config.pool.maturity) if age is None else age
    return {key: partition_end(grain, key) + dt.timedelta(days=age) for key in standing.partitions}


def counting_order(
    moments: pd.Series, received: pd.Series, now: dt.datetime
) -> npt.NDArray[np.int64]:
    """Positions of the rows that count by now: by when they came to, then by when they were labelled.

    Rows that are equal in both keep their order.
    """
    counts = np.flatnonzero((moments <= pd.Timestamp(now)).to_numpy(dtype=np.bool_))
    first, second = (
        column.iloc[counts].to_numpy(dtype="datetime64[us]") for column in (moments, received)
    )
    return counts[np.lexsort((second, first))]


def by_side(config: Config, frame: pd.DataFrame, side: Side) -> pd.DataFrame:
    """The rows with one model's answers as their own: `score`, `prediction`, `score_<class>`."""
    own = {f"{side}_{name}": name for name in said_columns(config)}
    others = [
        f"{other}_{name}" for name in said_columns(config) for other in SIDES if other != side
    ]
    return frame.drop(columns=others).rename(columns=own)


def _rows_sql(
    config: Config,
    truth: Snapshot,
    scores: Snapshot,
    models: tuple[ModelVersion, ModelVersion],
    days: Sequence[str],
    after: dt.datetime,
    now: dt.datetime,
) -> str:
    """SQL of the scored rows, by prediction id, with `counted_from`."""
    # The KPI's expression may speak of any column; else only few are read.
    own = [name for name in said_columns(config) if name in truth.columns()]
    names = [name for name in truth.columns() if name not in own]
    if config.kpi.expression is None and config.label.kind != "regression":
        names = list(TRUTH)
    said = [
        f"{side}.{ident(name)} AS {ident(f'{side}_{name}')}"
        for side in SIDES
        for name in said_columns(config)
    ]
    joins = [
        f"JOIN {scores.relation([partition_of(model, day) for day in days])} AS {side} "
        f"ON {side}.prediction_id = truth.prediction_id"
        for side, model in zip(SIDES, models, strict=True)
    ]
    relation = with_columns(truth.relation(days), truth.columns(), SAID)
    if is_weighted(config):  # the condition of the file names columns that the scores have, too
        drawn = selection_draw_sql(config, "labelled")
        relation = f"(SELECT *, {drawn} AS fa_drawn FROM {relation} AS labelled)"
    disputed = "COALESCE(truth.label_conflict, FALSE)" if config.pool.drop_conflicts else "FALSE"
    return f"""
SELECT {", ".join(f"truth.{ident(name)}" for name in names)}, {", ".join(said)},
  COALESCE(truth.label_status = 'accepted' AND truth.label IS NOT NULL AND NOT {disputed}, FALSE)
    AND {may_judge_sql(config, "truth")}{" AND fa_drawn" if is_weighted(config) else ""} AS settled
FROM {relation} AS truth {" ".join(joins)}
WHERE truth.event_time > {instant(after)} AND truth.received_time <= {instant(now)}
ORDER BY truth.prediction_id"""
