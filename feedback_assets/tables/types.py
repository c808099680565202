"""The column types a table may have, in the words of DuckDB and of Arrow."""

from collections.abc import Mapping

import pyarrow as pa

from feedback_assets.errors import TableError

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
"""Exactly what Delta stores at reader version 1, so that every Delta reader reads our tables."""

_DUCKDB_TYPES = {arrow: name for name, arrow in ARROW_TYPES.items()}


def duckdb_types(schema: pa.Schema, table: str) -> dict[str, str]:
    """Name the DuckDB type of each column of `schema`.

    Raises:
        TableError: A column has a type that a table cannot hold, or two columns share a name.
    """
    types: dict[str, str] = {}
    for field in schema:
        if field.type not in _DUCKDB_TYPES:
            raise TableError(
                f"{table}: column {field.name} has the type {field.type}, which a table cannot "
                f"hold; CAST it in the query to one of {', '.join(ARROW_TYPES)}"
            )
        if field.name in types:
            raise TableError(f"{table}: the query yields the column {field.name} twice")
        types[field.name] = _DUCKDB_TYPES[field.type]
    return types


def arrow_schema(types: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of columns given by their DuckDB types."""
    return pa.schema([pa.field(name, ARROW_TYPES[kind]) for name, kind in types.items()])
