"""The store: what is appended stands, once, in one chain, whoever appends and whatever crashes."""

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from feedback_assets.errors import LedgerError
from feedback_assets.ledger import merkle, store
from feedback_assets.ledger.records import GENESIS, digest, leaf_of
from feedback_assets.ledger.store import Ledger
from feedback_assets_tests.ledger.books import LOOP, entry

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", LOOP)


def test_records_stand_in_order_and_once(ledger: Ledger) -> None:
    assert ledger.head() == (0, GENESIS)
    assert not list(ledger.records())
    first = ledger.append([entry(1), entry(2)])
    again = ledger.append([entry(2, reason="another"), entry(3), entry(3)])
    assert [record.seq for record in (*first, *again)] == [1, 2, 2, 3, 3]
    assert again[0] == first[1], "what stands is told, not what was asked"
    assert [r.subject for r in ledger.records(after=1)] == ["decision-2", "decision-3"]
    assert [r.previous for r in ledger.records()] == [
        GENESIS,
        *[r.hash for r in ledger.records()][:2],
    ]
    assert ledger.head() == (3, again[-1].hash)
    assert ledger.holds(3, again[-1].hash)
    assert not ledger.holds(4, again[-1].hash)
    with pytest.raises(LedgerError, match="no record 4; the newest is 3"):
        ledger.row(4)


