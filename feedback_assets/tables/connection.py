"""DuckDB connections: in memory, in UTC, bounded, and offline."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import duckdb
import pyarrow as pa

from feedback_assets.errors import TableError
from feedback_assets.settings import Settings

BATCH_ROWS = 131_072


@contextmanager
def connect(settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB connection that is closed at the end of the block.

    Args:
        settings: Memory, threads and the folder to spill to; from the environment when absent.

    Yields:
        A connection in UTC that never downloads an extension.
    """
    settings = settings or Settings()
    # DuckDB names its spill files alike in every process, so each connection has its own folder.
    spill = settings.scratch / uuid4().hex
    settings.scratch.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("SET enable_progress_bar = false")
        yield con
    finally:
        con.close()
        shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def reading(
    con: duckdb.DuckDBPyConnection, query: str, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatchReader]:
    """Stream the rows of a query; the connection is free again at the end of the block.

    Raises:
        TableError: The query fails while its rows are read.
    """
    reader = con.sql(query).to_arrow_reader(batch_rows)
    try:
        yield reader
    except (pa.ArrowException, OSError) as error:
        # Arrow hands over DuckDB's errors as OSError without a number; a full disk has one.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise TableError(f"the query failed: {error}") from error
    finally:
        reader.close()


@contextmanager
def registered(con: duckdb.DuckDBPyConnection, name: str, rows: object) -> Iterator[str]:
    """Let SQL on `con` read a frame or an Arrow table as `name` inside the block."""
    con.register(name, rows)
    try:
        yield name
    finally:
        con.unregister(name)
