"""Labels, corrections, ratings and rejections on their way into `feedback_events`."""

import datetime as dt
from collections.abc import Sequence

import duckdb

from feedback_assets.capture.arrivals import partitions_in
from feedback_assets.capture.contract import feedback_schema
from feedback_assets.capture.convert import Fault, answer, fault
from feedback_assets.capture.counts import Staged
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.plan import Field, OwnRows, Plan
from feedback_assets.capture.readers import FILE
from feedback_assets.capture.screen import faults_of
from feedback_assets.capture.stage import stage
from feedback_assets.config.schema import Config
from feedback_assets.labels.judges import by_people_sql
from feedback_assets.sqltext import literal

DUPLICATE_EVENT = "duplicate event"
ANSWERS = "review-"
"""Begin of the names of landed files that hold what people answered; imports never name one so."""


def stage_feedback(
    con: duckdb.DuckDBPyConnection,
    config: Config,
    files: Sequence[SourceFile],
    partitions: Sequence[str],
    as_of: dt.datetime,
    own: OwnRows | None = None,
) -> Staged:
    """Stage the feedback events received in some partitions, as received by `as_of`.

    The view `staged_good` has the columns of `feedback_events` with `partition_key`; the view
    `staged_bad` those of its quarantine. Labels and corrections are written in one spelling
    (binary: 1 or 0; regression: the shortest text of the number; multiclass: a class), ratings,
    clicks and rewards as numbers. Of events with one id in a partition the first is kept. Rows with neither a
    value nor a received time, where the source has a column for it, hold no feedback (a history
    whose label is still unknown); they are counted as `blank`.

    Args:
        con: A connection in UTC; the views live as long as it does, or until the next staging.
        config: The loop.
        files: The files of its source of feedback.
        partitions: Keys of the partitions (of received time) to stage.
        as_of: Events received later are left out, and counted as `future`.
        own: Imported logs and the service's events.
    """
    return stage(con, feedback_plan(config), files, partitions, as_of, own)


def feedback_partitions(
    con: duckdb.DuckDBPyConnection, config: Config, files: Sequence[SourceFile]
) -> dict[SourceFile, frozenset[str]]:
    """Return the partitions of `feedback_events` that each file has rows of."""
    received = config.source.feedback.columns.received_time
    return partitions_in(con, files, received, config.partitions.grain)


def feedback_plan(config: Config, landed: bool = False) -> Plan:
    """Return how rows of the source become rows of `feedback_events`.

    Args:
        config: The loop.
        landed: The rows come in the table's own columns; older ones know no principal.
    """
    c = config.source.feedback.columns
    received = "received_time" if c.received_time else "modified"
    value, faults = _value(config)
    if c.received_time:  # said before the event time, which would be taken from it
        faults.insert(0, fault("received_time IS NULL", "received_time is missing"))
    faults.insert(0, _claims(landed))
    return Plan(
        fields=(
            Field("event_id", c.event_id, "text", required=True),
            Field("prediction_id", c.prediction_id, "text", required=True),
            Field("said", c.kind, "text", required=True),
            Field("value", c.value, "text", required=True),
            Field("event_time", c.event_time, "time", required=True),
            Field("received_time", c.received_time, "time", required=True),
            Field("source", c.source, "text", required=True),
            Field("confidence", c.confidence, "number", required=True),
            Field("principal", c.principal, "text", required=not landed),
        ),
        columns=(
            ("event_id", "VARCHAR", f"coalesce(event_id, {_content_id()})"),
            ("prediction_id", "VARCHAR", "prediction_id"),
            ("kind", "VARCHAR", _KIND),
            ("value", "VARCHAR", value),
            ("event_time", "TIMESTAMPTZ", f"coalesce(event_time, {received})"),
            ("received_time", "TIMESTAMPTZ", received),
            ("source", "VARCHAR", "source"),
            ("confidence", "DOUBLE", "coalesce(confidence, 1.0)"),
            ("principal", "VARCHAR", "nullif(trim(principal), '')"),
        ),
        faults=tuple(faults),
        contract=tuple(faults_of(feedback_schema(config), but={"source_file", "partition_key"})),
        key="event_id",
        duplicate=DUPLICATE_EVENT,
        time="received_time",
        time_column=c.received_time,
        grain=config.partitions.grain,
        blank="(value IS NULL AND received_time IS NULL AND said IS NULL)"
        if c.received_time
        else "FALSE",
    )


def _claims(landed: bool) -> Fault:
    """What only answers to review's own questions may say of themselves, and others do."""
    claims = by_people_sql("source", "nullif(trim(principal), '')")
    others = f" AND coalesce({FILE}, '') NOT LIKE '{ANSWERS}%'" if landed else ""
    words = "concat('source ', source, ' of principal ', trim(principal), {})"
    return Fault(
        f"{claims}{others}",
        words.format(literal(" is kept for answers to review's own questions")),
    )


_KIND = "coalesce(lower(trim(said)), 'label')"
_NUMBER = (
    f"CASE WHEN {_KIND} = 'click' AND lower(trim(value)) IN ('true', 'false') "
    "THEN CAST(lower(trim(value)) = 'true' AS DOUBLE) ELSE TRY_CAST(value AS DOUBLE) END"
)
_IS_LABEL = f"{_KIND} IN ('label', 'correction')"


def _value(config: Config) -> tuple[str, list[Fault]]:
    """Return SQL of the value in its one spelling, by kind, and what can be wrong with it."""
    label = answer("value", config.label, "the label")
    number = _NUMBER
    is_number = f"{_KIND} IN ('rating', 'click', 'reward')"
    faults = [
        fault(f"{_KIND} <> 'rejection' AND value IS NULL", "the value is missing"),
        Fault(
            f"{is_number} AND NOT coalesce(isfinite({number}), FALSE)",
            f"concat('the ', {_KIND}, ' is not a number')",
        ),
        fault(f"{_KIND} = 'click' AND {number} NOT IN (0, 1)", "a click is 0 or 1"),
        *(Fault(f"{_IS_LABEL} AND {f.condition}", f.reason) for f in label.faults),
    ]
    value = (
        f"CASE WHEN {_IS_LABEL} THEN {label.value} "
        f"WHEN {is_number} THEN CAST({_NUMBER} AS VARCHAR) ELSE value END"
    )
    return value, faults


def _content_id() -> str:
    """Return SQL of an id made from the row's content: a row sent twice has it twice."""
    parts = (
        "prediction_id", "said", "value", "CAST(event_time AS VARCHAR)",
        "CAST(received_time AS VARCHAR)", "source", "CAST(confidence AS VARCHAR)",
    )  # fmt: skip
    # Each part carries its length, so that no two rows can read alike.
    sized = ", ".join(f"coalesce(concat(length({p}), ':', {p}), '-')" for p in parts)
    # Nothing for nobody: ids made before principals were known stay as they are.
    return f"md5(concat({sized}, coalesce('by ' || nullif(trim(principal), ''), '')))"