def test_a_batch_with_one_bad_entry_records_none(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="a gate cannot be recorded"):
        ledger.append([entry(1), entry(2, gain=float("nan"))])
    assert ledger.head()[0] == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET actor = 'x'",
        "DELETE FROM records WHERE seq = 2",
        (
            "INSERT OR REPLACE INTO records SELECT seq, subject, kind, time, 'x', body, previous, hash "
            "FROM records WHERE seq = 2"
        ),
        (
            "INSERT OR REPLACE INTO records SELECT 3, subject, kind, time, 'x', body, hash, hash "
            "FROM records WHERE seq = 2"
        ),
        (
            "INSERT INTO records SELECT 9, 's', kind, time, actor, body, hash, hash "
            "FROM records WHERE seq = 2"
        ),
        (
            "INSERT INTO records SELECT 3, 's', kind, time, actor, body, previous, hash "
            "FROM records WHERE seq = 2"
        ),
        "INSERT OR REPLACE INTO tree VALUES (8, 0, x'00')",
        "UPDATE tree SET hash = x'00'",
        "DELETE FROM tree",
    ],
)
def test_the_database_itself_refuses_all_but_the_next_record(
    ledger: Ledger, statement: str
) -> None:
    ledger.append([entry(n) for n in range(256 if "tree" in statement else 2)])
    before = ledger.path.read_bytes()
    with sqlite3.connect(ledger.path) as con, pytest.raises(sqlite3.IntegrityError, match="append"):
        con.execute(statement)
    con.close()
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize("bits", [2, 8])
def test_the_stored_tree_is_the_tree_over_all_records(
    ledger: Ledger, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TILE_BITS", bits)
    monkeypatch.setattr(store, "TILE", 1 << bits)
    chance, size = random.Random(bits), 0
    while size < 600:
        some = chance.randint(1, 90)
        ledger.append([entry(size + n) for n in range(some)])
        size += some
    subtree = merkle.over([leaf_of(row[-1]) for row in ledger.rows()])
    for old in (1, 3, 4, 16, 255, 256, 257, 511, 512, 513, size):
        assert ledger.root(old) == merkle.root(old, subtree)
        assert ledger.consistency(old, size) == merkle.consistency_proof(old, size, subtree)
        assert ledger.inclusion(old, size) == merkle.inclusion_proof(old - 1, size, subtree)
    for wrong in (lambda: ledger.root(size + 1), lambda: ledger.consistency(size + 1, size)):
        with pytest.raises(LedgerError):
            wrong()
    with pytest.raises(LedgerError, match=f"record {size + 1} is not of the first {size}"):
        ledger.inclusion(size + 1, size)


def test_processes_append_to_one_chain(ledger: Ledger) -> None:
    """Also the file is made by whoever is first; what two record is there once."""
    workers = [FORK.Process(target=append_own_and_shared, args=(ledger, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert_whole(ledger)
    subjects = [record.subject for record in ledger.records()]
    assert len(subjects) == len(set(subjects)) == 4 * 10 + 10


def append_own_and_shared(ledger: Ledger, worker: int) -> None:
    for number in range(10):
        ledger.append([entry(number, f"own-{worker}-{number}"), entry(number, f"shared-{number}")])


def test_killed_appenders_lose_nothing_they_were_told(ledger: Ledger) -> None:
    told = 0
    for number in range(15):
        ear, mouth = FORK.Pipe(duplex=False)
        worker = FORK.Process(target=append_and_tell, args=(ledger, number, mouth))
        worker.start()
        mouth.close()
        time.sleep(0.01 + random.Random(number).random() * 0.06)
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        while ear.poll():
            try:
                told = ear.recv()
            except EOFError:
                break
        assert ledger.head()[0] >= told
        assert_whole(ledger)
    assert told


def append_and_tell(ledger: Ledger, worker: int, mouth: Connection) -> None:
    for number in range(10_000):
        done = ledger.append([entry(number, f"{worker}-{number}-{n}") for n in range(3)])
        mouth.send(done[-1].seq)


def assert_whole(ledger: Ledger) -> None:
    previous = GENESIS
    for seq, row in enumerate(ledger.rows(), start=1):
        assert (row[0], row[6], row[7]) == (seq, previous, digest(LOOP, row))
        previous = row[7]


def test_commits_reach_the_disk_before_append_returns(ledger: Ledger) -> None:
    ledger.append([entry(1)])
    with ledger.connected() as con:
        assert con.execute("PRAGMA synchronous").fetchone() == (2,)
        assert con.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_foreign_and_damaged_files_are_told_apart(ledger: Ledger) -> None:
    ledger.path.parent.mkdir()
    with sqlite3.connect(ledger.path) as con:
        con.execute("CREATE TABLE records (seq)")
    con.close()
    with pytest.raises(LedgerError, match="no ledger of this project"):
        ledger.append([entry(1)])
    ledger.path.write_bytes(b"no database at all " * 500)
    with pytest.raises(LedgerError, match="not a database"):
        ledger.head()
    ledger.path.unlink()
    ledger.append([entry(n) for n in range(300)])
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole[:4096] + os.urandom(8192) + whole[4096 + 8192 :])
    with pytest.raises(LedgerError, match="audit verify"):
        list(ledger.records())


def test_a_ledger_of_a_later_release_is_left_alone(ledger: Ledger) -> None:
    ledger.append([entry(1)])
    with sqlite3.connect(ledger.path) as con:
        con.execute("PRAGMA user_version = 7")
    con.close()
    with pytest.raises(LedgerError, match="schema 7; this release reads schema 1"):
        ledger.append([entry(2)])


def test_a_full_disk_is_told_and_nothing_is_recorded(ledger: Ledger) -> None:
    ledger.append([entry(1)])
    worker = FORK.Process(target=append_with_little_space, args=(ledger,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 7, "a LedgerError"
    assert ledger.head()[0] == 1
    assert ledger.append([entry(2)])[0].seq == 2


def append_with_little_space(ledger: Ledger) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    try:
        ledger.append([entry(n, reason="x" * 100_000) for n in range(2, 5)])
    except LedgerError:
        os._exit(7)


def test_a_copy_that_cannot_be_written_can_be_read(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append([entry(n) for n in range(5)])
    shutil.copytree(ledger.path.parent, tmp_path / "copy")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    copy = Ledger(tmp_path / "copy", LOOP)
    assert list(copy.rows()) == list(ledger.rows())
    assert copy.root(5) == ledger.root(5)
    with pytest.raises(LedgerError, match="readonly"):
        copy.append([entry(9)])
