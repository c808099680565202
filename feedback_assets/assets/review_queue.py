"""What people are asked today, and why each row."""

import datetime as dt

import dagster as dg
import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.golden import golden
from feedback_assets.assets.label_studio import exchange
from feedback_assets.assets.ledger import one_at_a_time
from feedback_assets.assets.materialize import Metadata, preview, table_metadata
from feedback_assets.assets.review_draw import Drawn, asked_before, draw, rows_held
from feedback_assets.assets.review_rows import Rows, rows_to_ask, segments_of
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.typed import cast_sql
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_key_of
from feedback_assets.labels.judges import by_people_sql
from feedback_assets.labels.older import SAID, with_columns
from feedback_assets.querying.scores import entropy
from feedback_assets.reports.plots import markdown_image
from feedback_assets.reports.review_plots import asked_for, batches_done
from feedback_assets.review.records import Task
from feedback_assets.review.store import ReviewStore
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """What people are asked about {title}, a batch a day: at most {per_day} questions and \
{share:.0%} of the rows that came since the last one.

Each question has its reason, and the chance with which its row came into the batch by any way:
{audit:.0%} are drawn evenly from all rows, the others as {mix} want it. No row is asked about twice
(but of those whose answer is known, by somebody else): when the audit draws a row that a strategy
asked about, that question is listed again with strategy `audit`, and what people say of it is the
audit's. People answer on the page `/review/{name}`,
in Label Studio, or in files (`feedback-assets review export {name}`); see `annotations`."""
COLUMNS = {
    "partition_key": "VARCHAR", "task_id": "VARCHAR", "prediction_id": "VARCHAR",
    "batch": "VARCHAR", "asked_at": "TIMESTAMPTZ", "until": "TIMESTAMPTZ", "strategy": "VARCHAR",
    "reason": "VARCHAR", "probability": "DOUBLE", "priority": "DOUBLE", "answers": "BIGINT",
    "model_version": "VARCHAR", "uncertainty": "DOUBLE", "novelty": "DOUBLE",
    "drifted": "BOOLEAN", "segment": "VARCHAR",
}  # fmt: skip
"""Column to DuckDB type; `uncertainty` is the entropy of the model's answer, at most 1."""


