"""A table replaces partitions in one commit, pins versions and tells its history."""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from feedback_assets.errors import StaleInputsError, TableError
from feedback_assets.settings import Settings
from feedback_assets.tables import log
from feedback_assets.tables import table as table_module
from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import digest_of
from feedback_assets.tables.table import Cause, Snapshot, Table

DAYS = ["2013-02-01", "2013-02-02", "2013-02-03"]
TWO_DAYS = """SELECT 'p' || range AS id, '2013-02-0' || (1 + range % 2) AS partition_key,
    range * 0.5e0 AS score, TIMESTAMPTZ '2013-02-01 00:00Z' + to_hours(range) AS event_time
    FROM range(10)"""


@pytest.fixture(name="con")
def _con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(Settings(home=tmp_path / "home")) as con:
        yield con


@pytest.fixture(name="table")
def _table(tmp_path: Path) -> Table:
    return Table(tmp_path / "tables", "flights/log", ["id"])


def cause(inputs: dict[str, int] | None = None, run_id: str = "run") -> Cause:
    """A cause with these inputs."""
    return Cause(run_id, "flights/log", inputs or {}, {"why": "test"})


def rows_of(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, columns: Sequence[str]) -> object:
    """All rows in order."""
    return con.sql(f"FROM {snapshot.relation(columns=columns)} ORDER BY ALL").fetchall()


def test_replaces_several_partitions_in_one_commit(con, table) -> None:
    snapshot = table.replace(con, TWO_DAYS, DAYS, cause())
    assert snapshot.version == 0
    rows = {key: info.rows for key, info in snapshot.partitions().items()}
    assert rows == dict(zip(DAYS, (5, 5, 0), strict=True))
    expected = con.sql(f"SELECT id, score, event_time FROM ({TWO_DAYS}) ORDER BY ALL").fetchall()
    assert rows_of(con, snapshot, ["id", "score", "event_time"]) == expected
    assert snapshot.columns() == {
        "id": "VARCHAR",
        "partition_key": "VARCHAR",
        "score": "DOUBLE",
        "event_time": "TIMESTAMP WITH TIME ZONE",
    }


def test_digest_of_a_partition_can_be_recomputed(con, table) -> None:
    snapshot = table.replace(con, TWO_DAYS, DAYS, cause())
    for key, info in snapshot.partitions().items():
        assert digest_of(con, snapshot.relation([key]), ["id"]) == info.digest


def test_empty_differs_from_never_written(con, table) -> None:
    snapshot = table.replace(con, TWO_DAYS, DAYS, cause())
    assert snapshot.partitions()["2013-02-03"].rows == 0
    assert "2013-02-04" not in snapshot.partitions()
    for key in ("2013-02-03", "2013-02-04"):
        assert con.sql(f"FROM {snapshot.relation([key])}").fetchall() == []
    emptied = table.replace(con, f"{TWO_DAYS} WHERE false", DAYS[:1], cause())
    assert emptied.partitions()["2013-02-01"].rows == 0
    assert con.sql(f"SELECT count(*) FROM {emptied.relation()}").fetchall() == [(5,)]


def test_the_same_again_changes_nothing(con, table) -> None:
    first = table.replace(con, TWO_DAYS, DAYS, cause({"source": 1}))
    files = sorted(table.path.rglob("*.parquet"))
    again = table.replace(con, f"FROM ({TWO_DAYS}) ORDER BY score DESC", DAYS, cause({"source": 2}))
    assert again.version == first.version
    assert again.partitions() == first.partitions()
    assert sorted(table.path.rglob("*.parquet")) == files


def test_only_changed_partitions_are_rewritten(con, table) -> None:
    first = table.replace(con, TWO_DAYS, DAYS, cause())
    query = f"SELECT * REPLACE (if(id = 'p0', 9e0, score) AS score) FROM ({TWO_DAYS})"
    second = table.replace(con, query, DAYS, cause())
    assert second.version == 1
    assert table.history()[0].partitions == ("2013-02-01",)
    before, after = first.partitions(), second.partitions()
    assert before["2013-02-01"] != after["2013-02-01"]
    assert before["2013-02-02"] == after["2013-02-02"]


