"""What was asked before: so that no row is asked twice, and what need not be asked any more."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from feedback_assets.review.records import Task
from feedback_assets.review.rows import micros, moment_of, task_of, task_row

AUDIT = "audit"


@dataclass(frozen=True)
class Earlier:
    """Rows of earlier batches."""

    over: Set[str]
    """Rows that the audit drew or whose answer was known: they are drawn no more."""
    asked: Mapping[str, str | None]
    """Rows that only strategies asked about, so that the audit may draw them still, each to its
    question (task id); None where that lapsed without an answer."""


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


def audited(con: sqlite3.Connection, batch: str) -> list[Task]:
    """Questions of earlier batches that a batch's audit drew, as that draw has them."""
    rows = con.execute(
        """SELECT t.*, a.drawn_us, a.reason AS drawn_reason, a.probability AS drawn_probability,
             a.priority AS drawn_priority
           FROM audits a JOIN tasks t ON t.task_id = a.task_id WHERE a.batch = ? ORDER BY a.task_id""",
        (batch,),
    )
    return [
        replace(
            task_of(row),
            batch=batch,
            asked_at=moment_of(row["drawn_us"]),
            strategy=AUDIT,
            reason=row["drawn_reason"],
            probability=row["drawn_probability"],
            priority=row["drawn_priority"],
        )
        for row in rows
    ]


def audit(con: sqlite3.Connection, task: Task) -> None:
    """Note that a batch's audit drew a question of an earlier one."""
    row = task_row(task)
    con.execute(
        """INSERT INTO audits VALUES (:task_id, :batch, :asked_us, :reason, :probability, :priority)
           ON CONFLICT (task_id) DO NOTHING""",
        {
            name: row[name]
            for name in ("task_id", "batch", "asked_us", "reason", "probability", "priority")
        },
    )


def earlier(con: sqlite3.Connection, but: str, since: dt.datetime) -> Earlier:
    """What other batches asked about rows whose event came after a moment."""
    rows = con.execute(
        """SELECT t.prediction_id, MAX(t.strategy IN ('audit', 'golden') OR a.task_id IS NOT NULL),
             MAX(t.task_id) FILTER (WHERE t.withdrawn_us IS NULL OR t.labels > 0)
           FROM tasks t LEFT JOIN audits a ON a.task_id = t.task_id AND a.batch <> :but
           WHERE t.batch <> :but AND t.event_us > :since GROUP BY t.prediction_id""",
        {"but": but, "since": micros(since)},
    ).fetchall()
    return Earlier(
        {name for name, over, _ in rows if over},
        {name: standing for name, over, standing in rows if not over},
    )


def asked(con: sqlite3.Connection, but: str) -> dict[str, int]:
    """Row to how often it was asked about in other batches than one."""
    rows = con.execute(
        "SELECT prediction_id, COUNT(*) FROM tasks WHERE batch <> ? GROUP BY prediction_id", (but,)
    )
    return {row[0]: row[1] for row in rows}


def needless(con: sqlite3.Connection) -> list[Task]:
    """Open questions that only a strategy asks, not the audit, and that nobody has answered yet."""
    rows = con.execute(
        """SELECT * FROM tasks
           WHERE open AND labels = 0 AND strategy NOT IN ('audit', 'golden')
             AND task_id NOT IN (SELECT task_id FROM audits) ORDER BY task_id"""
    )
    return [task_of(row) for row in rows]


def withdraw(con: sqlite3.Connection, task_ids: Iterable[str], now: dt.datetime) -> int:
    """Withdraw open questions; how many of these were open."""
    query = "UPDATE tasks SET withdrawn_us = ? WHERE task_id = ? AND open"
    return sum(con.execute(query, (micros(now), task_id)).rowcount for task_id in task_ids)


def expire(con: sqlite3.Connection, now: dt.datetime, keep: dt.timedelta) -> int:
    """Withdraw questions older than `keep` or past their time; how many."""
    return con.execute(
        """UPDATE tasks SET withdrawn_us = :now
           WHERE open AND (asked_us <= :before OR until_us <= :now)""",
        {"now": micros(now), "before": micros(now - keep)},
    ).rowcount


def batches(con: sqlite3.Connection, newest: int) -> list[Batch]:
    """The newest batches, oldest of them first."""
    rows = con.execute(
        """SELECT batch, SUM(open), SUM(NOT open AND (withdrawn_us IS NULL OR labels >= answers)),
             SUM(withdrawn_us IS NOT NULL AND labels < answers)
           FROM tasks GROUP BY batch ORDER BY batch DESC LIMIT ?""",
        (newest,),
    )
    return [Batch(*row) for row in rows][::-1]
