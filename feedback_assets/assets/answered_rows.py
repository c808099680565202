"""The rows that people gave a label to, each with its label and its chance to have got one."""

import datetime as dt

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.review_rows import asking_window
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_end
from feedback_assets.labels.ever_asked import ever_answered
from feedback_assets.sqltext import instant
from feedback_assets.tables.connection import registered
from feedback_assets.tables.snapshot import Snapshot

COLUMNS = ["prediction_id", "partition_key", "event_time", "value", "chance"]


def answered(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, serving: ModelVersion, now: dt.datetime
) -> pd.DataFrame:
    """Rows of the days that a version served which people labelled by now, in the order of their ids.

    All of them, whatever they were asked for: weighted by the inverse of their chances they stand
    for all rows that people could have been asked about.

    Returns:
        Columns as `COLUMNS`: `value` is the label as text, `chance` that of being asked about in
        any batch the row stood in (labels/ever_asked.py) and then answered, as people answer a
        batch in random order.
    """
    queue, labels, feedback = (
        space.table(name).snapshot() for name in ("review_queue", "review_labels", "feedback_table")
    )
    if min(queue.version, labels.version, feedback.version) < 0:
        return pd.DataFrame(columns=COLUMNS)
    asked = _asked(con, queue, labels, now)
    keys = days_of(space, feedback, serving)
    labelled = asked["value"].notna()
    if not labelled.any() or not keys:
        return pd.DataFrame(columns=COLUMNS)
    names = ["prediction_id", "partition_key", "event_time"]
    with registered(con, "fa_labelled", asked.loc[labelled, ["prediction_id"]]):
        rows = con.execute(
            f"""SELECT rows.* FROM {feedback.relation(keys, names)} AS rows
                JOIN fa_labelled ON fa_labelled.prediction_id = rows.prediction_id"""
        ).df()
    asked = asked.merge(rows, on="prediction_id", how="left")
    begun = asked.groupby("batch")["asked_at"].min().sort_values()
    oldest = pd.Series([asking_window(space.config, moment.to_pydatetime()) for moment in begun])
    chance = ever_answered(
        asked["probability"].to_numpy(np.float64),
        begun.index.get_indexer(pd.Index(asked["batch"])).astype(np.int64),
        labelled.to_numpy(),
        _micros(asked["event_time"]),
        _micros(oldest),
        _micros(begun),
    )
    found = asked[labelled.to_numpy()].assign(chance=chance)
    return found.loc[found["event_time"].notna(), COLUMNS].reset_index(drop=True)


def days_of(space: LoopSpace, feedback: Snapshot, serving: ModelVersion) -> list[str]:
    """Partitions with rows since the version was first promoted: older ones cannot be its own."""
    promoted = (d.time for d in decisions(space, "promote") if d.version == str(serving.version))
    first = next(promoted, dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    grain = space.config.partitions.grain
    filled = (key for key, info in feedback.partitions().items() if info.rows)
    return [key for key in filled if partition_end(grain, key) > first]


def _asked(
    con: duckdb.DuckDBPyConnection, queue: Snapshot, labels: Snapshot, now: dt.datetime
) -> pd.DataFrame:
    """Every question once, as it was first asked, with the `value` that people's answers came to.

    What the audit draws of the questions asked before is marked in the queue once more, and nobody
    is asked again.
    """
    names = ["partition_key", "task_id", "prediction_id", "batch", "asked_at", "strategy"]
    told = ["prediction_id", "value", "received_time", "event_id"]
    return con.execute(
        f"""WITH questions AS (
              SELECT prediction_id, batch, asked_at, probability, ROW_NUMBER() OVER (
                PARTITION BY prediction_id ORDER BY partition_key, task_id) AS place
              FROM {queue.relation(None, [*names, "probability"])} AS q
              WHERE strategy <> 'golden' AND probability > 0 AND asked_at <= {instant(now)}
            ), told AS (
              SELECT prediction_id, value, ROW_NUMBER() OVER (
                PARTITION BY prediction_id ORDER BY received_time DESC, event_id DESC) AS place
              FROM {labels.relation(None, told)} AS l WHERE received_time <= {instant(now)}
            )
            SELECT q.prediction_id, q.batch, q.asked_at, q.probability, told.value
            FROM questions AS q
            LEFT JOIN told ON told.prediction_id = q.prediction_id AND told.place = 1
            WHERE q.place = 1 ORDER BY q.prediction_id"""
    ).df()


def _micros(moments: "pd.Series[pd.Timestamp]") -> npt.NDArray[np.float64]:
    """Microseconds since 1970 [n]; NaN where there is no moment."""
    since = pd.to_datetime(moments, utc=True) - pd.Timestamp(0, tz="UTC")
    return np.asarray(since / pd.Timedelta(microseconds=1), np.float64)
