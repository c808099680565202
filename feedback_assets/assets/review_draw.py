"""How a day's questions are drawn: within the budget, and no row a second time."""

import datetime as dt
from collections.abc import Collection

import duckdb
import numpy as np

from feedback_assets.assets.golden import Golden, golden_rows
from feedback_assets.assets.review_flags import with_flags
from feedback_assets.assets.review_rows import Rows
from feedback_assets.assets.review_tasks import (
    Why,
    golden_why,
    opinions_of,
    people_of,
    seed_of,
    tasks_of,
)
from feedback_assets.assets.space import LoopSpace
from feedback_assets.querying.mix import choose
from feedback_assets.review.budget import part, questions
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.tables.table import Snapshot


def never_again(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    store: ReviewStore,
    day: str,
    sure: Golden,
) -> Collection[str]:
    """Rows that are not drawn: asked about in another batch, or their answer is known."""
    table = space.table("review_queue").snapshot()
    others = [key for key in table.partitions() if key != day]
    told: set[str] = set()
    if others:
        query = f"SELECT DISTINCT prediction_id FROM {table.relation(others, ['prediction_id'])}"
        told = {name for (name,) in con.execute(query).fetchall()}
    return {*store.asked(but=day), *told, *sure.known}


def draw(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    store: ReviewStore,
    rows: Rows,
    sure: Golden,
    day: str,
    now: dt.datetime,
) -> list[Task]:
    """Draw a day's questions: the same for the same rows, model and day."""
    review = space.config.review
    seed = seed_of(space, day)
    rng = np.random.default_rng([seed, 1])
    fresh = new_rows(space, source, rows, day)
    size = min(questions(review, fresh, rows.eligible), len(rows.frame))
    if not size:
        return []
    count = part(review.golden_share, size, rng.random())
    known = golden_rows(space, con, source, sure, store.asked(but=day), count, str(seed))
    found = choose(review, rows.candidates, size - len(known), seed)
    version = rows.model.version if rows.model else None
    drawn = tasks_of(
        space,
        day,
        now,
        rows.frame.iloc[found.positions],
        opinions_of(space.config, rows.scores, version, found.positions),
        Why(
            strategy=found.strategy,
            reason=found.reason,
            # Of the rows that could be asked about only an even part was looked at.
            probability=found.probability * (len(rows.frame) / rows.eligible),
            priority=found.priority,
            answers=people_of(space.config, len(found.positions), rng),
            known=np.full(len(found.positions), None, dtype=object),
        ),
    )
    if known.empty:
        return with_flags(space, con, drawn)
    scores = rows.model.load().score(known) if rows.model else None
    opinions = opinions_of(space.config, scores, version, np.arange(len(known)))
    why = golden_why([sure.known[name] for name in known["prediction_id"]], rng.random(len(known)))
    return with_flags(space, con, drawn + tasks_of(space, day, now, known, opinions, why))


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
