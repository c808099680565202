"""Connections are in UTC, bounded, offline and leave nothing behind."""

from pathlib import Path

import duckdb
import pytest

from feedback_assets.errors import TableError
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect, reading


def test_settings_apply(tmp_path: Path) -> None:
    with connect(Settings(home=tmp_path, memory_limit="300MB", threads=1)) as con:
        values = con.sql(
            "SELECT current_setting('TimeZone'), current_setting('threads'),"
            " current_setting('memory_limit'), current_setting('autoinstall_known_extensions'),"
            " current_setting('autoload_known_extensions')"
        ).fetchall()
    assert values == [("UTC", 1, "286.1 MiB", False, False)]


def test_two_connections_spill_into_different_folders_and_clean_up(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, memory_limit="40MB", threads=1)
    with connect(settings) as one, connect(settings) as two:
        for con in (one, two):
            con.execute("CREATE TABLE t AS SELECT md5(range::VARCHAR) AS x FROM range(600_000)")
            con.execute("CREATE TABLE s AS FROM t ORDER BY x")
        assert len(list(settings.scratch.iterdir())) == 2
    assert list(settings.scratch.iterdir()) == []


def test_after_a_failed_read_the_connection_is_free(tmp_path: Path) -> None:
    query = "SELECT if(range < 500_000, '1', 'x')::INTEGER AS number FROM range(1_000_000)"
    with connect(Settings(home=tmp_path)) as con:
        with pytest.raises(TableError, match="Could not convert"), reading(con, query) as reader:
            for _ in reader:
                pass
        with reading(con, "FROM range(1_000_000)") as reader:
            next(reader)
        assert con.execute("SELECT 1").fetchall() == [(1,)]


def test_the_connection_is_closed_at_the_end(tmp_path: Path) -> None:
    with connect(Settings(home=tmp_path)) as con:
        pass
    with pytest.raises(duckdb.Error):
        con.execute("SELECT 1")
