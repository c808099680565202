"""What speaks for a cause of a day's trouble: segments, slices, the split of a drop, upstream."""

import datetime as dt
import itertools
import json
from collections.abc import Collection, Iterator, Sequence

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.answers import answers, trailing
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.causes.decompose import Split, decompose
from feedback_assets.causes.findings import Finding
from feedback_assets.causes.rows import rows_of
from feedback_assets.causes.segments import segment_findings
from feedback_assets.causes.slices import weak_slices
from feedback_assets.causes.upstream import Change, changes_of, nearby, upstream_findings
from feedback_assets.config.grain import partition_key_of, partition_start
from feedback_assets.sqltext import ident
from feedback_assets.tables.table import Snapshot

BEFORE_DAYS = 28
"""Days that a day, or the days of a drop, are compared with."""
AFTER_DAYS = 7
"""Days of a drop that are explained together."""
LEAST_BEFORE = 200
"""Answers of the same version that the weeks before must have to be compared alone."""
SEGMENT_VALUES = 500
"""Values of a segment that are watched, most frequent first."""
NEAR_DAYS = 3
"""How far from the beginning a change upstream is still named."""


def segment_news(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, keys: Sequence[str]
) -> dict[str, list[Finding]]:
    """Segment values that are new on a day, or have vanished, by day."""
    found: dict[str, list[Finding]] = {key: [] for key in keys}
    days = trailing(space, source, keys, BEFORE_DAYS + 1)
    windows = {key: trailing(space, source, [key], BEFORE_DAYS + 1) for key in keys}
    policy = space.config.performance
    for segment in space.config.columns.segments if days else []:
        counts = con.execute(
            f"""SELECT partition_key, CAST({ident(segment)} AS STRING) AS v, COUNT(*) AS n
                FROM {source.relation(days, ["partition_key", segment])}
                WHERE {ident(segment)} IS NOT NULL GROUP BY partition_key, v"""
        ).df()
        table = counts.pivot_table(index="partition_key", columns="v", values="n", fill_value=0)
        table = table.reindex(days, fill_value=0).astype(np.int64)
        for key, window in windows.items():
            if key not in window or len(window) < 2:
                continue
            here = table.loc[window]
            kept = here.sum().nlargest(SEGMENT_VALUES).index
            rows = here[kept].to_numpy(np.int64)
            found[key] += segment_findings(
                key, segment, [str(v) for v in kept], rows[:-1], rows[-1:],
                1 - policy.confidence, policy.min_rows,
            )  # fmt: skip
    return found


def slices_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, key: str
) -> list[Finding]:
    """Weak slices of the last week that nobody declared."""
    week = trailing(space, source, [key], AFTER_DAYS)
    if not week:
        return []
    rows = rows_of(answers(space, con, source, week, features=True), space.config)
    policy = space.config.performance
    slices = weak_slices(
        rows, policy.confidence, min_rows=policy.min_rows, seed=space.config.model.seed
    )
    return [found.finding(key) for found in slices]


def split_of_drop(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, key: str
) -> Split | None:
    """The change from the four weeks before to the week that ends with this day, in its parts."""
    both = trailing(space, source, [key], AFTER_DAYS + BEFORE_DAYS)
    week = set(trailing(space, source, [key], AFTER_DAYS))
    if not week or len(both) == len(week):
        return None
    frame = of_one_version(answers(space, con, source, both, features=True), week)
    late = frame["partition_key"].isin(week)
    before, after = (rows_of(part, space.config) for part in (frame[~late], frame[late]))
    return decompose(
        before, after, space.config.performance.confidence, seed=space.config.model.seed
    )


def of_one_version(frame: pd.DataFrame, week: Collection[str]) -> pd.DataFrame:
    """The answers of the version that answered the week, where it also answered before it.

    A changed model would otherwise look like a changed world.
    """
    late = frame["partition_key"].isin(list(week))
    answered = frame.loc[late, "model_version"].mode()
    own = frame["model_version"].isin(answered)
    return frame[own] if (own & ~late).sum() >= LEAST_BEFORE else frame


def upstream_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, key: str, since: str
) -> list[Finding]:
    """What else changed at about the time that the trouble began."""
    begun = partition_start(space.config.partitions.grain, since).date()
    near = nearby(list(changes(space, con, source, key)), begun, NEAR_DAYS)
    return upstream_findings(key, near, begun)


def changes(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, key: str
) -> Iterator[Change]:
    """Dated changes of the last weeks: models that answered, code, configuration, source, champion."""
    days = trailing(space, source, [key], BEFORE_DAYS)
    yield from changes_of("model version", _versions(space, con, source, days))
    log = space.table("prediction_log").snapshot()
    details = {day: log.details(day) for day in days}
    date = {day: partition_start(space.config.partitions.grain, day).date() for day in days}
    made = {day: details[day].get("code_version", "").split("-") for day in days}
    yield from changes_of("code version", ((date[d], made[d][0]) for d in days))
    yield from changes_of("config", ((date[d], made[d][-1]) for d in days))
    yield from _schema_changes(days, date, details)
    first = partition_start(space.config.partitions.grain, days[0]) if days else None
    for decision in decisions(space, "promote"):
        day = partition_key_of(space.config.partitions.grain, decision.time)
        if first and first <= decision.time and day <= key:
            yield Change(decision.time.date(), "champion", str(decision.version))


def _versions(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, days: Sequence[str]
) -> list[tuple[dt.date, str]]:
    rows = con.execute(
        f"""SELECT partition_key, STRING_AGG(DISTINCT model_version, ', ' ORDER BY model_version)
            FROM {source.relation(days, ["partition_key", "model_version", "role"])}
            WHERE role = 'served' GROUP BY partition_key"""
    ).fetchall()
    grain = space.config.partitions.grain
    return [(partition_start(grain, key).date(), versions or "") for key, versions in rows]


def _schema_changes(
    days: Sequence[str], date: dict[str, dt.date], details: dict[str, dict[str, str]]
) -> Iterator[Change]:
    known = [d for d in days if details[d].get("source_columns")]
    columns = {d: set(json.loads(details[d]["source_columns"])) for d in known}
    for before, after in itertools.pairwise(known):
        gone, new = columns[before] - columns[after], columns[after] - columns[before]
        if gone or new:
            words = [*(f"without {c}" for c in sorted(gone)), *(f"with {c}" for c in sorted(new))]
            counts = f"{len(columns[before])} columns", f"{len(columns[after])} columns"
            yield Change(date[after], "source schema", counts[1], counts[0], ", ".join(words))


def worse_days(config_metric_higher: bool, rows: pd.DataFrame) -> dict[str, bool]:
    """Partition to whether the realised week was worse than expected beyond its interval."""
    better_end = rows["high"] if config_metric_higher else rows["low"]
    worse = better_end < rows["expected"] if config_metric_higher else better_end > rows["expected"]
    return dict(zip(rows["partition_key"], worse.fillna(False).astype(bool), strict=True))
