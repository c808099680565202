"""The answers that were served, beside what is known of their truth, as frames for judging them."""

import datetime as dt
from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.judged import judged_rows
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.worth import worth
from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import cohort_ages, delay_counts_sql
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.selection import is_weighted, selection_weight_sql
from feedback_assets.performance.maturity import Arrivals
from feedback_assets.sqltext import idents, literal
from feedback_assets.tables.table import Snapshot

HASHES = 2**128
LEARNED_DAYS = 180
"""Delay curves are learned from the newest so many days."""


def trailing(space: LoopSpace, source: Snapshot, keys: Sequence[str], days: int) -> list[str]:
    """Partitions with rows in the `days` days that end with each of `keys`, oldest first."""
    grain = space.config.partitions.grain
    first = partition_end(grain, min(keys)) - dt.timedelta(days=days)
    filled = (key for key, info in source.partitions().items() if info.rows)
    return [key for key in filled if key <= max(keys) and partition_start(grain, key) >= first]


def answers(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    keys: Sequence[str],
    features: bool = False,
) -> pd.DataFrame:
    """Answered rows of these partitions, labelled or not, with `value` where SQL says their worth.

    `selection_weight` is there where labels are selective and the chance of the decision was logged.

    Labels that may not judge (labels/judges.py) are unknown here.
    Of a day with more than `performance.rows_per_day` rows a share is drawn by a hash of the id.

    Args:
        space: The loop.
        con: A connection.
        source: The feedback table.
        keys: Partitions, at least one.
        features: Whether the features are read, too.
    """
    config = space.config
    names = ["partition_key", "prediction_id", "event_time", "label", "label_status"]
    names += ["label_received_time", "received_time", "score", "prediction", "model_version"]
    names += [f"score_{c}" for c in config.label.classes if config.label.kind == "multiclass"]
    names += config.columns.segments
    if features or config.kpi.expression or config.label.kind == "regression":
        names += [*config.columns.features, *config.columns.carried]
    names = [name for name in dict.fromkeys(names) if name in source.columns()]
    read: list[str] | None = [*names, "role"]
    said = idents(names)
    if is_weighted(config):  # the condition of the file may speak of any column
        read, said = None, f"{said}, {selection_weight_sql(config)} AS selection_weight"
    frame = con.execute(
        f"""SELECT {said} FROM {judged_rows(config, source, keys, read)}
            WHERE role = 'served' AND score IS NOT NULL AND {drawn(config, source, keys)}
            ORDER BY partition_key, prediction_id"""
    ).df()
    if config.kpi.expression:
        frame["value"] = worth(config, con, frame) if len(frame) else np.empty(0)
    return frame


def drawn(config: Config, source: Snapshot, keys: Sequence[str]) -> str:
    """SQL that is true for the rows that are looked at: all, unless a day has very many."""
    limit, known = config.performance.rows_per_day, source.partitions()
    cases = []
    for key in keys:
        rows = known[key].rows if key in known else 0
        if rows > limit:
            bound = f"{int(HASHES * limit / rows):032x}"
            cases.append(
                f"WHEN partition_key = {literal(key)} THEN MD5(prediction_id) < {literal(bound)}"
            )
    return f"CASE {' '.join(cases)} ELSE TRUE END" if cases else "TRUE"


def known_until(con: duckdb.DuckDBPyConnection, source: Snapshot) -> dt.datetime:
    """The newest moment at which anything of the newest days was received.

    What is said is as of then: the same version of the table gives the same report, whenever it is
    made.
    """
    names = ["received_time", "label_received_time"]
    keys = [key for key, info in source.partitions().items() if info.rows][-LEARNED_DAYS:]
    # All is fetched: DuckDB lets nothing be registered beside a result that is not read to its end.
    ((found,),) = con.execute(
        f"SELECT GREATEST(MAX(received_time), MAX(label_received_time)) "
        f"FROM {source.relation(keys, names)}"
    ).fetchall()
    return found if isinstance(found, dt.datetime) else dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def arrivals(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, as_of: dt.datetime
) -> Arrivals | None:
    """How late labels come, overall and by segment; None before any day is complete."""
    config = space.config
    filled = [key for key, info in source.partitions().items() if info.rows][-LEARNED_DAYS:]
    names = ["partition_key", "label", "label_status", "label_received_time", "label_delay_days"]
    names += ["received_time", *config.columns.segments]
    relation = source.relation(filled, list(dict.fromkeys(names)))
    whole = group_curves(con.execute(delay_counts_sql(config, relation, as_of)).df(), config, as_of)
    if not whole:
        return None
    shares = {("", ""): {name: curve.share for name, curve in whole.items()}}
    for segment in config.columns.segments:
        counts = con.execute(delay_counts_sql(config, relation, as_of, segment)).df()
        sizes = (
            counts.groupby("segment_value")["n"].sum().nlargest(config.performance.segment_values)
        )
        for value in sizes.index:
            part = counts[counts["segment_value"] == value]
            curves = group_curves(part, config, as_of)
            if curves:
                shares[(segment, str(value))] = {n: c.share for n, c in curves.items()}
    return Arrivals(ages=cohort_ages(filled, config, as_of), shares=shares)
