"""What people said to each question, and the labels that follow from it."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.audited import audited_ids
from feedback_assets.assets.label_studio import exchange
from feedback_assets.assets.ledger import one_at_a_time
from feedback_assets.assets.materialize import Metadata, preview, table_metadata
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.told_labels import tell_labels
from feedback_assets.assets.typed import cast_sql
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_key_of
from feedback_assets.config.schema import Config
from feedback_assets.labels.settled import LABEL_COLUMNS, settle
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Cause, Snapshot

DESCRIPTION = """Every answer of every person, by page, Label Studio or file, as it was given.

What follows from them (one person's word, or the consensus of several) is in `review_labels`, and
goes the way of all feedback: `feedback_events` takes it, as source `audit` where the row was drawn
evenly from all, else as `review`. `label_quality` says how well each person answers."""
ANNOTATION_COLUMNS = {
    "partition_key": "VARCHAR", "annotation_id": "VARCHAR", "task_id": "VARCHAR",
    "prediction_id": "VARCHAR", "annotator": "VARCHAR", "said": "VARCHAR", "value": "VARCHAR",
    "annotated_at": "TIMESTAMPTZ", "received_at": "TIMESTAMPTZ", "duration_seconds": "DOUBLE",
    "confidence": "DOUBLE", "route": "VARCHAR", "saw_opinion": "BOOLEAN", "note": "VARCHAR",
    "strategy": "VARCHAR", "probability": "DOUBLE", "batch": "VARCHAR", "answers": "BIGINT",
    "closes_at": "TIMESTAMPTZ", "known": "VARCHAR", "right": "BOOLEAN",
}  # fmt: skip
THROUGH, TOLD = "through", "annotations.told"
"""In a commit: the store's answers up to that number are in the table. In the store: the version of
the table from which labels were told, and when the next question closes."""


@dataclass(frozen=True)
class Taken:
    """The store's answers up to a number are in the table, since a moment."""

    through: int
    at: dt.datetime


def annotations(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, annotations]`: one table, all days."""

    @dg.asset(
        deps=[space.key("review_queue")],
        **space.attributes("annotations", DESCRIPTION, {"deltalake", "sqlite"}),
    )
    def _annotations(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        now = clock.now()
        met = exchange(space, context, clock)
        with one_at_a_time(space, "annotations"), connect(space.settings) as con:
            fresh, through = new_answers(space)
            snapshot = take(
                space, con, context, fresh, {THROUGH: str(through), "as_of": now.isoformat()}
            )
            told, asked_more = tell(space, con, context, snapshot, now)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(f"{snapshot.version}:{through}"),
                metadata={
                    **table_metadata(space, snapshot, "annotations"),
                    **figures(con, snapshot),
                    "new_answers": len(fresh),
                    "new_labels": told,
                    "asked_once_more": asked_more,
                    **met,
                    "preview": preview(con, snapshot.relation()),
                },
            )

    return _annotations


def new_answers(space: LoopSpace) -> tuple[pd.DataFrame, int]:
    """The store's answers that the table does not hold yet, and the number of the last one."""
    store, through = review_store(space), taken_so_far(space).through
    stored = list(store.answers(through))
    if not stored:
        return pd.DataFrame(columns=list(ANNOTATION_COLUMNS)), through
    tasks = {task.task_id: task for task in store.tasks({one.answer.task_id for one in stored})}
    keep = dt.timedelta(days=space.config.review.keep_days)
    rows = []
    for one in stored:
        task = tasks[one.answer.task_id]
        said = asdict(one.answer)
        rows.append(
            {
                **said,
                "partition_key": partition_key_of(space.config.partitions.grain, one.received_at),
                "prediction_id": one.prediction_id,
                "annotated_at": said["answered_at"],
                "received_at": one.received_at,
                "strategy": task.strategy,
                "probability": task.probability,
                "batch": task.batch,
                "answers": task.answers,
                "closes_at": min(task.until, task.asked_at + keep),
                "known": task.known,
                "right": rightly(space.config, task.known, said["value"]),
            }
        )
    frame = pd.DataFrame(rows).reindex(columns=list(ANNOTATION_COLUMNS))
    return frame, stored[-1].seq


def rightly(config: Config, known: str | None, said: str | None) -> bool | None:
    """Whether a golden question was answered right; no number is ever exactly right."""
    if known is None or said is None or config.label.kind == "regression":
        return None
    return known == said


def taken_so_far(space: LoopSpace) -> Taken:
    """How far the store's answers are in the table."""
    for version in space.table("annotations").history():
        if THROUGH in version.details:
            at = dt.datetime.fromisoformat(version.details["as_of"])
            return Taken(int(version.details[THROUGH]), at)
    return Taken(0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC))


def take(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    context: dg.AssetExecutionContext,
    fresh: pd.DataFrame,
    details: dict[str, str],
) -> Snapshot:
    """Add the new answers to the days on which they were received."""
    table = space.table("annotations")
    before = table.snapshot()
    if fresh.empty and before.version >= 0:
        return before
    keys = sorted(set(fresh["partition_key"]))
    with registered(con, "fa_answers", fresh):
        query = cast_sql("fa_answers", ANNOTATION_COLUMNS)
        held = [key for key in keys if key in before.partitions()]
        if held:
            known = before.relation(held)
            query = (
                f"SELECT * FROM ({query}) AS fresh UNION ALL BY NAME SELECT * FROM {known} AS known"
                f" WHERE annotation_id NOT IN (SELECT annotation_id FROM fa_answers)"
            )
        cause = space.cause(context, {}, **details)
        return table.replace(con, query, keys or [first_partition(space)], cause)


def first_partition(space: LoopSpace) -> str:
    """The loop's first partition: where an empty table is begun."""
    return str(space.partitions.get_first_partition_key())


def tell(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    context: dg.AssetExecutionContext,
    answers: Snapshot,
    now: dt.datetime,
) -> tuple[int, int]:
    """Tell the feedback path of labels that are new, and ask once more where people disagree.

    Returns:
        How many labels were told, and of how many questions somebody else is asked.
    """
    table, store = space.table("review_labels"), review_store(space)
    before = table.snapshot()
    said = con.execute(
        f"""SELECT prediction_id, task_id, annotator, said, value, received_at, strategy, known,
              answers, closes_at FROM {answers.relation()} ORDER BY received_at, annotation_id"""
    ).df()
    found = settle(space.config, said, told_before(con, before), audited_ids(space, con), now)
    if len(found.labels):
        before = add(space, con, found.labels, before, space.cause(context, {}))
    tell_labels(space, con, before)
    more = store.ask_more(found.undecided)
    due = found.due.isoformat() if found.due else None
    store.remember(TOLD, json.dumps({"version": answers.version, "due": due}))
    return len(found.labels), more


def add(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    labels: pd.DataFrame,
    before: Snapshot,
    cause: Cause,
) -> Snapshot:
    """Put new labels beside the others of their days."""
    grain = space.config.partitions.grain
    days = [partition_key_of(grain, moment) for moment in labels["received_time"]]
    with registered(con, "fa_labels", labels.assign(partition_key=days)):
        query = cast_sql("fa_labels", LABEL_COLUMNS)
        held = [key for key in sorted(set(days)) if key in before.partitions()]
        if held:
            query += (
                f" UNION ALL BY NAME SELECT * FROM {before.relation(held)} AS known"
                f" WHERE event_id NOT IN (SELECT event_id FROM fa_labels)"
            )
        return space.table("review_labels").replace(con, query, sorted(set(days)), cause)


def told_before(con: duckdb.DuckDBPyConnection, labels: Snapshot) -> pd.DataFrame:
    """The labels that were told before: prediction_id, value, source, received_time."""
    names = ["prediction_id", "value", "source", "received_time"]
    if labels.version < 0:
        empty = pd.DataFrame(columns=names)
        return empty.astype({"received_time": "datetime64[us, UTC]"})
    return con.execute(f"SELECT {', '.join(names)} FROM {labels.relation()}").df()


def figures(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Metadata:
    """Who said how much, and how the questions had been chosen."""
    return {
        "by_annotator": counted(con, snapshot, ["annotator", "route"]),
        "by_strategy": counted(con, snapshot, ["strategy"]),
    }


def counted(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, by: Sequence[str]
) -> dg.TableMetadataValue:
    """Answers, skips and median seconds by some columns, as a table for people."""
    names = ", ".join(by)
    shown = con.execute(
        f"""SELECT {names}, COUNT(*) FILTER (said = 'label') AS labels,
              COUNT(*) FILTER (said = 'skip') AS skips,
              ROUND(MEDIAN(duration_seconds), 1) AS median_seconds
            FROM {snapshot.relation()} GROUP BY {names} ORDER BY labels DESC, {names} LIMIT 50"""
    ).df()
    records = [
        dg.TableRecord({str(name): "" if pd.isna(cell) else cell for name, cell in row.items()})
        for row in shown.to_dict("records")
    ]
    columns = [dg.TableColumn(str(name)) for name in shown.columns]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=columns))
