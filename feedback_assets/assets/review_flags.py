"""What flags a question's row has, as far as they may be told to who answers it."""

from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pandas as pd

from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_key_of
from feedback_assets.review.records import Task
from feedback_assets.sqltext import literals
from feedback_assets.tables.connection import registered

TOLD = {"novel_input": "", "drifted_region": "drifted", "weak_slice": ""}
"""Reasons that give away neither the model's answer nor the truth, to the strategy that says so
already; the other flags would pull people towards an answer."""


def with_flags(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, tasks: Sequence[Task]
) -> list[Task]:
    """The questions, each with its row's flags behind the reason why it is asked."""
    table = space.table("flags").snapshot()
    grain = space.config.partitions.grain
    days = sorted({partition_key_of(grain, task.event_time) for task in tasks})
    if table.version < 0 or not days:
        return list(tasks)
    asked = pd.DataFrame(
        {"id": [task.prediction_id for task in tasks], "place": range(len(tasks))}
    ).astype({"id": "string"})
    with registered(con, "fa_asked_rows", asked):
        found = con.execute(
            f"""SELECT place, reason, detail
                FROM {table.relation(days, ["prediction_id", "reason", "detail"])} AS flagged
                JOIN fa_asked_rows ON id = prediction_id
                WHERE reason IN ({literals(TOLD)}) ORDER BY place, reason"""
        ).fetchall()
    told: dict[int, list[str]] = {}
    for at, reason, detail in found:
        if tasks[at].strategy != TOLD[reason]:
            told.setdefault(at, []).append(detail)
    return [
        replace(task, reason="; ".join([task.reason, *told.get(at, [])]))
        for at, task in enumerate(tasks)
    ]
