"""Quoting of names and texts for SQL that DuckDB and Spark both read."""

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