def test_no_partitions_is_no_commit(con, table) -> None:
    assert table.replace(con, TWO_DAYS, [], cause()).version == -1


def test_rows_of_another_partition_are_refused_and_leave_nothing(con, table) -> None:
    with pytest.raises(TableError, match="rows of the partition 2013-02-02"):
        table.replace(con, TWO_DAYS, DAYS[:1], cause())
    assert not table.exists()
    assert list(table.path.rglob("*.parquet")) == []


def test_rows_without_a_partition_are_refused(con, table) -> None:
    query = "SELECT 'a' AS id, CAST(NULL AS VARCHAR) AS partition_key"
    with pytest.raises(TableError, match="rows of the partition None"):
        table.replace(con, query, DAYS, cause())


def test_two_rows_with_one_key_are_refused(con, table) -> None:
    with pytest.raises(TableError, match=r"flights/log: two rows have the key \{'id': 'same'\}"):
        table.replace(con, TWO_DAYS.replace("'p' || range", "'same'"), DAYS, cause())
    assert not table.exists()


def test_a_query_without_the_key_says_what_is_needed(con, table) -> None:
    with pytest.raises(TableError, match="yield partition_key, id"):
        table.replace(con, "SELECT 1 AS x", DAYS, cause())


@pytest.mark.parametrize("key", ["", "2013/02/01", "../x", "a b", "day=1", "ü"])
def test_a_partition_key_that_is_none_is_refused(con, table, key: str) -> None:
    with pytest.raises(TableError, match="is not a partition key"):
        table.replace(con, TWO_DAYS, [key], cause())


def test_older_inputs_do_not_replace_newer_ones(con, table) -> None:
    table.replace(con, TWO_DAYS, DAYS, cause({"source": 5, "other": 1}))
    changed = TWO_DAYS.replace("0.5e0", "0.7e0")
    with pytest.raises(StaleInputsError, match="partition 2013-02-01 was made from source 5"):
        table.replace(con, changed, DAYS, cause({"source": 4, "other": 2}))
    assert table.snapshot().version == 0
    assert len(list(table.path.rglob("*.parquet"))) == 3
    assert table.replace(con, changed, DAYS, cause({"source": 5, "other": 2})).version == 1


def test_inputs_are_kept_for_each_partition(con, table) -> None:
    first, second = (f"FROM ({TWO_DAYS}) WHERE partition_key = '{day}'" for day in DAYS[:2])
    table.replace(con, first, DAYS[:1], cause({"source": 7}))
    snapshot = table.replace(con, second, DAYS[1:2], cause({"source": 3}))
    assert [snapshot.inputs(day) for day in DAYS] == [{"source": 7}, {"source": 3}, {}]


def test_history_tells_run_asset_inputs_and_rows_newest_first(con, table) -> None:
    table.replace(con, TWO_DAYS, DAYS, cause({"source": 1}, "first"))
    table.replace(con, f"{TWO_DAYS} WHERE false", DAYS[:1], cause({"source": 2}, "second"))
    newest, oldest = table.history()
    assert (newest.version, newest.run_id, newest.inputs) == (1, "second", {"source": 2})
    assert (newest.partitions, newest.rows) == (("2013-02-01",), 0)
    assert (oldest.version, oldest.run_id, oldest.asset) == (0, "first", "flights/log")
    assert (oldest.rows, oldest.details) == (10, {"why": "test"})
    assert dt.timedelta(0) <= newest.timestamp - oldest.timestamp < dt.timedelta(minutes=1)


def test_a_version_stays_as_it_was(con, table) -> None:
    first = table.replace(con, TWO_DAYS, DAYS, cause())
    rows = rows_of(con, first, ["id", "score"])
    table.replace(con, f"{TWO_DAYS} WHERE false", DAYS, cause())
    assert rows_of(con, first, ["id", "score"]) == rows
    assert rows_of(con, table.snapshot(version=0), ["id", "score"]) == rows
    assert table.snapshot(version=0).manifest() == first.manifest()
    assert rows_of(con, table.snapshot(), ["id"]) == []


