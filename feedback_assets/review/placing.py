"""Questions that wait on another route (Label Studio, files), so that no second one asks them."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from feedback_assets.review.asking import NOBODY, WANTED
from feedback_assets.review.records import Route
from feedback_assets.review.rows import micros

_FACT = "route:"


def reserve(
    con: sqlite3.Connection, route: Route, task_ids: Sequence[str], now: dt.datetime
) -> list[str]:
    """Keep questions for a route, without an external id yet; those that were free."""
    free = f"""INSERT INTO placements
        SELECT t.task_id, :route, NULL, :now FROM tasks t
        WHERE t.task_id = :task_id AND {WANTED}
          AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.task_id = t.task_id
                          AND l.until_us > :now)"""
    values = {"route": route, "now": micros(now), "annotator": NOBODY}
    return [one for one in task_ids if con.execute(free, {**values, "task_id": one}).rowcount]


def place(
    con: sqlite3.Connection, route: Route, external: Mapping[str, str], now: dt.datetime
) -> None:
    """Note the external ids of questions; one that is on another route stays there."""
    con.executemany(
        """INSERT INTO placements VALUES (:task_id, :route, :external, :now)
           ON CONFLICT (task_id) DO UPDATE SET external = excluded.external
           WHERE route = excluded.route""",
        [
            {"task_id": task_id, "route": route, "external": name, "now": micros(now)}
            for task_id, name in external.items()
        ],
    )


def placed(con: sqlite3.Connection, route: Route) -> dict[str, str | None]:
    """Task id to external id of what stands on a route."""
    rows = con.execute(
        "SELECT task_id, external FROM placements WHERE route = ? ORDER BY task_id", (route,)
    )
    return {row["task_id"]: row["external"] for row in rows}


def closed(con: sqlite3.Connection, route: Route) -> list[str]:
    """Task ids of what stands on a route and wants no more answers."""
    rows = con.execute(
        """SELECT p.task_id FROM placements p JOIN tasks t ON t.task_id = p.task_id
           WHERE p.route = ? AND NOT t.open ORDER BY p.task_id""",
        (route,),
    )
    return [row["task_id"] for row in rows]


def unplace(con: sqlite3.Connection, route: Route, task_ids: Iterable[str]) -> int:
    """Give questions back to all."""
    done = (
        con.execute("DELETE FROM placements WHERE task_id = ? AND route = ?", (task_id, route))
        for task_id in task_ids
    )
    return sum(one.rowcount for one in done)


def remember(con: sqlite3.Connection, name: str, value: str) -> None:
    """Keep a small fact of a route."""
    con.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_FACT + name, value),
    )


def recall(con: sqlite3.Connection, name: str) -> str | None:
    """A fact that was kept."""
    row = con.execute("SELECT value FROM facts WHERE name = ?", (_FACT + name,)).fetchone()
    return str(row["value"]) if row else None
