"""What holds for the SQLite inbox alone: its files, its lock, a full disk and a failing one."""

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feedback_assets.capture.inbox import schema, sqlite, writer
from feedback_assets.capture.inbox.lock import WriterLock
from feedback_assets.capture.inbox.open import open_inbox, open_reader, open_sqlite
from feedback_assets.capture.inbox.records import Entry, Inbox
from feedback_assets.errors import InboxClosedError, InboxError, InboxFullError
from feedback_assets.settings import Settings
from feedback_assets_tests.capture.inbox.world import (
    SHOP,
    entries,
    entry,
    reader_of,
    replay,
    rows_of,
    store,
    use,
)  # fmt: skip

WRITE = """
import asyncio, sys
from feedback_assets.capture.inbox.open import open_inbox
from feedback_assets.settings import Settings
from feedback_assets_tests.capture.inbox.world import entry

async def main():
    inbox = await open_inbox(Settings(home=sys.argv[1], inbox_free_mb=0))
    number = 0
    async def client(name):
        nonlocal number
        while True:
            number += 1
            key = f"k{number}"
            out, = await inbox.append([entry(key)])
            print(key, out.seq, flush=True)
    await asyncio.gather(*[client(name) for name in range(8)])

asyncio.run(main())
"""


class Faulty:
    """A connection that fails where it is told to."""

    def __init__(self, path: Path):
        self.real = schema.connect(path)
        self.fail: dict[str, int] = {}
        """Start of a statement to SQLite's code."""
        self.said: list[str] = []

    def execute(self, sql: str, parameters=()):
        self.said.append(sql.split()[0])
        for start, code in self.fail.items():
            if sql.startswith(start):
                error = sqlite3.OperationalError("as told")
                error.sqlite_errorcode = code
                raise error
        return self.real.execute(sql, parameters)

    def close(self):
        self.real.close()


def faulty(settings: Settings) -> tuple[Inbox, Faulty]:
    made: list[Faulty] = []

    def connect(path: Path) -> Faulty:
        made.append(Faulty(path))
        return made[0]

    return open_sqlite(settings, connect), made[0]


async def until_refused(inbox: Inbox, kind: type[InboxError]) -> str:
    for number in range(1_000):
        try:
            await inbox.append([entry(f"until{number}")])
        except kind as error:
            return str(error)
        await asyncio.sleep(0.01)
    pytest.fail("nothing was refused")


async def until_taken(inbox: Inbox, one: Entry) -> None:
    for _ in range(1_000):
        try:
            (out,) = await inbox.append([one])
        except InboxFullError:
            await asyncio.sleep(0.01)
            continue
        assert out.state == "stored"
        return
    pytest.fail("nothing was taken")


def test_files_are_for_the_owner_only(on_sqlite: Settings):
    async def look(inbox: Inbox) -> dict[str, int]:
        await inbox.append([entry("k")])
        return {p.name: stat.S_IMODE(p.stat().st_mode) for p in on_sqlite.inbox.iterdir()}

    old = os.umask(0)
    try:
        modes = use(on_sqlite, look)
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(
        ["inbox.db", "inbox.db-wal", "inbox.db-shm", "writer.lock"], 0o600
    )
    assert stat.S_IMODE(on_sqlite.inbox.stat().st_mode) == 0o700


def test_the_database_is_durable(on_sqlite: Settings):
    connection = schema.connect(schema.make_files(on_sqlite.inbox))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_a_second_writer_is_refused_by_the_id_of_the_first(on_sqlite: Settings):
    async def second(inbox: Inbox) -> None:
        with pytest.raises(InboxError, match=rf"process {os.getpid()} writes.*INBOX_URL"):
            await open_inbox(on_sqlite)
        await inbox.append([entry("k")])

    use(on_sqlite, second)
    use(on_sqlite, second)


