"""The moments between a process's lasting steps, at each of which it can be made to fail.

A boundary lies before a file below the home is opened for writing, renamed or removed, when a new
entry of a table's log is first read, and before a SQLite transaction is committed. What lies between
two of them happens as a whole, or is lost as a whole.
"""

import os
import signal
import sqlite3
import sqlite3.dbapi2
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILLER = "filler"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOVES = ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree")


class Boundaries:
    """Counts the boundaries of this process from `arm` on, and acts at one of them.

    Args:
        home: Only what lies below it counts.
        at: The boundary, from 1; 0 acts at none.
        act: What is done there.
        besides: A folder of the home that does not count.
    """

    def __init__(
        self, home: Path, at: int, act: Callable[[], None], besides: str = "dagster"
    ) -> None:
        self.seen: list[str] = []
        self._home = f"{home}{os.sep}"
        self._besides = f"{besides}{os.sep}"
        self._at = at
        self._act = act
        self._read: set[str] = set()

    def arm(self) -> None:
        """Begin to count; there is no way back but the end of the process."""
        sys.addaudithook(self._hear)
        connect = sqlite3.connect

        def traced(database: Any, *args: Any, **options: Any) -> sqlite3.Connection:
            con: sqlite3.Connection = connect(database, *args, **options)
            if self._home in str(database):
                con.set_trace_callback(lambda said: self._told(str(database), said))
            return con

        sqlite3.connect = sqlite3.dbapi2.connect = traced  # type: ignore[assignment]

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if isinstance(path, str) and (flags & _WRITES or self._is_news(path)):
                self._cross(path, "open")
        elif event in _MOVES and isinstance(args[0], str | os.PathLike):
            self._cross(os.fspath(args[0]), event.removeprefix("os."))

    def _is_news(self, path: str) -> bool:
        """Whether it is an entry of a table's log that was not read before."""
        if "_delta_log" not in path or path in self._read:
            return False
        self._read.add(path)
        return True

    def _told(self, database: str, said: str) -> None:
        if said.lstrip()[:6].upper() == "COMMIT":
            self._cross(database, "commit")

    def _cross(self, path: str, what: str) -> None:
        below = path.removeprefix(self._home)
        if below != path and not below.startswith(self._besides):
            self.seen.append(f"{what} {below}")
            if len(self.seen) == self._at:
                self._act()


def die() -> None:
    """As the power of a signal that nothing can catch."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill(folder: Path) -> None:
    """Take all that is left of a disk; nothing on it can grow from now on."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
