"""From a prediction back to the rows that its model learned from, each step with its digest."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import duckdb

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.facts import folder_of, trained_on, triggered_by
from feedback_assets.audit.pinned import Pinned, pinned_rows
from feedback_assets.audit.story import Story, reigns, told
from feedback_assets.errors import AuditError
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

Json = dict[str, Any]
SCHEMA = 2
BY_PEOPLE = ("review_queue", "annotations", "review_labels")
"""Tables that hold how people came to say what they said."""


def lineage_back(space: LoopSpace, prediction_id: str) -> Json:
    """Where a prediction comes from.

    Returns:
        JSON values: `prediction` (its row), `feedback` (all that was said of it), `people` (what they
        were asked of it, why, and what each answered), `pool` (its row in the labeled pool, if it is
        there), `tables` (the commits that hold it), `answered_by` (version, how, the decision that let it answer),
        `trained` (as in `why`), `partitions` [{partition, digest, pool rows, trained rows}],
        `intact` (whether the pinned rows still have the recorded digests).

    Raises:
        AuditError: No table has the prediction.
    """
    with connect(space.settings) as con:
        rows = {
            table: found
            for table in ("prediction_log", "serving_log", "feedback_table")
            if (found := rows_of(space, con, table, prediction_id))
        }
        if not rows:
            raise AuditError(
                f"{space.name} has no prediction {prediction_id!r}; look for it with "
                f'feedback-assets sql "select * from {space.name}.prediction_log limit 5"'
            )
        logged = (rows.get("prediction_log") or rows.get("serving_log") or [{}])[0]
        day = str(logged.get("partition_key") or rows["feedback_table"][0]["partition_key"])
        feedback = rows_of(space, con, "feedback_events", prediction_id)
        people = {name: rows_of(space, con, name, prediction_id) for name in BY_PEOPLE}
        pool = pool_rows(space, con, prediction_id)
        version = str(logged.get("model_version") or "")
        return {
            "schema": SCHEMA,
            "question": "lineage back",
            "loop": space.name,
            "title": space.config.title,
            "prediction_id": prediction_id,
            "partition": day,
            "prediction": logged,
            "label": rows.get("feedback_table", [{}])[0],
            "feedback": feedback,
            "people": people,
            "pool": pool[0] if pool else None,
            "requests": rows.get("serving_log", []),
            "tables": {table: commit_of(space, table, day) for table in rows},
            "model": model_behind(space, con, version, logged.get("event_time")),
        }


def rows_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, table: str, prediction_id: str
) -> list[Json]:
    """The rows of a table about a prediction, as JSON values."""
    snapshot = space.table(table).snapshot()
    if not snapshot.columns():
        return []
    found = con.execute(
        f"SELECT * FROM {snapshot.relation()} WHERE prediction_id = ? ORDER BY ALL",
        [prediction_id],
    )
    names = [column[0] for column in found.description or []]
    return [
        {name: plain(value) for name, value in zip(names, row, strict=True)}
        for row in found.fetchall()
    ]


def pool_rows(space: LoopSpace, con: duckdb.DuckDBPyConnection, prediction_id: str) -> list[Json]:
    """The newest pool's row; none either where its files are damaged, which the model's part says."""
    try:
        return rows_of(space, con, "labeled_pool", prediction_id)
    except duckdb.IOException:
        return []


def plain(value: object) -> Any:
    """A table's value as JSON has it."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def commit_of(space: LoopSpace, table: str, day: str) -> Json:
    """Which commit of a table holds a partition, and what that was made from."""
    snapshot: Snapshot = space.table(table).snapshot()
    info = snapshot.partitions()[day]
    return {
        "partition": day,
        "rows": info.rows,
        "digest": info.digest,
        "made_from": {k: v for k, v in snapshot.inputs(day).items() if k != "as_of"},
        "table_version": snapshot.version,
    }


def model_behind(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, version: str, at: str | None
) -> Json | None:
    """The model that answered, what let it answer then, and its rows; None where none did."""
    if not version:
        return None
    known = decisions(space)
    story, model = Story.of(known, version), folder_of(space, version)
    when = dt.datetime.fromisoformat(at) if at else None
    led = [
        reign for reign in reigns(known)
        if when and reign.version == version and reign.begun.time <= when
        and (reign.ended is None or when < reign.ended.time)
    ]  # fmt: skip
    tried = [d for d in story.all("stage") if when and d.time <= when]
    let_in = led[-1].begun if led else (tried[-1] if tried else None)
    broken, unreadable = pinned_rows(space, model) if model else ([], "")
    return {
        "version": version,
        "known": model is not None or bool(story.decisions),
        "role_then": "champion" if led else (tried[-1].details.get("stage") if tried else None),
        "let_in_by": told(let_in) if let_in else None,
        "trained": trained_on(model, story),
        "trigger": triggered_by(model, story),
        "partitions": training_partitions(Pinned(space, model), con)
        if model and not unreadable
        else [],
        "intact": not broken and not unreadable if model else None,
        "unreadable": unreadable,
    }


def training_partitions(pinned: Pinned, con: duckdb.DuckDBPyConnection) -> Sequence[Json]:
    """The manifest of the training rows: each partition's digest, and how many rows were drawn."""
    drawn = pinned.drawn_by_day(con)
    return [
        {"partition": key, "trained": drawn.get(key, 0), "rows": said["rows"], "digest": said["digest"]}
        for key, said in pinned.model.manifest["pool"]["partitions"].items()
    ]  # fmt: skip