def test_a_service_waits_for_a_process_that_prunes(on_sqlite: Settings):
    schema.make_files(on_sqlite.inbox)
    lock = WriterLock(on_sqlite.inbox, "pruning")

    async def main() -> float:
        begun = time.monotonic()
        asyncio.get_running_loop().call_later(0.2, lock.release)
        await (await open_inbox(on_sqlite)).close()
        return time.monotonic() - begun

    assert asyncio.run(main()) >= 0.2


def test_what_was_acknowledged_outlives_a_kill(on_sqlite: Settings):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(on_sqlite.home)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(200)]
    process.kill()
    rest = process.stdout.read()
    process.wait()
    said = dict(line.split() for line in [*lines, *rest.splitlines()] if line.count(" ") == 1)
    reader = reader_of(on_sqlite)
    stored = {row["key"]: str(row["seq"]) for row in rows_of(reader)}
    reader.close()
    assert len(said) >= 200
    assert said.items() <= stored.items()
    assert store(on_sqlite, [entry(next(iter(said)))])[0].state == "repeated"


def test_too_little_space_refuses_until_there_is_more(on_sqlite: Settings, monkeypatch):
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.05)
    free = [10**12]
    settings = on_sqlite.model_copy(update={"inbox_free_mb": 100})

    async def main() -> None:
        inbox = open_sqlite(settings, free=lambda folder: free[0])
        await inbox.append([entry("a")])
        free[0] = 99 * 10**6
        await asyncio.sleep(0.1)
        with pytest.raises(InboxFullError, match=r"99 MB are free.*asks for 100"):
            await inbox.append([entry("b")])
        assert not inbox.append_soon([entry("c")])
        assert inbox.stopped() == ""
        free[0] = 10**12
        await until_taken(inbox, entry("b"))
        await inbox.close()

    asyncio.run(main())


def test_free_space_is_looked_at_twice_a_second_at_most(on_sqlite: Settings):
    looks = []

    async def main() -> None:
        inbox = open_sqlite(on_sqlite, free=lambda folder: looks.append(1) or 10**12)
        for number in range(100):
            await inbox.append([entry(f"k{number}")])
        await inbox.close()

    begun = time.monotonic()
    asyncio.run(main())
    assert 1 <= len(looks) <= 1 + (time.monotonic() - begun) / 0.5


def test_a_full_database_refuses_and_loses_nothing_acknowledged(on_sqlite: Settings):
    async def main() -> tuple[list[str], list[str]]:
        inbox, connection = faulty(on_sqlite)
        await inbox.append([entry("first")])
        pages = connection.real.execute("PRAGMA page_count").fetchone()[0]
        connection.real.execute(f"PRAGMA max_page_count = {pages + 20}")
        taken, refused = ["first"], []

        async def client(number: int) -> None:
            for step in range(30):
                key = f"k{number}.{step}"
                try:
                    await inbox.append([entry(key, "x" * 500)])
                    taken.append(key)
                except InboxFullError:
                    refused.append(key)

        await asyncio.gather(*[client(number) for number in range(16)])
        assert inbox.stopped() == ""
        connection.real.execute("PRAGMA max_page_count = 1000000")
        for key in refused:
            (out,) = await inbox.append([entry(key, "x" * 500)])
            assert out.state == "stored"
        await inbox.close()
        return taken, refused

    taken, refused = asyncio.run(main())
    assert refused
    reader = reader_of(on_sqlite)
    keys = [row["key"] for row in rows_of(reader)]
    reader.close()
    assert sorted(keys) == sorted(taken + refused)


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("INSERT OR IGNORE", sqlite3.SQLITE_FULL, "disk is full"),
        ("INSERT INTO channels", sqlite3.SQLITE_FULL, "disk is full"),
        ("BEGIN", sqlite3.SQLITE_BUSY, "Another program"),
    ],
)
def test_what_may_pass_refuses_and_leaves_nothing_behind(
    on_sqlite: Settings, statement: str, code: int, words: str
):
    async def main() -> None:
        inbox, connection = faulty(on_sqlite)
        connection.fail = {statement: code}
        inbox.save_counters({"a": 1})
        with pytest.raises(InboxFullError, match=words):
            await inbox.append([entry("k"), entry("k2")], replay("r"))
        assert await inbox.replayed("anna", "r") is None
        connection.fail = {}
        outcomes = await inbox.append([entry("k"), entry("k2")], replay("r"))
        assert [(out.state, out.seq) for out in outcomes] == [("stored", 1), ("stored", 2)]
        assert await inbox.replayed("anna", "r") == replay("r")
        assert inbox.counters() == {"a": 1}
        await inbox.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC),
        ("COMMIT", sqlite3.SQLITE_FULL),
        ("INSERT OR IGNORE", sqlite3.SQLITE_IOERR_WRITE),
        ("BEGIN", sqlite3.SQLITE_IOERR_READ),
        ("INSERT OR IGNORE", sqlite3.SQLITE_CORRUPT),
    ],
)
def test_a_failing_disk_ends_the_inbox(on_sqlite: Settings, statement: str, code: int):
    async def main() -> None:
        inbox, connection = faulty(on_sqlite)
        await inbox.append([entry("good"), entry("warm", loop="other")])
        connection.fail = {statement: code}
        connection.said = []
        outcomes = await asyncio.gather(
            *[inbox.append([e]) for e in entries(20)], return_exceptions=True
        )
        assert {type(out) for out in outcomes} == {InboxClosedError}
        assert "disk failed" in inbox.stopped()
        assert connection.said.count(statement.split()[0]) == 1, "nothing is tried again"
        connection.fail = {}
        with pytest.raises(InboxClosedError, match="disk failed"):
            await inbox.append([entry("later")])
        await inbox.close()

    asyncio.run(main())
    reader = reader_of(on_sqlite)
    assert [row["key"] for row in rows_of(reader)] == ["good"]
    reader.close()


