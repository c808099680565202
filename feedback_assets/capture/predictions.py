"""Predictions on their way into `prediction_log`."""

import datetime as dt
from collections.abc import Sequence

import duckdb

from feedback_assets.capture.arrivals import partitions_in
from feedback_assets.capture.contract import class_score_names, prediction_schema
from feedback_assets.capture.convert import Fault, answer
from feedback_assets.capture.counts import Staged
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.plan import Field, OwnRows, Plan
from feedback_assets.capture.screen import faults_of
from feedback_assets.capture.stage import stage
from feedback_assets.config.schema import Config
from feedback_assets.sqltext import ident, literal

DUPLICATE_ID = "duplicate id"

_ANSWER_TYPES = {"binary": "BIGINT", "multiclass": "VARCHAR", "regression": "DOUBLE"}


def stage_predictions(
    con: duckdb.DuckDBPyConnection,
    config: Config,
    files: Sequence[SourceFile],
    partitions: Sequence[str],
    as_of: dt.datetime,
    own: OwnRows | None = None,
) -> Staged:
    """Stage the predictions of some partitions, as received by `as_of`.

    The view `staged_good` has the columns of `prediction_log` with `partition_key`; the view
    `staged_bad` those of its quarantine. Of rows with one id in a partition the first received
    is kept. A column that the source lacks is filled where the YAML says how: without a model
    version a row is history, without a prediction the score decides.

    Args:
        con: A connection in UTC; the views live as long as it does, or until the next staging.
        config: The loop.
        files: The files of its source of predictions.
        partitions: Keys of the partitions to stage.
        as_of: Rows received later are left out, and counted as `future`.
        own: Imported logs and the service's rows.
    """
    return stage(con, prediction_plan(config), files, partitions, as_of, own)


def prediction_partitions(
    con: duckdb.DuckDBPyConnection, config: Config, files: Sequence[SourceFile]
) -> dict[SourceFile, frozenset[str]]:
    """Return the partitions of `prediction_log` that each file has rows of."""
    return partitions_in(con, files, config.columns.event_time, config.partitions.grain)


def prediction_plan(config: Config) -> Plan:
    """Return how rows of the source become rows of `prediction_log`."""
    prediction, faults = _prediction(config)
    return Plan(
        fields=_fields(config),
        columns=_columns(config, prediction),
        faults=tuple(faults),
        contract=tuple(faults_of(prediction_schema(config), but={"source_file", "partition_key"})),
        key="prediction_id",
        duplicate=DUPLICATE_ID,
        time="event_time",
        time_column=config.columns.event_time,
        grain=config.partitions.grain,
    )


def _fields(config: Config) -> tuple[Field, ...]:
    c = config.columns
    answer_kind = "number" if config.label.kind == "regression" else "text"
    scores = zip(class_score_names(config), c.class_scores.values(), strict=True)
    return (
        Field("prediction_id", c.id, "text", required=True),
        Field("event_time", c.event_time, "time", required=True),
        Field("received_time", c.received_time, "time", required=True),
        Field("model_version", c.model_version, "text"),
        Field("role", c.role, "text"),
        Field("propensity", c.propensity, "number"),
        Field("score", c.score, "number"),
        *(Field(name, column, "number") for name, column in scores),
        Field("prediction", c.prediction, answer_kind),  # type: ignore[arg-type]
        *(
            Field(n, n, "number" if c.kind_of(n) == "numeric" else "text", required=True)
            for n in [*c.features, *c.carried]
        ),
    )


def _columns(config: Config, prediction: str) -> tuple[tuple[str, str, str], ...]:
    c = config.columns
    role = "CASE WHEN model_version IS NULL THEN 'history' ELSE 'served' END"
    return (
        ("prediction_id", "VARCHAR", "prediction_id"),
        ("event_time", "TIMESTAMPTZ", "event_time"),
        ("received_time", "TIMESTAMPTZ", "coalesce(received_time, event_time)"),
        ("model_version", "VARCHAR", "model_version"),
        ("role", "VARCHAR", f"coalesce(lower(trim(role)), {role})" if c.role else role),
        ("propensity", "DOUBLE", "coalesce(propensity, 1.0)"),
        ("score", "DOUBLE", _score(config)),
        *((name, "DOUBLE", ident(name)) for name in class_score_names(config)),
        ("prediction", _ANSWER_TYPES[config.label.kind], prediction),
        *(
            (n, "DOUBLE" if c.kind_of(n) == "numeric" else "VARCHAR", ident(n))
            for n in [*c.features, *c.carried]
        ),
    )


def _score(config: Config) -> str:
    if config.label.kind == "regression":
        return "coalesce(score, prediction)"
    names = class_score_names(config)
    if config.label.kind == "multiclass" and names:
        return f"coalesce(score, {_largest(names)})"
    return "score"


def _largest(names: Sequence[str]) -> str:
    return f"greatest({', '.join(ident(name) for name in names)})"


def _prediction(config: Config) -> tuple[str, list[Fault]]:
    """Return SQL of the answer given, or else of the one that the scores imply."""
    label = config.label
    if label.kind == "regression":
        return "coalesce(prediction, score)", []
    given = answer("prediction", label, config.columns.prediction or "prediction")
    if label.kind == "binary":
        said = f"CAST({given.value} AS BIGINT)"
        return f"coalesce({said}, CAST(score >= {label.threshold!r} AS BIGINT))", [*given.faults]
    names = class_score_names(config)
    if not names:
        return given.value, [*given.faults]
    # The first class with the largest probability, as argmax has it.
    best = " ".join(
        f"WHEN {ident(name)} = {_largest(names)} THEN {literal(cls)}"
        for name, cls in zip(names, config.columns.class_scores, strict=True)
    )
    return f"coalesce({given.value}, CASE {best} END)", [*given.faults]
