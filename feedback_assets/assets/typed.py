"""A frame's columns as a table wants them, whatever pandas made of their types."""

from collections.abc import Mapping

from feedback_assets.sqltext import ident


def cast_sql(relation: str, columns: Mapping[str, str]) -> str:
    """SQL that reads `columns` (name to DuckDB type) of a relation, cast to their types."""
    chosen = ", ".join(
        f"CAST({ident(name)} AS {kind}) AS {ident(name)}" for name, kind in columns.items()
    )
    return f"SELECT {chosen} FROM {relation}"
