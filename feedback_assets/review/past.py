"""What was asked before: so that no row is asked twice, and what need not be asked any more."""

import sqlite3
from dataclasses import dataclass

from feedback_assets.review.records import Task
from feedback_assets.review.rows import task_of


@dataclass(frozen=True)
class Batch:
    """How far one batch is, in questions."""

    batch: str
    open: int
    done: int
    withdrawn: int


def of_batch(con: sqlite3.Connection, batch: str) -> list[Task]:
    """The questions of one batch, in the order of their ids."""
    rows = con.execute("SELECT * FROM tasks WHERE batch = ? ORDER BY task_id", (batch,))
    return [task_of(row) for row in rows]


def asked(con: sqlite3.Connection, but: str) -> dict[str, int]:
    """Row to how often it was asked about in other batches than one."""
    rows = con.execute(
        "SELECT prediction_id, COUNT(*) FROM tasks WHERE batch <> ? GROUP BY prediction_id", (but,)
    )
    return {row[0]: row[1] for row in rows}


def needless(con: sqlite3.Connection) -> dict[str, str]:
    """Task id to row of open questions that only a strategy asks and nobody has answered yet."""
    rows = con.execute(
        """SELECT task_id, prediction_id FROM tasks
           WHERE open AND labels = 0 AND strategy NOT IN ('audit', 'golden') ORDER BY task_id"""
    )
    return {row["task_id"]: row["prediction_id"] for row in rows}


def batches(con: sqlite3.Connection, newest: int) -> list[Batch]:
    """The newest batches, oldest of them first."""
    rows = con.execute(
        """SELECT batch, SUM(open), SUM(NOT open AND (withdrawn_us IS NULL OR labels >= answers)),
             SUM(withdrawn_us IS NOT NULL AND labels < answers)
           FROM tasks GROUP BY batch ORDER BY batch DESC LIMIT ?""",
        (newest,),
    )
    return [Batch(*row) for row in rows][::-1]
