"""Quoting of names and texts for SQL that DuckDB and Spark both read."""

import datetime as dt
from collections.abc import Iterable


def ident(name: str) -> str:
    """Return `name` as a quoted SQL identifier.

    >>> print(ident('the "id" column'))
    "the ""id"" column"
    """
    return '"' + name.replace('"', '""') + '"'


def idents(names: Iterable[str]) -> str:
    """Return `names` as quoted SQL identifiers with commas between them.

    >>> idents(["origin", "dest"])
    '"origin", "dest"'
    """
    return ", ".join(ident(name) for name in names)


def literal(text: str) -> str:
    """Return `text` as an SQL string literal.

    >>> literal("O'Hare")
    "'O''Hare'"
    """
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """Return `texts` as SQL string literals with commas between them.

    >>> literals(["EWR", "JFK"])
    "'EWR', 'JFK'"
    """
    return ", ".join(literal(text) for text in texts)


def instant(moment: dt.datetime) -> str:
    """Return an aware moment as an SQL literal; the session's time zone is UTC.

    Raises:
        ValueError: The moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone, got {moment.isoformat()}")
    utc = moment.astimezone(dt.UTC)
    return f"TIMESTAMP '{utc:%Y-%m-%d %H:%M:%S.%f}+00:00'"


def number(value: float) -> str:
    """Return a float as SQL that no engine reads as a decimal.

    >>> number(0.5)
    '5.00000000000000000e-01'
    """
    return f"{value:.17e}"
