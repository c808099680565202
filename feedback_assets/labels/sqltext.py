"""Quoting for the SQL text of this package, which must not import the tables."""

import datetime as dt


def ident(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A quoted string."""
    return "'" + text.replace("'", "''") + "'"


def instant(moment: dt.datetime) -> str:
    """An aware moment as a literal; the session's time zone is UTC on both engines.

    Raises:
        ValueError: the moment is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"as_of must be an aware datetime, got {moment.isoformat()}")
    utc = moment.astimezone(dt.UTC)
    return f"TIMESTAMP '{utc:%Y-%m-%d %H:%M:%S.%f}+00:00'"


def number(value: float) -> str:
    """A float that no engine reads as a decimal."""
    return f"{value:.17e}"
