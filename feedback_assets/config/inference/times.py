"""Finding columns that hold times, in whatever form, and the SQL that reads them as UTC."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from feedback_assets.config.inference.datafile import DataFile, quoted
from feedback_assets.config.inference.names import snake, words

DERIVED_EVENT_TIME = "event_time"
"""The name of an event time that is put together from several columns."""

_FORMATS = (
    "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y",
    "%d-%m-%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%Y%m%d", "%Y%m%d%H%M%S", "%Y/%m/%d", "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y",
    "%m/%d/%y", "%m/%d/%y %H:%M", "%I:%M %p %m/%d/%Y", "%m/%d/%Y %I:%M:%S %p",
)  # fmt: skip
_TIME_WORDS = {
    "time", "ts", "timestamp", "date", "datetime", "at", "epoch", "created", "updated", "unix",
    "utc", "when", "dt",
}  # fmt: skip
_EPOCHS = (("seconds", 1.0), ("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))
_RELATIVE = {"time": 1, "seconds": 1, "elapsed": 1, "t": 1, "step": 3600}
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "UBIGINT", "USMALLINT")
_UNITS = {
    "year": {"year", "yr"},
    "month": {"month", "mnth", "mon"},
    "day": {"day", "dom", "mday", "day_of_month", "dayofmonth"},
    "hour": {"hour", "hr", "hour_of_day"},
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class TimeGuess:
    """One way to read a time from a row."""

    name: str
    """The column, or `event_time` where several columns make it."""
    sql: str
    """Expression that gives TIMESTAMPTZ, or null where a row has none."""
    how: str
    """In words, empty if the column simply is a timestamp."""
    columns: tuple[str, ...]
    """The columns that it is read from."""
    whole_days: bool = False
    """Whether it names days only."""
    relative: bool = False
    """Whether it counts from an unknown beginning."""


def is_number(kind: str) -> bool:
    """Whether a DuckDB type is numeric."""
    return kind in (*_INTEGERS, "FLOAT", "DOUBLE", "HUGEINT", "REAL") or kind.startswith("DECIMAL")


def is_integer(kind: str) -> bool:
    """Whether a DuckDB type is an integer."""
    return kind in (*_INTEGERS, "HUGEINT")


def find_times(con: duckdb.DuckDBPyConnection, data: DataFile) -> list[TimeGuess]:
    """Return every way to read a time from the rows of `data`, single columns first."""
    single = [guess for column in data.columns if (guess := time_of(con, data, column))]
    return [*single, *_with_hour(con, data, single), *_from_parts(con, data)]


def time_of(con: duckdb.DuckDBPyConnection, data: DataFile, column: str) -> TimeGuess | None:
    """Return how `column` is read as a time, or None if it is none."""
    kind = data.columns[column]
    name = quoted(column)
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return TimeGuess(
            column, f"CAST({name} AS TIMESTAMPTZ)", "", (column,), _whole_days(con, data, name)
        )
    if kind == "VARCHAR":
        return _text_time(con, data, column)
    return _number_time(con, data, column) if is_number(kind) else None


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, ...]:
    row = con.execute(sql).fetchone()
    return tuple(0 if value is None else value for value in row or ())


def _head(data: DataFile, name: str) -> str:
    return f"(SELECT {name} AS x FROM {data.relation} WHERE {name} IS NOT NULL LIMIT 5000)"


def _whole_days(con: duckdb.DuckDBPyConnection, data: DataFile, name: str) -> bool:
    read = "epoch(CAST(x AS TIMESTAMPTZ))"
    sql = f"SELECT count(*) FILTER ({read} % 86400 <> 0) FROM {_head(data, name)}"
    return _one(con, sql)[0] == 0


def _text_time(con: duckdb.DuckDBPyConnection, data: DataFile, column: str) -> TimeGuess | None:
    name = quoted(column)
    head = _head(data, name)
    looks = "length(x) BETWEEN 8 AND 35 AND regexp_matches(x, '[0-9].*[0-9].*[0-9]')"
    total, like = _one(con, f"SELECT count(*), count(*) FILTER ({looks}) FROM {head}")
    if not total or like < 0.99 * total:
        return None
    reads = ["TRY_CAST({} AS TIMESTAMPTZ)"]
    reads += [f"CAST(TRY_STRPTIME({{}}, '{f}') AS TIMESTAMPTZ)" for f in _FORMATS]
    tries = ", ".join(f"count({read.format('x')})" for read in reads)
    counts = _one(con, f"SELECT {tries} FROM {head}")
    best = max(range(len(reads)), key=lambda i: counts[i])
    if counts[best] < 0.99 * total:
        return None
    sql = reads[best].format(name)
    seconds = f"epoch({reads[best].format('x')})"
    within = _one(con, f"SELECT count(*) FILTER ({seconds} % 86400 <> 0) FROM {head}")
    how = "" if best == 0 else f"text as {_FORMATS[best - 1]}; sources need ISO 8601"
    return TimeGuess(column, sql, how, (column,), whole_days=within[0] == 0)


def _number_time(con: duckdb.DuckDBPyConnection, data: DataFile, column: str) -> TimeGuess | None:
    name = quoted(column)
    head = _head(data, name)
    if not (_TIME_WORDS | set(_RELATIVE)) & set(words(column)):
        return None
    low, high, falls = _one(
        con,
        "SELECT min(x), max(x), count(*) FILTER (x < before) FROM"
        f" (SELECT x, lag(x) OVER (ORDER BY n) AS before FROM"
        f" (SELECT x, row_number() OVER () AS n FROM {head}))",
    )
    for unit, scale in _EPOCHS:
        if 3e8 * scale <= low and high <= 4.2e9 * scale:
            sql = f"to_timestamp(CAST({name} AS DOUBLE) / {scale:e})"
            return TimeGuess(column, sql, f"{unit} since 1970", (column,))
    if low >= 19_000_101 and high <= 21_001_231:
        text = f"CAST(CAST({name} AS BIGINT) AS VARCHAR)"
        sql = f"CAST(TRY_STRPTIME({text}, '%Y%m%d') AS TIMESTAMPTZ)"
        return TimeGuess(column, sql, "number as YYYYMMDD", (column,), whole_days=True)
    seconds = _RELATIVE.get(snake(column))
    if seconds and low >= 0 and falls == 0 and high > low:
        sql = (
            f"TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(CAST({name} AS DOUBLE) * {seconds})"
        )
        unit = "seconds" if seconds == 1 else "hours"
        how = f"{unit} since an unknown beginning, taken as 2024-01-01; sources need true times"
        return TimeGuess(column, sql, how, (column,), relative=True)
    return None


def _with_hour(
    con: duckdb.DuckDBPyConnection, data: DataFile, single: Iterable[TimeGuess]
) -> list[TimeGuess]:
    """Join a column of days with a column of hours, as in `dteday` and `hr`."""
    hours = [c for c in data.columns if snake(c) in _UNITS["hour"] and _fits(con, data, c, 0, 23)]
    if not hours:
        return []
    return [
        TimeGuess(
            DERIVED_EVENT_TIME,
            f"({day.sql} + to_hours(CAST({quoted(hours[0])} AS INTEGER)))",
            f"made of {day.name} and {hours[0]}",
            (*day.columns, hours[0]),
        )
        for day in single
        if day.whole_days and DERIVED_EVENT_TIME not in data.columns
    ]


def _from_parts(con: duckdb.DuckDBPyConnection, data: DataFile) -> list[TimeGuess]:
    """Join year, month, day and hour columns that share the beginning of their names."""
    if DERIVED_EVENT_TIME in data.columns:
        return []
    by_prefix: dict[str, dict[str, str]] = {}
    for column in data.columns:
        for unit, names in _UNITS.items():
            for ending in names:
                plain = snake(column)
                if plain == ending or plain.endswith(f"_{ending}"):
                    prefix = plain[: len(plain) - len(ending)]
                    by_prefix.setdefault(prefix, {}).setdefault(unit, column)
    guesses = (_joined(con, data, parts) for parts in by_prefix.values() if "year" in parts)
    return [guess for guess in guesses if guess]


def _joined(
    con: duckdb.DuckDBPyConnection, data: DataFile, parts: Mapping[str, str]
) -> TimeGuess | None:
    if not _fits(con, data, parts["year"], 1900, 2100):
        return None
    month = _month(con, data, parts.get("month"))
    used = [parts["year"]]
    numbers = {"year": f"CAST({quoted(parts['year'])} AS BIGINT)", "month": "1", "day": "1"}
    if month and "month" in parts:
        numbers["month"] = month
        used.append(parts["month"])
        if "day" in parts and _fits(con, data, parts["day"], 1, 31):
            numbers["day"] = f"CAST({quoted(parts['day'])} AS BIGINT)"
            used.append(parts["day"])
    sql = f"make_timestamp({', '.join(numbers.values())}, 0, 0, 0.0)"
    hours = len(used) == 3 and "hour" in parts and _fits(con, data, parts["hour"], 0, 23)
    if hours:
        sql = f"({sql} + to_hours(CAST({quoted(parts['hour'])} AS INTEGER)))"
        used.append(parts["hour"])
    how = f"made of {', '.join(used)}"
    sql = f"CAST(TRY({sql}) AS TIMESTAMPTZ)"
    return TimeGuess(DERIVED_EVENT_TIME, sql, how, tuple(used), whole_days=not hours)


def _month(con: duckdb.DuckDBPyConnection, data: DataFile, column: str | None) -> str | None:
    if column is None:
        return None
    if _fits(con, data, column, 1, 12):
        return f"CAST({quoted(column)} AS BIGINT)"
    if data.columns[column] != "VARCHAR":
        return None
    cases = " ".join(f"WHEN '{name}' THEN {i}" for i, name in enumerate(_MONTHS, 1))
    sql = f"(CASE lower(left({quoted(column)}, 3)) {cases} END)"
    named = _one(con, f"SELECT count(*), count({sql}) FROM {data.relation}")
    return sql if named[0] and named[1] >= 0.99 * named[0] else None


def _fits(con: duckdb.DuckDBPyConnection, data: DataFile, column: str, low: int, high: int) -> bool:
    if not is_number(data.columns[column]):
        return False
    name = quoted(column)
    found = _one(con, f"SELECT count({name}), min({name}), max({name}) FROM {data.relation}")
    return bool(found[0]) and low <= found[1] and found[2] <= high
