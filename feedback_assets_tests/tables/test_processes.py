"""Real processes: killed in the middle of a replacement, and several at once."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pytest

from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import digest_of
from feedback_assets.tables.table import Cause, Snapshot, Table

KILLS = 50
DAYS = ["2013-02-01", "2013-02-02", "2013-02-03"]
ROWS = 400

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["feedback_assets.tables.table"])


@pytest.fixture(name="con")
def _con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(Settings(home=tmp_path)) as con:
        yield con


def table_in(home: Path) -> Table:
    """The table that all processes of a test share."""
    return Table(home / "tables", "flights/log", ["id"])


def write(con: duckdb.DuckDBPyConnection, table: Table, days: list[str], value: int) -> Snapshot:
    """Let every row of every day say `value`."""
    day = " ".join(f"WHEN {n} THEN '{name}'" for n, name in enumerate(days))
    query = f"""SELECT range AS id, {value} AS x, CASE range % {len(days)} {day} END
        AS partition_key FROM range({ROWS * len(days)})"""
    return table.replace(con, query, days, Cause(f"run {value}", "asset", {"source": value}))


def values(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> list[tuple[str, int, int]]:
    """Each day with its value and rows."""
    query = "SELECT partition_key, x, count(*) FROM {} GROUP BY ALL ORDER BY ALL"
    return con.sql(query.format(snapshot.relation())).fetchall()


def write_for_ever(home: Path, first: int, news: Connection) -> None:
    """Tell the last value that was committed, until killed."""
    with connect(Settings(home=home, threads=1)) as con:
        value = first
        while True:
            news.send(("begun", value))
            write(con, table_in(home), DAYS, value)
            news.send(("done", value))
            value += 1


def test_killed_at_random_moments_it_is_never_half_done(con, tmp_path: Path) -> None:
    table, random_ = table_in(tmp_path), random.Random(2013)
    done, in_the_middle = -1, 0
    for _ in range(KILLS):
        reader, writer = processes.Pipe(duplex=False)
        child = processes.Process(target=write_for_ever, args=(tmp_path, done + 1, writer))
        child.start()
        writer.close()
        assert reader.recv()[0] == "begun"
        time.sleep(random_.uniform(0, 0.06))
        child.kill()
        child.join()
        begun = done + 1
        try:
            while True:
                kind, value = reader.recv()
                begun, done = (value, done) if kind == "begun" else (begun, value)
        except EOFError:
            in_the_middle += begun > done
        snapshot = table.snapshot()
        found = [] if snapshot.version < 0 else values(con, snapshot)
        kept = found[0][1] if found else -1
        assert found == ([(day, kept, ROWS) for day in DAYS] if found else [])
        assert done <= kept <= begun
        for key, info in snapshot.partitions().items():
            assert digest_of(con, snapshot.relation([key]), ["id"]) == info.digest
        done = kept
    assert in_the_middle > KILLS // 2
    assert values(con, write(con, table, DAYS, done + 1)) == [(day, done + 1, ROWS) for day in DAYS]


def write_some(home: Path, days: list[str], numbers: list[int]) -> None:
    """Write each value in turn."""
    with connect(Settings(home=home, threads=1)) as con:
        for value in numbers:
            write(con, table_in(home), days, value)


def together(home: Path, jobs: list[tuple[list[str], list[int]]]) -> None:
    """Run each job in its own process, all at once, and see that none fails."""
    children = [processes.Process(target=write_some, args=(home, *job)) for job in jobs]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0


def test_three_processes_make_a_table_of_different_partitions(con, tmp_path: Path) -> None:
    together(tmp_path, [([day], list(range(8))) for day in DAYS])
    table = table_in(tmp_path)
    assert values(con, table.snapshot()) == [(day, 7, ROWS) for day in DAYS]
    assert len(table.history()) == 24


def test_two_processes_make_the_same_partition(con, tmp_path: Path) -> None:
    for round_ in range(4):
        home = tmp_path / str(round_)
        together(home, [([DAYS[0]], [1, 1]), ([DAYS[0]], [1, 1])])
        snapshot = table_in(home).snapshot()
        assert snapshot.version == 0
        assert values(con, snapshot) == [(DAYS[0], 1, ROWS)]


def write_rising(home: Path, news: Connection) -> None:
    """Replace one day by ever newer inputs, and count what was refused as older."""
    from feedback_assets.errors import StaleInputsError

    refused = 0
    with connect(Settings(home=home, threads=1)) as con:
        for value in range(15):
            try:
                write(con, table_in(home), DAYS[:1], value)
            except StaleInputsError:
                refused += 1
    news.send(refused)


def test_newer_inputs_win_whoever_comes_last(con, tmp_path: Path) -> None:
    pipes = [processes.Pipe(duplex=False) for _ in range(2)]
    children = [processes.Process(target=write_rising, args=(tmp_path, end)) for _, end in pipes]
    for child in children:
        child.start()
    refused = sum(reader.recv() for reader, _ in pipes)
    for child in children:
        child.join(60)
    table = table_in(tmp_path)
    assert values(con, table.snapshot()) == [(DAYS[0], 14, ROWS)]
    sources = [version.inputs["source"] for version in reversed(table.history())]
    assert sources == sorted(set(sources))
    assert len(sources) + refused <= 30


def read_for_ever(home: Path, stop: Connection, news: Connection) -> None:
    """Read until told to stop; tell how often, and what was not one whole state."""
    wrong, reads = [], 0
    with connect(Settings(home=home, threads=1)) as con:
        while not stop.poll():
            found = values(con, table_in(home).snapshot())
            reads += 1
            if len({x for _, x, _ in found}) != 1 or {n for _, _, n in found} != {ROWS}:
                wrong.append(found)
    news.send((reads, wrong))


def test_a_reader_never_sees_half_a_commit(con, tmp_path: Path) -> None:
    write(con, table_in(tmp_path), DAYS, 0)
    stop, told_to_stop = processes.Pipe()
    news, end = processes.Pipe(duplex=False)
    reader = processes.Process(target=read_for_ever, args=(tmp_path, told_to_stop, end))
    reader.start()
    for value in range(1, 40):
        write(con, table_in(tmp_path), DAYS, value)
    stop.send("stop")
    reads, wrong = news.recv()
    reader.join(30)
    assert reads > 3
    assert wrong == []