def review_queue(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, review_queue]`: one table, a partition for each day's batch."""
    review, mapping = space.config.review, dg.AllPartitionMapping()

    @dg.asset(
        deps=[
            dg.AssetDep(space.key(name), partition_mapping=mapping)
            for name in ("feedback_table", "drift_report", "flags")
        ],
        **space.attributes(
            "review_queue",
            DESCRIPTION.format(
                title=space.config.title,
                name=space.name,
                per_day=review.per_day,
                share=review.max_share,
                audit=review.audit_share,
                mix=", ".join(review.mix),
            ),
            {"deltalake", "sqlite", "onnx"},
        ),
    )
    def _review_queue(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        now, store = clock.now(), review_store(space)
        day = f"{now.astimezone(dt.UTC):%Y-%m-%d}"
        with connect(space.settings) as con:
            # Another run of the day waits here, and then finds the batch that this one put.
            with one_at_a_time(space, "review_queue"):
                source = space.table("feedback_table").snapshot()
                tidied = tidy(space, con, source, store, now)
                rows, batch = batch_of(space, con, source, store, day, now)
                snapshot = write(space, con, context, source, rows, batch, day, now)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(snapshot.partitions()[day].digest),
                metadata={
                    **table_metadata(space, snapshot, "review_queue"),
                    **figures(store, rows, batch, now),
                    "withdrawn": tidied,
                    **exchange(space, context, clock),
                    "preview": preview(con, first_asked(snapshot, day)),
                },
            )

    return _review_queue


def batch_of(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    store: ReviewStore,
    day: str,
    now: dt.datetime,
) -> tuple[Rows, Drawn]:
    """The rows that could be asked about, and the day's batch: the store's, else drawn and put."""
    sure = golden(space, con)
    earlier = asked_before(space, con, store, day, sure, now)
    rows = rows_to_ask(space, con, source, now, earlier, day)
    batch = Drawn(store.batch(day), store.audited(day))
    if not batch.questions and not batch.audited:
        batch = draw(space, con, source, store, rows, earlier, sure, day, now)
        store.put(batch.questions, batch.audited)
    return rows, batch


def first_asked(snapshot: Snapshot, day: str) -> str:
    """A day's batch as a relation, what is asked first on top."""
    return f"(SELECT * FROM {snapshot.relation([day])} ORDER BY priority DESC)"


def tidy(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    store: ReviewStore,
    now: dt.datetime,
) -> int:
    """Withdraw what is too old, and what a strategy asks though the label has come by itself."""
    expired = store.expire(now, dt.timedelta(days=space.config.review.keep_days))
    tasks, grain = store.needless(), space.config.partitions.grain
    days = {partition_key_of(grain, task.event_time) for task in tasks}
    keys = sorted(days & source.partitions().keys())
    if not keys:
        return expired
    waiting = pd.DataFrame(
        [(task.task_id, task.prediction_id) for task in tasks], columns=["task_id", "id"]
    ).astype("string")
    have, names = source.columns(), ["prediction_id", "label_status", *SAID]
    seen = source.relation(keys, [name for name in names if name in have])
    with registered(con, "fa_waiting", waiting):
        query = f"""SELECT task_id FROM fa_waiting JOIN {with_columns(seen, have, SAID)} AS seen
              ON seen.prediction_id = fa_waiting.id
            WHERE label_status = 'accepted'
              AND NOT {by_people_sql("label_source", "label_principal")}"""
        known = [name for (name,) in con.execute(query).fetchall()]
    return expired + store.withdraw(known, now)


def write(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    context: dg.AssetExecutionContext,
    source: Snapshot,
    rows: Rows,
    batch: Drawn,
    day: str,
    now: dt.datetime,
) -> Snapshot:
    """Write the day's batch, as the store holds it."""
    cause = space.cause(
        context,
        {"feedback_table": source.version},
        day=day,
        as_of=now.isoformat(),
        asked=str(len(batch.questions)),
        rows=str(rows_held(source)),
    )
    drawn = [*batch.questions, *batch.audited]
    with registered(con, "fa_asked", queue_frame(space, rows, drawn, day)):
        return space.table("review_queue").replace(con, cast_sql("fa_asked", COLUMNS), [day], cause)


def queue_frame(space: LoopSpace, rows: Rows, drawn: list[Task], day: str) -> pd.DataFrame:
    """The batch as rows of the table, with what is known of each row."""
    frame = pd.DataFrame(
        [
            {
                "partition_key": day,
                "model_version": task.opinion.get("model_version"),
                **{
                    name: getattr(task, name)
                    for name in COLUMNS
                    if name in Task.__dataclass_fields__
                },
            }
            for task in drawn
        ]
    )
    known = known_of(space, rows).astype({"prediction_id": "string"})
    asked_about = frame.reindex(columns=list(COLUMNS)[:12]).astype({"prediction_id": "string"})
    return asked_about.join(known.set_index("prediction_id"), on="prediction_id")


def known_of(space: LoopSpace, rows: Rows) -> pd.DataFrame:
    """What is known of each row that could be asked about."""
    seen = rows.candidates
    chances = seen.probabilities
    return pd.DataFrame(
        {
            "prediction_id": rows.frame["prediction_id"],
            "uncertainty": np.nan
            if chances is None
            else entropy(chances) / np.log(chances.shape[1]),
            "novelty": np.nan if seen.novelty is None else seen.novelty,
            "drifted": seen.drifted,
            "segment": segment_names(segments_of(space.config, rows.frame)),
        }
    )


def segment_names(segments: pd.DataFrame | None) -> "pd.Series[str] | None":
    """Each row's segments in one text, as in `region=north, colour=red` [n]."""
    if segments is None:
        return None
    first, *others = [f"{name}=" + segments[name].astype("string") for name in segments]
    for other in others:
        first = first.str.cat(other, sep=", ", na_rep="")
    return first


def figures(store: ReviewStore, rows: Rows, batch: Drawn, now: dt.datetime) -> Metadata:
    """What a person opens: how many, why, and how far people are."""
    progress = store.progress(now)
    counts: dict[str, int] = {}
    for task in batch.questions:
        counts[task.strategy] = counts.get(task.strategy, 0) + 1
    batches = store.batches()
    done = {name: [getattr(one, name) for one in batches] for name in ("done", "open", "withdrawn")}
    by_day = batches_done([one.batch for one in batches], done)
    return {
        "asked": len(batch.questions),
        "asked_before": len(batch.audited),
        "candidates": rows.eligible,
        "open": progress.open,
        "done": progress.done,
        "asked_for": dg.MetadataValue.md(
            markdown_image(asked_for(counts), "questions by strategy")
        ),
        "progress": dg.MetadataValue.md(markdown_image(by_day, "answered by batch")),
    }
