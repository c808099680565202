"""How far the questions are, and how each person does."""

import datetime as dt
import sqlite3
from dataclasses import dataclass

from feedback_assets.review.asking import NEW_TO_HIM, NOBODY, WANTED
from feedback_assets.review.rows import micros, moment_of


@dataclass(frozen=True)
class Progress:
    """How far the questions are, counted in questions."""

    open: int
    """Still want answers."""
    done: int
    """Have all the answers they were to get, or enough people skipped them."""
    withdrawn: int
    """Nobody is asked any more, and not done."""
    leased: int
    """In somebody's hands now."""
    placed: int
    """Open ones that wait on another route."""
    mine: int
    """The annotator's labels; all people's if none is named."""
    mine_skipped: int
    """The annotator's skips."""
    mine_today: int
    """The annotator's labels of this day (UTC)."""
    left: int
    """Questions that the annotator could be given, the one in his hands included."""
    last: str | None
    """Annotation id of his last answer on the page that stands."""

    @property
    def total(self) -> int:
        """All questions ever put."""
        return self.open + self.done + self.withdrawn


@dataclass(frozen=True)
class Person:
    """What one person has said."""

    annotator: str
    answered: int
    skipped: int
    golden: int
    """Answers to questions whose answer is known."""
    golden_right: int
    median_seconds: float | None
    """Of answers whose duration is known."""
    last_at: dt.datetime


def progress(con: sqlite3.Connection, now: dt.datetime, annotator: str | None) -> Progress:
    """How far the questions are, for one person or all."""
    day = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"now": micros(now), "annotator": annotator or NOBODY, "day": micros(day)}
    mine = "undone_us IS NULL" + (" AND annotator = :annotator" if annotator else "")
    row = con.execute(
        f"""SELECT
          (SELECT COUNT(*) FROM tasks WHERE open),
          (SELECT COUNT(*) FROM tasks WHERE NOT open
             AND (withdrawn_us IS NULL OR labels >= answers)),
          (SELECT COUNT(*) FROM tasks WHERE withdrawn_us IS NOT NULL AND labels < answers),
          (SELECT COUNT(DISTINCT l.task_id) FROM leases l JOIN tasks t ON t.task_id = l.task_id
             WHERE l.until_us > :now AND t.open),
          (SELECT COUNT(*) FROM placements p JOIN tasks t ON t.task_id = p.task_id WHERE t.open),
          (SELECT COUNT(*) FROM answers WHERE {mine} AND said = 'label'),
          (SELECT COUNT(*) FROM answers WHERE {mine} AND said = 'skip'),
          (SELECT COUNT(*) FROM answers WHERE {mine} AND said = 'label' AND received_us >= :day),
          (SELECT COUNT(*) FROM tasks t WHERE {WANTED} AND {NEW_TO_HIM}),
          (SELECT annotation_id FROM answers WHERE undone_us IS NULL AND route = 'page'
             AND annotator = :annotator ORDER BY seq DESC LIMIT 1)""",
        values,
    ).fetchone()
    return Progress(*row)


def people(con: sqlite3.Connection) -> list[Person]:
    """Everybody who has said something, by name."""
    rows = con.execute(
        """WITH said AS (
             SELECT a.*, t.known, COUNT(a.duration_seconds) OVER (PARTITION BY a.annotator) AS timed,
                    ROW_NUMBER() OVER (PARTITION BY a.annotator
                      ORDER BY a.duration_seconds IS NULL, a.duration_seconds) AS place
             FROM answers a JOIN tasks t ON t.task_id = a.task_id WHERE a.undone_us IS NULL
           )
           SELECT annotator, SUM(said = 'label') AS answered, SUM(said = 'skip') AS skipped,
                  SUM(said = 'label' AND known IS NOT NULL) AS golden,
                  SUM(said = 'label' AND known IS NOT NULL AND value = known) AS golden_right,
                  AVG(duration_seconds) FILTER (
                    WHERE place BETWEEN timed / 2.0 AND timed / 2.0 + 1) AS median_seconds,
                  MAX(received_us) AS last_us
           FROM said GROUP BY annotator ORDER BY annotator"""
    )
    return [
        Person(
            row["annotator"], row["answered"], row["skipped"], row["golden"], row["golden_right"],
            row["median_seconds"], moment_of(row["last_us"]),
        )
        for row in rows
    ]  # fmt: skip