def test_a_version_by_time(con, table) -> None:
    table.replace(con, TWO_DAYS, DAYS, cause())
    table.replace(con, f"{TWO_DAYS} WHERE false", DAYS, cause())
    newest, oldest = table.history()
    assert table.snapshot(at=oldest.timestamp).version == 0 or newest.timestamp == oldest.timestamp
    assert table.snapshot(at=newest.timestamp).version == 1
    assert table.snapshot(at=oldest.timestamp - dt.timedelta(seconds=1)).version == -1


def test_an_unknown_version_says_which_there_are(con, table) -> None:
    table.replace(con, TWO_DAYS, DAYS, cause())
    with pytest.raises(TableError, match="no version 7; it has: 0 to 0"):
        table.snapshot(version=7)


def test_a_table_never_written_says_what_to_materialize(table) -> None:
    snapshot = table.snapshot()
    assert (snapshot.version, snapshot.partitions(), snapshot.columns()) == (-1, {}, {})
    assert snapshot.inputs("2013-02-01") == {}
    with pytest.raises(TableError, match="materialize the asset flights/log"):
        snapshot.relation()


def test_an_unknown_column_names_the_nearest(con, table) -> None:
    snapshot = table.replace(con, TWO_DAYS, DAYS, cause())
    with pytest.raises(TableError, match="no column scores; nearest is score"):
        snapshot.relation(columns=["scores"])


def test_a_new_column_is_null_in_older_partitions(con, table) -> None:
    old = table.replace(con, TWO_DAYS, DAYS, cause())
    query = f"SELECT *, 'new' AS extra FROM ({TWO_DAYS}) WHERE partition_key = '2013-02-01'"
    snapshot = table.replace(con, query, DAYS[:1], cause())
    extras = f"SELECT DISTINCT partition_key, extra FROM {snapshot.relation()} ORDER BY ALL"
    assert con.sql(extras).fetchall() == [("2013-02-01", "new"), ("2013-02-02", None)]
    older = snapshot.relation(["2013-02-02"])
    assert digest_of(con, older, ["id"]) == old.partitions()["2013-02-02"].digest
    assert "extra" not in table.snapshot(version=0).columns()


def test_a_column_that_the_query_no_longer_has_is_null(con, table) -> None:
    table.replace(con, TWO_DAYS, DAYS, cause())
    query = f"SELECT * EXCLUDE (score) FROM ({TWO_DAYS}) WHERE partition_key = '2013-02-01'"
    snapshot = table.replace(con, query, DAYS[:1], cause())
    counts = f"SELECT count(score), count(*) FROM {snapshot.relation()}"
    assert con.sql(counts).fetchall() == [(5, 10)]


def test_a_column_never_changes_its_type(con, table) -> None:
    table.replace(con, TWO_DAYS, DAYS, cause())
    with pytest.raises(TableError, match="score is DOUBLE in the table and VARCHAR in the query"):
        table.replace(con, TWO_DAYS.replace("range * 0.5e0", "'x'"), DAYS, cause())


def test_odd_folders_and_column_names(con, tmp_path: Path) -> None:
    table = Table(tmp_path / "it's [1] a*b=c é", "flights/log", ["the id"])
    query = """SELECT 1 AS "the id", 'x' AS "quo""te", '2013-02-01' AS partition_key"""
    snapshot = table.replace(con, query, DAYS[:1], cause())
    assert con.sql(f"FROM {snapshot.relation()}").fetchall() == [(1, "x", "2013-02-01")]


def test_a_folder_that_delta_would_misread_is_refused(con, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="choose another FEEDBACK_ASSETS_HOME"):
        Table(tmp_path / "a%20b", "flights/log", ["id"]).replace(con, TWO_DAYS, DAYS, cause())


def test_every_delta_reader_can_read_it(con, table) -> None:
    snapshot = table.replace(con, TWO_DAYS, DAYS, cause())
    delta = DeltaTable(str(table.path))
    protocol = delta.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    there = delta.to_pyarrow_table()
    con.register("there", there)
    same = f"(FROM {snapshot.relation()}) EXCEPT SELECT id, partition_key, score, event_time"
    assert there.num_rows == 10
    assert con.sql(f"{same} FROM there").fetchall() == []
    con.unregister("there")


