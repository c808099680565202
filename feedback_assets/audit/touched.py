"""From a row or a source forward: every partition, model, page and decision that it touched."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import versions
from feedback_assets.assets.space import JUDGEMENTS, LoopSpace
from feedback_assets.audit.pinned import Pinned
from feedback_assets.audit.story import reigns, told
from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.errors import AuditError
from feedback_assets.promotion.decisions import Decision
from feedback_assets.sqltext import literal
from feedback_assets.tables.catalog import tables_of
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

Json = dict[str, Any]
SCHEMA = 1
IDS = "fa_touched"
SAID_BY = ("source", "principal")
BORN = ("prediction_log", "feedback_events", "serving_log")
"""Tables that rows come into from outside."""


def lineage_forward(space: LoopSpace, row: str | None = None, source: str | None = None) -> Json:
    """All that some rows touched.

    Args:
        space: The loop.
        row: A prediction's id, or a feedback event's.
        source: A file (its path as recorded, or the end of it), or who gave feedback.

    Returns:
        JSON values: `rows`, `tables` {table: {partition: rows}}, `judged` (days whose verdicts
        read them), `models` [{version, trained, held out, left over, served}], `decisions` (about
        models that learned from them or were judged on them), `answers` {version: rows answered
        by such a model}, `pages`.

    Raises:
        AuditError: Nothing of the loop comes from there.
    """
    what = f"row {row}" if row is not None else f"source {source}"
    with connect(space.settings) as con:
        found = collect(space, con, row, source)
        if not found:
            raise AuditError(
                f"{space.name}: nothing comes from {what}; sources are listed by feedback-assets "
                f'sql "select distinct source_file from {space.name}.prediction_log"'
            )
        tables = partitions_touched(space, con)
        days = sorted({*tables.get("feedback_table", {}), *tables.get("prediction_log", {})})
        models = models_touched(space, con, days)
        learned = [m["version"] for m in models if m.get("trained")]
        ((rows,),) = con.execute(f"SELECT COUNT(*) FROM {IDS}").fetchall()
        return {
            "schema": SCHEMA,
            "question": "lineage forward",
            "loop": space.name,
            "title": space.config.title,
            "from": {"row": row, "source": source},
            "found_as": found,
            "rows": int(rows),
            "tables": tables,
            "judged": judged(space, days),
            "models": models,
            "answers": answers_of(space, con, learned),
            "decisions": [told(d) for d in decisions_touched(decisions(space), models)],
            "pages": pages(
                space,
                days,
                [m["version"] for m in models if m.get("trained") or m.get("held out")],
            ),
        }


def collect(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, row: str | None, source: str | None
) -> dict[str, int]:
    """Put the ids of the asked rows into `IDS`; returns in which tables they were found, how often."""
    con.execute(f"CREATE TEMP TABLE {IDS} (prediction_id VARCHAR)")
    found: dict[str, int] = {}
    known = set(tables_of(space.settings.root, space.name))
    for table in BORN:
        if f"{space.name}.{table}" not in known:
            continue
        snapshot = space.table(table).snapshot()
        where = asked(snapshot, row, source)
        relation = f"{snapshot.relation()} WHERE {where}"
        ((count,),) = con.execute(f"SELECT COUNT(*) FROM {relation}").fetchall()
        if count:
            found[table] = int(count)
            con.execute(
                f"INSERT INTO {IDS} SELECT DISTINCT prediction_id FROM {relation} "
                f"AND prediction_id NOT IN (SELECT prediction_id FROM {IDS})"
            )
    if source is not None:
        found |= quarantined(space, con, source, known)
    return found


def asked(snapshot: Snapshot, row: str | None, source: str | None) -> str:
    """SQL that is true for the rows that are asked about."""
    columns = snapshot.columns()
    if row is not None:
        names = [name for name in ("prediction_id", "event_id") if name in columns]
        return "(" + " OR ".join(f"{name} = {literal(row)}" for name in names) + ")"
    named = SAID_BY if "event_id" in columns else ()
    return f"({from_source(source or '', [name for name in named if name in columns])})"


def from_source(source: str, named: Sequence[str]) -> str:
    """SQL that is true for rows of a file, or of whom one of the columns `named` names."""
    by_file = f"source_file = {literal(source)} OR ends_with(source_file, {literal('/' + source)})"
    return " OR ".join([by_file, *(f"{name} = {literal(source)}" for name in named)])


def quarantined(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: str, known: set[str]
) -> dict[str, int]:
    """Rows of a file that were refused: they touched nothing else."""
    found = {}
    for table in ("prediction_log_quarantine", "feedback_events_quarantine"):
        if f"{space.name}.{table}" in known:
            relation = space.table(table).snapshot().relation()
            ((count,),) = con.execute(
                f"SELECT COUNT(*) FROM {relation} WHERE {from_source(source, [])}"
            ).fetchall()
            if count:
                found[table] = int(count)
    return found


def partitions_touched(
    space: LoopSpace, con: duckdb.DuckDBPyConnection
) -> dict[str, dict[str, int]]:
    """Of every table that has predictions' ids: partition to rows, as the tables are now."""
    touched = {}
    for name, table in tables_of(space.settings.root, space.name).items():
        snapshot = table.snapshot()
        if "prediction_id" not in snapshot.columns():
            continue
        counts = con.execute(
            f"""SELECT partition_key, COUNT(*) FROM {snapshot.relation()}
                WHERE prediction_id IN (SELECT prediction_id FROM {IDS})
                GROUP BY partition_key ORDER BY partition_key"""
        ).fetchall()
        if counts:
            touched[name.partition(".")[2]] = {str(key): int(rows) for key, rows in counts}
    return touched


