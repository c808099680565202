"""Who is asked what next: leases, and who must not be asked."""

import datetime as dt
import sqlite3
from dataclasses import dataclass

from feedback_assets.review.records import Task
from feedback_assets.review.rows import micros, moment_of, task_of

WANTED = """t.open AND t.until_us > :now
  AND NOT EXISTS (SELECT 1 FROM placements p WHERE p.task_id = t.task_id)
  AND t.labels + (SELECT COUNT(*) FROM leases l WHERE l.task_id = t.task_id
                  AND l.until_us > :now AND l.annotator <> :annotator) < t.answers"""
"""SQL: a task still wants one more person's answer, and is not on another route."""
NEW_TO_HIM = """NOT EXISTS (SELECT 1 FROM answers a WHERE a.prediction_id = t.prediction_id
  AND a.annotator = :annotator AND a.undone_us IS NULL)"""
"""SQL: the annotator has said nothing of the row yet."""
ORDER = "t.priority DESC, t.asked_us, t.task_id"
NOBODY = ""


@dataclass(frozen=True)
class Leased:
    """A question in somebody's hands."""

    task: Task
    until: dt.datetime
    """When it goes back to all, unless it is answered or asked for again."""
    resumed: bool
    """Whether it was in the same hands before."""


def next_for(
    con: sqlite3.Connection, annotator: str, now: dt.datetime, lease: dt.timedelta
) -> Leased | None:
    """Lease the annotator the question he holds already, else the most pressing one he may get."""
    values = {"annotator": annotator, "now": micros(now)}
    con.execute("DELETE FROM leases WHERE until_us <= :now", values)
    held = con.execute(
        f"""SELECT t.* FROM leases l JOIN tasks t ON t.task_id = l.task_id
            WHERE l.annotator = :annotator AND t.open AND t.until_us > :now AND {NEW_TO_HIM}
            ORDER BY l.since_us DESC, t.task_id LIMIT 1""",
        values,
    ).fetchone()
    row = (
        held
        or con.execute(
            f"""SELECT t.* FROM tasks t WHERE {WANTED} AND {NEW_TO_HIM} ORDER BY {ORDER} LIMIT 1""",
            values,
        ).fetchone()
    )
    if row is None:
        return None
    until = lease_to(con, annotator, row["task_id"], now, now + lease)
    return Leased(task_of(row), until, held is not None)


def lease_to(
    con: sqlite3.Connection, annotator: str, task_id: str, now: dt.datetime, until: dt.datetime
) -> dt.datetime:
    """Put a question into somebody's hands, or leave it there for longer; returns until when."""
    con.execute(
        """INSERT INTO leases VALUES (:task_id, :annotator, :now, :until)
           ON CONFLICT (task_id, annotator)
           DO UPDATE SET until_us = max(until_us, excluded.until_us)""",
        {
            "task_id": task_id,
            "annotator": annotator,
            "now": micros(now),
            "until": micros(until),
        },
    )
    held = con.execute(
        "SELECT until_us FROM leases WHERE task_id = ? AND annotator = ?", (task_id, annotator)
    ).fetchone()
    return moment_of(held[0])


def wanting(con: sqlite3.Connection, now: dt.datetime, limit: int) -> list[Task]:
    """Questions that nobody has in hands and that still want answers, most pressing first."""
    rows = con.execute(
        f"""SELECT t.* FROM tasks t WHERE {WANTED}
              AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.task_id = t.task_id
                              AND l.until_us > :now)
            ORDER BY {ORDER} LIMIT :limit""",
        {"annotator": NOBODY, "now": micros(now), "limit": limit},
    )
    return [task_of(row) for row in rows]
