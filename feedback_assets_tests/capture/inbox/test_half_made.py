"""A service that was killed while it made the inbox does not stop those who read it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_assets.capture.inbox.open import open_inbox, open_reader
from feedback_assets.capture.inbox.records import Entry
from feedback_assets.capture.inbox.schema import connect_read_only, make_files
from feedback_assets.settings import Settings

KILLED_IN_A_TRANSACTION = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("CREATE TABLE a (x)")
connection.execute("INSERT INTO a VALUES ('kept')")
connection.execute("BEGIN IMMEDIATE")
for _ in range(500):
    connection.execute("INSERT INTO a VALUES (?)", ("lost" * 500,))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = make_files(tmp_path / "inbox")
    subprocess.run([sys.executable, "-c", KILLED_IN_A_TRANSACTION, str(made)], check=False)
    assert made.with_name("inbox.db-journal").exists()
    return made


def test_what_was_half_done_is_undone_and_nothing_more_is_written(path: Path) -> None:
    connection = connect_read_only(path)
    assert connection.execute("SELECT x FROM a").fetchall() == [("kept",)]
    with pytest.raises(Exception, match="readonly"):
        connection.execute("INSERT INTO a VALUES (1)")
    connection.close()


def test_an_inbox_without_tables_is_none_and_can_be_opened(path: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert open_reader(settings) is None

    async def work() -> None:
        inbox = await open_inbox(settings)
        await inbox.append([Entry("feedback", "loop", "f", 1, b"{}", b"d")])
        await inbox.close()

    asyncio.run(work())
    reader = open_reader(settings)
    assert reader is not None
    assert reader.head() == 1
    reader.close()