def test_a_failing_checkpoint_ends_the_inbox_and_a_full_disk_there_waits(
    on_sqlite: Settings, monkeypatch
):
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.05)
    monkeypatch.setattr(sqlite, "CHORES_SECONDS", 0.05)

    async def main() -> None:
        inbox, connection = faulty(on_sqlite)
        connection.fail = {"PRAGMA wal_checkpoint": sqlite3.SQLITE_FULL}
        assert "disk is full" in await until_refused(inbox, InboxFullError)
        connection.fail = {}
        await until_taken(inbox, entry("good"))
        connection.fail = {"PRAGMA wal_checkpoint": sqlite3.SQLITE_IOERR}
        assert "disk failed" in await until_refused(inbox, InboxClosedError)
        await inbox.close()

    asyncio.run(main())


def test_a_writer_that_ends_for_an_unforeseen_reason_leaves_nobody_waiting(
    on_sqlite: Settings, monkeypatch
):
    monkeypatch.setattr("threading.excepthook", lambda hook: None)

    async def main() -> None:
        inbox, _ = faulty(on_sqlite)
        inbox._store._write = None
        outcomes = await asyncio.gather(
            *[inbox.append([e]) for e in entries(20)], return_exceptions=True
        )
        assert {type(out) for out in outcomes} == {InboxClosedError}
        assert "unexpectedly" in inbox.stopped()
        await inbox.close()

    asyncio.run(main())