def judged(space: LoopSpace, days: Sequence[str]) -> dict[str, list[str]]:
    """Partitions of the tables of verdicts that read the rows: their days, and windows that reach back."""
    if not days:
        return {}
    grain, config = space.config.partitions.grain, space.config
    starts = [partition_start(grain, day) for day in days]
    reach = {
        "profiles": 1,
        "drift_report": config.drift.window_days,
        "performance_report": max(7, config.performance.window_days),
        "sla": max(7, config.performance.window_days),
        "findings": max(config.performance.window_days, config.drift.window_days),
        "flags": max(config.performance.window_days, config.drift.window_days),
    }
    found = {}
    for table in (*JUDGEMENTS, "sla"):
        window = dt.timedelta(days=reach[table])
        keys = [
            key
            for key, info in space.table(table).snapshot().partitions().items()
            if info.rows and _reads(starts, partition_end(grain, key), window)
        ]
        if keys:
            found[table] = keys
    return found


def _reads(starts: Iterable[dt.datetime], end: dt.datetime, window: dt.timedelta) -> bool:
    return any(end - window <= start < end for start in starts)


def models_touched(space: LoopSpace, con: duckdb.DuckDBPyConnection, days: list[str]) -> list[Json]:
    """The versions whose pinned pools hold the rows, and what they did with them."""
    served = {reign.version for reign in reigns(decisions(space))}
    found = []
    for model in versions(space):
        uses = Pinned(space, model).uses(con, IDS, days)
        if uses:
            version = str(model.version)
            found.append({"version": version, "served": version in served, **uses})
    return found


def answers_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, learned: Sequence[str]
) -> dict[str, int]:
    """How many predictions were answered by versions that learned from the rows."""
    snapshot = space.table("prediction_log").snapshot()
    if not learned or "model_version" not in snapshot.columns():
        return {}
    listed = ", ".join(map(literal, learned))
    counts = con.execute(
        f"""SELECT model_version, COUNT(*) FROM {snapshot.relation()}
            WHERE model_version IN ({listed}) GROUP BY model_version ORDER BY model_version"""
    ).fetchall()
    return {str(version): int(rows) for version, rows in counts}


def decisions_touched(
    known: Sequence[Decision], models: Sequence[Mapping[str, Any]]
) -> list[Decision]:
    """Decisions about versions that learned from the rows, or were judged on them."""
    learned = {m["version"] for m in models if m.get("trained")}
    judged_on = {m["version"] for m in models if m.get("held out")}
    return [
        decision
        for decision in known
        if decision.version in learned
        or decision.previous_version in learned
        or (decision.version in judged_on and decision.kind != "retrain")
    ]


def pages(space: LoopSpace, days: Sequence[str], known: Sequence[str]) -> list[str]:
    """Pages of the reports folder about these days and versions."""
    named = {f"version-{version}" for version in known}
    found = [
        path.relative_to(space.settings.reports).as_posix()
        for path in sorted(space.reports.rglob("*.*"))
        if path.stem in days or any(path.stem == n or path.stem.startswith(f"{n}-") for n in named)
    ]
    return [page for page in found if not page.rpartition("/")[2].startswith(".")]