def test_survives_checkpoints(con, table) -> None:
    for number in range(103):
        query = f"SELECT 1 AS id, {number} AS x, '2013-02-01' AS partition_key"
        table.replace(con, query, DAYS[:1], cause({"source": number}))
    assert list((table.path / log.LOG_FOLDER).glob("*.checkpoint.parquet"))
    assert rows_of(con, table.snapshot(), ["x"]) == [(102,)]
    assert rows_of(con, table.snapshot(version=50), ["x"]) == [(50,)]
    assert len(table.history()) == 103


def test_files_reach_the_disk_before_the_commit_and_the_commit_after(
    con, table, monkeypatch
) -> None:
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def recording(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path.name, table.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", recording)
    table.replace(con, TWO_DAYS, DAYS[:2], cause())
    before = [name for name, committed in synced if not committed]
    after = [name for name, committed in synced if committed]
    for day in DAYS[:2]:
        assert before.index(f"{day}.parquet") < before.index(f"partition_key={day}")
    assert after == ["00000000000000000000.json", "_delta_log"]


def test_a_failure_after_the_commit_keeps_its_files(con, table, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(log, "sync_commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        table.replace(con, TWO_DAYS, DAYS, cause())
    assert rows_of(con, table.snapshot(), ["id"]) == [(f"p{n}",) for n in range(10)]


def between(monkeypatch, other: Callable[[], object], times: int = 1) -> None:
    """Let something happen after the table was looked at and before the commit."""
    real, left = table_module._refuse_stale, [other] * times

    def refuse_stale(*arguments) -> None:
        real(*arguments)
        if left:
            happens = left.pop()
            waiting, left[:] = list(left), []
            happens()
            left[:] = waiting

    monkeypatch.setattr(table_module, "_refuse_stale", refuse_stale)


def one_day(day: str, value: int) -> str:
    """A query of one row."""
    return f"SELECT {value} AS id, '{day}' AS partition_key"


@pytest.mark.parametrize("exists", [True, False])
def test_another_partition_that_came_between_is_kept(con, table, monkeypatch, exists) -> None:
    if exists:
        table.replace(con, one_day(DAYS[0], 0), DAYS[:1], cause())
    between(
        monkeypatch, lambda: table.replace(con, one_day(DAYS[1], 1), DAYS[1:2], cause(run_id="b"))
    )
    snapshot = table.replace(con, one_day(DAYS[2], 2), DAYS[2:], cause(run_id="a"))
    assert set(snapshot.partitions()) == set(DAYS if exists else DAYS[1:])
    assert [version.run_id for version in table.history()][:2] == ["a", "b"]
    assert len(list(table.path.rglob("*.parquet"))) == len(snapshot.partitions())


@pytest.mark.parametrize("exists", [True, False])
def test_newer_inputs_that_came_between_win(con, table, monkeypatch, exists) -> None:
    if exists:
        table.replace(con, one_day(DAYS[0], 0), DAYS[:1], cause({"source": 1}))
    newer = cause({"source": 3})
    between(monkeypatch, lambda: table.replace(con, one_day(DAYS[0], 3), DAYS[:1], newer))
    with pytest.raises(StaleInputsError, match="source 3, newer than 2"):
        table.replace(con, one_day(DAYS[0], 2), DAYS[:1], cause({"source": 2}))
    assert rows_of(con, table.snapshot(), ["id"]) == [(3,)]


def test_it_gives_up_when_others_always_come_first(con, table, monkeypatch) -> None:
    numbers = iter(range(100))
    monkeypatch.setattr(table_module.time, "sleep", lambda seconds: None)
    between(
        monkeypatch,
        lambda: table.replace(con, one_day(DAYS[1], next(numbers)), DAYS[1:2], cause()),
        times=100,
    )
    with pytest.raises(TableError, match="20 times in a row; run it again"):
        table.replace(con, one_day(DAYS[0], 1), DAYS[:1], cause())
    assert list(table.snapshot().partitions()) == [DAYS[1]]
    assert list((table.path / f"partition_key={DAYS[0]}").glob("*.parquet")) == []
