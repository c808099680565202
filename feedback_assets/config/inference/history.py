"""A labelled history as the columns its loop's YAML names, whatever form its times are in."""

from pathlib import Path

import duckdb

from feedback_assets.config.inference.datafile import ROW, DataFile, open_data, quoted
from feedback_assets.config.inference.infer import DERIVED_ID, DERIVED_LABEL_TIME
from feedback_assets.config.inference.moments import read_moments
from feedback_assets.config.inference.times import DERIVED_EVENT_TIME, time_of
from feedback_assets.config.schema import Config
from feedback_assets.config.shape import nearest
from feedback_assets.errors import SourceError


def history_relation(con: duckdb.DuckDBPyConnection, path: Path, config: Config) -> str:
    """Return SQL for FROM that gives a history's rows under the names of its loop's YAML.

    Every column of the file is there. Times (`columns.event_time` and the feedback's
    `received_time`) are TIMESTAMPTZ in UTC, texts in numeric features are numbers or null. What `feedback-assets init` said it would make is made:
    an id by numbering the rows, an event time out of several columns, and a label time one day (one
    hour in hourly loops) after the event where the data do not hold one.

    Args:
        con: A connection in UTC.
        path: The Parquet, CSV or JSONL file.
        config: The loop.

    Raises:
        SourceError: The file cannot be read, or lacks a column that the loop names.
    """
    data = open_data(con, path)
    feedback = config.source.feedback.columns
    known = feedback.received_time
    event = config.columns.event_time
    made: dict[str, str] = {}
    replaced: dict[str, str] = {}
    event_sql = _event_sql(con, data, event, known)
    (replaced if event in data.columns else made)[event] = event_sql
    if config.columns.id not in data.columns:
        _may_be_made(data, config.columns.id, DERIVED_ID)
        made[config.columns.id] = f"'row-' || {ROW}"
    if known is not None and known in data.columns:
        replaced[known] = _time_sql(con, data, known)
    elif known is not None:
        _may_be_made(data, known, DERIVED_LABEL_TIME)
        later = "to_hours(1)" if config.partitions.grain == "hourly" else "to_days(1)"
        label = quoted(feedback.value)
        made[known] = f"CASE WHEN {label} IS NOT NULL THEN {event_sql} + {later} END"
    for column in (*config.columns.features, *config.columns.carried, feedback.value):
        if column not in data.columns:
            raise _lacks(data, column)
    for column in config.columns.numeric:
        if data.columns[column] == "VARCHAR":
            replaced[column] = f"TRY_CAST({quoted(column)} AS DOUBLE)"
    swapped = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in replaced.items())
    star = f"* EXCLUDE ({ROW})" + (f" REPLACE ({swapped})" if swapped else "")
    more = "".join(f", {sql} AS {quoted(name)}" for name, sql in made.items())
    return f"(SELECT {star}{more} FROM {data.numbered})"


def _event_sql(
    con: duckdb.DuckDBPyConnection, data: DataFile, event: str, known: str | None
) -> str:
    if event in data.columns:
        return _time_sql(con, data, event)
    _may_be_made(data, event, DERIVED_EVENT_TIME)
    return read_moments(con, data, None, known if known in data.columns else None).event.sql


def _time_sql(con: duckdb.DuckDBPyConnection, data: DataFile, column: str) -> str:
    guess = time_of(con, data, column)
    if guess is None:
        raise SourceError(f"{data.path}: {column} ({data.columns[column]}) holds no times")
    return guess.sql


def _may_be_made(data: DataFile, column: str, name: str) -> None:
    if column != name:
        raise _lacks(data, column)


def _lacks(data: DataFile, column: str) -> SourceError:
    meant = nearest(column, data.columns)
    hint = f"; did you mean {meant}?" if meant else ""
    return SourceError(
        f"{data.path}: has no column {column}{hint} It has: {', '.join(data.columns)}"
    )