def test_a_caller_who_went_away_disturbs_nobody(on_sqlite: Settings):
    async def leave(inbox: Inbox) -> list:
        tasks = [asyncio.ensure_future(inbox.append([e])) for e in entries(20)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = use(on_sqlite, leave)
    assert isinstance(outcomes.pop(3), asyncio.CancelledError)
    assert all(out[0].state == "stored" for out in outcomes)


def test_all_who_wait_are_told_by_one_call_into_the_loop(on_sqlite: Settings):
    async def count(inbox: Inbox) -> int:
        loop = asyncio.get_running_loop()
        calls = []
        real = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *given: calls.append(1) or real(*given)
        await asyncio.gather(*[inbox.append([e]) for e in entries(500)])
        del loop.call_soon_threadsafe
        return len(calls)

    assert use(on_sqlite, count) < 50


def test_old_answers_are_forgotten_and_then_replaced(on_sqlite: Settings):
    async def keep(inbox: Inbox) -> None:
        await inbox.remember(replay("old", content=b"1"))

    use(on_sqlite, keep)
    day = 86_400 * 10**6
    with sqlite3.connect(on_sqlite.inbox / "inbox.db") as connection:
        connection.execute("UPDATE replays SET kept_us = kept_us - ?", (day,))
    connection.close()

    async def ask(inbox: Inbox) -> list:
        before = await inbox.replayed("anna", "old")
        await inbox.remember(replay("old", content=b"2"))
        return [before, await inbox.replayed("anna", "old")]

    assert use(on_sqlite, ask) == [None, replay("old", content=b"2")]


def test_answers_are_swept_when_old(on_sqlite: Settings):
    async def keep(inbox: Inbox) -> None:
        for number in range(3):
            await inbox.remember(replay(f"k{number}"))

    use(on_sqlite, keep)
    with sqlite3.connect(on_sqlite.inbox / "inbox.db") as connection:
        connection.execute("UPDATE replays SET kept_us = kept_us - 86400000000 WHERE key <> 'k1'")
    connection.close()

    def left() -> list[str]:
        with contextlib.closing(schema.connect_read_only(on_sqlite.inbox / "inbox.db")) as reader:
            return [key for (key,) in reader.execute("SELECT key FROM replays")]

    async def wait(inbox: Inbox) -> None:
        for _ in range(1_000):
            if left() == ["k1"]:
                return
            await asyncio.sleep(0.01)

    use(on_sqlite, wait)
    assert left() == ["k1"]


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 100])
def test_a_damaged_file_is_named(on_sqlite: Settings, content: bytes):
    on_sqlite.inbox.mkdir(parents=True)
    (on_sqlite.inbox / "inbox.db").write_bytes(content)
    with pytest.raises(InboxError, match="inbox"):
        use(on_sqlite, lambda inbox: asyncio.sleep(0))
    with pytest.raises(InboxError, match=r"inbox\.db"):
        open_reader(on_sqlite)


def test_tables_of_another_version_are_refused(on_sqlite: Settings):
    store(on_sqlite, [entry("k")])
    with sqlite3.connect(on_sqlite.inbox / "inbox.db") as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(InboxError, match="version 9"):
        use(on_sqlite, lambda inbox: asyncio.sleep(0))
    with pytest.raises(InboxError, match="version 9"):
        open_reader(on_sqlite)


def test_the_log_starts_anew_when_opened(on_sqlite: Settings):
    """What a failed fsync left in it must not lie before what is acknowledged later."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(on_sqlite.home)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    log = on_sqlite.inbox / "inbox.db-wal"
    assert log.stat().st_size > 0

    async def look(inbox: Inbox) -> int:
        return log.stat().st_size

    # One small transaction saved the clock since.
    assert use(on_sqlite, look) < 10 * 4_200


def test_the_log_stays_short_under_load(on_sqlite: Settings, monkeypatch):
    monkeypatch.setattr(sqlite, "CHECKPOINT_ROWS", 50)
    monkeypatch.setattr(sqlite, "CHORES_SECONDS", 1_000)

    async def load(inbox: Inbox) -> int:
        for number in range(100):
            await inbox.append(entries(20, f"{number}.", body="x" * 1_000))
        return (on_sqlite.inbox / "inbox.db-wal").stat().st_size

    assert use(on_sqlite, load) < 1_000_000


def test_a_reader_changes_nothing(on_sqlite: Settings):
    store(on_sqlite, [entry("k")])
    reader = reader_of(on_sqlite)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM entries")
    reader.close()


def test_a_reader_with_wide_rows_gives_small_batches(on_sqlite: Settings, monkeypatch):
    monkeypatch.setattr("feedback_assets.capture.inbox.reader.READ_BYTES", 1_000)
    store(on_sqlite, entries(100, body="x" * 100))
    reader = reader_of(on_sqlite)
    sizes = [len(batch) for batch in reader.batches("feedback", SHOP, 0, 1, 2**62)]
    reader.close()
    assert sizes == [10] * 10
