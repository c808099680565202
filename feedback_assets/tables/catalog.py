"""Read access to every table by SQL, now or as it was: what `feedback-assets sql` stands on."""

import datetime as dt
import re
from pathlib import Path

import duckdb
import pyarrow as pa

from feedback_assets.errors import TableError
from feedback_assets.settings import Settings
from feedback_assets.sqltext import ident
from feedback_assets.tables.connection import connect, reading
from feedback_assets.tables.log import versions
from feedback_assets.tables.table import Snapshot, Table

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


def tables_of(home: Path, loop: str | None = None) -> dict[str, Table]:
    """Find the tables that were ever written, by name as in `flights.feedback_table`.

    Args:
        home: The state folder.
        loop: Only this loop's tables.
    """
    root = home / "tables"
    folders = sorted(path for path in root.glob(f"{loop or '*'}/*") if versions(path))
    return {
        f"{path.parent.name}.{path.name}": Table(root, f"{path.parent.name}/{path.name}", ())
        for path in folders
    }


def query(
    settings: Settings,
    sql: str,
    version: int | None = None,
    at: dt.datetime | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Run one reading statement; every table is there as `<loop>.<table>`.

    Args:
        settings: Where the tables are, and how much memory to use.
        sql: One SELECT (WITH, FROM, VALUES, DESCRIBE and SUMMARIZE count as such) or EXPLAIN.
        version: Read this version of the only table that the text names.
        at: Read every table as it was at this time.
        limit: Read no more than so many rows of the result.

    Returns:
        The result; its times are UTC.

    Raises:
        TableError: The text is not one reading statement, cannot run, or names no known table.
    """
    tables = tables_of(settings.root)
    named = [name for name in tables if _names(sql, name)]
    if version is not None and len(named) != 1:
        raise TableError(
            f"a version belongs to one table and the query names {len(named)}: "
            f"{', '.join(named) or 'none'}; use a time instead. {_listing(tables)}"
        )
    with connect(settings) as con:
        try:
            _refuse_writing(con, sql)
            for name in named:
                _create_view(con, name, tables[name].snapshot(version, at))
            return _read(con, sql, limit)
        except duckdb.CatalogException as error:
            raise TableError(f"{error}\n{_listing(tables)}") from error
        except duckdb.Error as error:
            raise TableError(str(error)) from error


def _names(sql: str, name: str) -> bool:
    loop, table = map(re.escape, name.split("."))
    return bool(re.search(rf'(?<!\w)"?{loop}"?\s*\.\s*"?{table}"?(?!\w)', sql, re.IGNORECASE))


def _refuse_writing(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    kinds = [statement.type for statement in con.extract_statements(sql)]
    if len(kinds) != 1 or kinds[0] not in _READING:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise TableError(f"one SELECT is expected, found: {found}; tables are written by assets")


def _create_view(con: duckdb.DuckDBPyConnection, name: str, snapshot: Snapshot) -> None:
    if not snapshot.columns():
        raise TableError(f"the table {name} was not there yet at that time")
    loop, table = map(ident, name.split("."))
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {loop}")
    con.execute(f"CREATE VIEW {loop}.{table} AS FROM {snapshot.relation()}")


def _read(con: duckdb.DuckDBPyConnection, sql: str, limit: int | None) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    rows = 0
    with reading(con, sql) as reader:
        for batch in reader:
            batches.append(batch if limit is None else batch.slice(0, limit - rows))
            rows += batch.num_rows
            if limit is not None and rows >= limit:
                break
        return pa.Table.from_batches(batches, reader.schema)


def _listing(tables: dict[str, Table]) -> str:
    return f"Tables: {', '.join(tables)}" if tables else "There are no tables yet."
