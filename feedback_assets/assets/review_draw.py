"""How a day's questions are drawn: within the budget, and no row a second time."""

import datetime as dt
from dataclasses import dataclass, fields, replace

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.golden import Golden, golden_rows
from feedback_assets.assets.review_flags import with_flags
from feedback_assets.assets.review_rows import Rows, asking_window
from feedback_assets.assets.review_tasks import (
    Why,
    golden_why,
    opinions_of,
    people_of,
    seed_of,
    tasks_of,
)
from feedback_assets.assets.space import LoopSpace
from feedback_assets.querying.mix import Chosen, choose
from feedback_assets.review.budget import part, questions
from feedback_assets.review.past import Earlier
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.tables.table import Snapshot


@dataclass(frozen=True)
class Drawn:
    """A day's batch."""

    questions: list[Task]
    """What people are asked."""
    audited: list[Task]
    """Questions of earlier batches that the audit drew: nobody is asked again, what people say of
    them is the audit's. They have the chance, reason and moment of this draw."""


def asked_before(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    store: ReviewStore,
    day: str,
    sure: Golden,
    now: dt.datetime,
) -> Earlier:
    """What other batches asked about rows that are young enough to be asked about now."""
    oldest = asking_window(space.config, now)
    known = store.earlier(day, oldest)
    table = space.table("review_queue").snapshot()
    # No row was asked about before it came.
    first = f"{oldest.astimezone(dt.UTC):%Y-%m-%d}"
    others = [key for key in table.partitions() if key != day and key >= first]
    told: set[str] = set()
    if others:
        query = f"SELECT DISTINCT prediction_id FROM {table.relation(others, ['prediction_id'])}"
        told = {name for (name,) in con.execute(query).fetchall()}
    # Of a question that only the table knows, as the store was lost, no answer can come.
    lost = told - known.asked.keys()
    return Earlier({*known.over, *lost, *sure.known}, known.asked)


def draw(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    store: ReviewStore,
    rows: Rows,
    earlier: Earlier,
    sure: Golden,
    day: str,
    now: dt.datetime,
) -> Drawn:
    """Draw a day's batch: the same for the same rows, model and day.

    The budget is of rows drawn. One of an earlier question costs nobody's time, and no other row is
    drawn in its place: then the chances of all would no longer be those that are told.
    """
    review = space.config.review
    seed = seed_of(space, day)
    rng = np.random.default_rng([seed, 1])
    fresh = new_rows(space, source, rows, day)
    size = min(questions(review, fresh, rows.eligible), len(rows.frame))
    if not size:
        return Drawn([], [])
    count = part(review.golden_share, size, rng.random())
    known = golden_rows(space, con, source, store, sure, day, count, str(seed))
    found = _of_all(choose(review, rows.candidates, size - len(known), seed), rows)
    names = rows.frame["prediction_id"].iloc[found.positions]
    standing = names.map(lambda name: earlier.asked.get(name) is not None).to_numpy(dtype=bool)
    audited = _audited(store, found, names, standing, earlier, day, now)
    new = _at(found, ~standing)
    version = rows.model.version if rows.model else None
    drawn = tasks_of(
        space,
        day,
        now,
        rows.frame.iloc[new.positions],
        opinions_of(space.config, rows.scores, version, new.positions),
        Why(
            strategy=new.strategy,
            reason=new.reason,
            probability=new.probability,
            priority=new.priority,
            answers=people_of(space.config, len(new.positions), rng),
            known=np.full(len(new.positions), None, dtype=object),
        ),
    )
    if len(known):
        scores = rows.model.load().score(known) if rows.model else None
        opinions = opinions_of(space.config, scores, version, np.arange(len(known)))
        labels = [sure.known[name] for name in known["prediction_id"]]
        why = golden_why(labels, rng.random(len(known)))
        drawn += tasks_of(space, day, now, known, opinions, why)
    return Drawn(with_flags(space, con, drawn), audited)


def _of_all(found: Chosen, rows: Rows) -> Chosen:
    """With chances among all rows that could be asked about, of which an even part was looked at."""
    return replace(found, probability=found.probability * (len(rows.frame) / rows.eligible))


def _at(found: Chosen, which: npt.NDArray[np.bool_]) -> Chosen:
    return Chosen(**{one.name: getattr(found, one.name)[which] for one in fields(found)})


def _audited(
    store: ReviewStore,
    found: Chosen,
    names: "pd.Series[str]",
    standing: npt.NDArray[np.bool_],
    earlier: Earlier,
    day: str,
    now: dt.datetime,
) -> list[Task]:
    """The earlier questions of drawn rows, as this draw has them."""
    ids = [str(earlier.asked[name]) for name in names[standing]]
    old, drawn = {task.task_id: task for task in store.tasks(ids)}, _at(found, standing)
    return [
        replace(
            old[task_id],
            batch=day,
            asked_at=now,
            strategy=str(drawn.strategy[at]),
            reason=str(drawn.reason[at]),
            probability=float(drawn.probability[at]),
            priority=float(drawn.priority[at]),
        )
        for at, task_id in enumerate(ids)
    ]


def new_rows(space: LoopSpace, source: Snapshot, rows: Rows, day: str) -> int:
    """Rows that came since the last batch that asked something; all before the first."""
    held = rows_held(source)
    for version in space.table("review_queue").history():
        if version.details.get("asked", "0") != "0" and version.details["day"] < day:
            return max(0, held - int(version.details["rows"]))
    return rows.eligible


def rows_held(source: Snapshot) -> int:
    """Rows of the feedback table."""
    return sum(info.rows for info in source.partitions().values())
