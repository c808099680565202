"""How an answer is kept: once, beside none that contradicts it, and undone only by its author."""

import datetime as dt
import sqlite3
from dataclasses import dataclass
from typing import Literal

from feedback_assets.review.asking import lease_to
from feedback_assets.review.records import Answer, Stored, Task
from feedback_assets.review.rows import (
    answer_of,
    answer_row,
    micros,
    moment_of,
    stored_of,
    task_of,
)

Outcome = Literal["stored", "repeated", "conflict", "unknown"]
"""stored: kept now; repeated: was kept before; conflict: the person said something else of this row
before, which stands; unknown: there is no such task."""
_COLLECTED = "collected"


@dataclass(frozen=True)
class Undone:
    """An answer that its author took back, and its question, which is in his hands again."""

    answer: Answer
    task: Task
    until: dt.datetime


def keep(con: sqlite3.Connection, answer: Answer, received_at: dt.datetime) -> Outcome:
    """Keep an answer, within the caller's transaction."""
    task = con.execute(
        "SELECT prediction_id FROM tasks WHERE task_id = ?", (answer.task_id,)
    ).fetchone()
    if task is None:
        return "unknown"
    row = answer_row(answer, task["prediction_id"], received_at)
    before = con.execute(
        """SELECT task_id, annotator, said, value, annotation_id = :annotation_id AS sent
           FROM answers WHERE annotation_id = :annotation_id
             OR (prediction_id = :prediction_id AND annotator = :annotator AND undone_us IS NULL)""",
        row,
    ).fetchall()
    same = (answer.task_id, answer.annotator, answer.said, answer.value)
    if any(tuple(one)[:4] == same for one in before):
        return "repeated"
    # Who skipped a question may still answer it; who answered it cannot take that back by a skip.
    if any(one["sent"] or one["said"] in ("label", answer.said) for one in before):
        return "conflict"
    names = ", ".join(row)
    con.execute(f"INSERT INTO answers ({names}) VALUES (:{', :'.join(row)})", row)
    con.execute(
        "DELETE FROM leases WHERE task_id = ? AND annotator = ?", (answer.task_id, answer.annotator)
    )
    recount(con, answer.task_id)
    return "stored"


def take_back(
    con: sqlite3.Connection,
    annotator: str,
    now: dt.datetime,
    within: dt.timedelta,
    annotation_id: str | None,
) -> Undone | None:
    """Undo somebody's last answer on the page, within the caller's transaction."""
    last = con.execute(
        """SELECT * FROM answers WHERE annotator = ? AND undone_us IS NULL AND route = 'page'
           ORDER BY seq DESC LIMIT 1""",
        (annotator,),
    ).fetchone()
    if annotation_id is not None and (last is None or last["annotation_id"] != annotation_id):
        return _undone_before(con, annotator, annotation_id)
    if last is None or last["seq"] <= collected(con):
        return None
    if last["received_us"] < micros(now - within):
        return None
    room = _has_room(con, annotator, last, now)
    if last["said"] == "skip" and not room:
        return None
    con.execute("UPDATE answers SET undone_us = ? WHERE seq = ?", (micros(now), last["seq"]))
    recount(con, last["task_id"])
    until = lease_to(con, annotator, last["task_id"], now, now + within) if room else now
    return _undone(con, last, until)


def _has_room(
    con: sqlite3.Connection, annotator: str, answer: sqlite3.Row, now: dt.datetime
) -> bool:
    """Whether without this answer its question still wants one that nobody else is giving."""
    row = con.execute(
        """SELECT t.labels - (:said = 'label') + (SELECT COUNT(*) FROM leases l
             WHERE l.task_id = t.task_id AND l.until_us > :now AND l.annotator <> :annotator)
             < t.answers FROM tasks t WHERE t.task_id = :task_id""",
        {
            "said": answer["said"],
            "now": micros(now),
            "annotator": annotator,
            "task_id": answer["task_id"],
        },
    ).fetchone()
    return bool(row[0])


def _undone_before(con: sqlite3.Connection, annotator: str, annotation_id: str) -> Undone | None:
    """What was told of an answer that was undone, if its question is still in the same hands."""
    found = con.execute(
        """SELECT a.*, l.until_us FROM answers a
           JOIN leases l ON l.task_id = a.task_id AND l.annotator = a.annotator
           WHERE a.annotation_id = ? AND a.annotator = ? AND a.undone_us IS NOT NULL""",
        (annotation_id, annotator),
    ).fetchone()
    return _undone(con, found, moment_of(found["until_us"])) if found else None


def _undone(con: sqlite3.Connection, row: sqlite3.Row, until: dt.datetime) -> Undone:
    task = con.execute("SELECT * FROM tasks WHERE task_id = ?", (row["task_id"],)).fetchone()
    return Undone(answer_of(row), task_of(task), until)


def recount(con: sqlite3.Connection, task_id: str) -> None:
    """Bring up to date how many people answered a task."""
    con.execute(
        """UPDATE tasks SET
             labels = (SELECT COUNT(DISTINCT annotator) FROM answers WHERE task_id = :task_id
                       AND said = 'label' AND undone_us IS NULL),
             skips = (SELECT COUNT(DISTINCT annotator) FROM answers WHERE task_id = :task_id
                      AND said = 'skip' AND undone_us IS NULL)
           WHERE task_id = :task_id""",
        {"task_id": task_id},
    )


def collected(con: sqlite3.Connection) -> int:
    """The number up to which answers were read and are final."""
    found = con.execute("SELECT value FROM facts WHERE name = ?", (_COLLECTED,)).fetchone()
    return int(found["value"]) if found else 0


def collect(con: sqlite3.Connection, after: int) -> list[Stored]:
    """Answers after a number, oldest first; all there are become final with this transaction."""
    last = con.execute("SELECT coalesce(max(seq), 0) FROM answers").fetchone()[0]
    con.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_COLLECTED, str(last)),
    )
    rows = con.execute(
        "SELECT * FROM answers WHERE seq > ? AND undone_us IS NULL ORDER BY seq", (after,)
    )
    return [stored_of(row) for row in rows]
