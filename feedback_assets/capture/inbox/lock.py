"""Only one process writes an SQLite inbox."""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from feedback_assets.errors import InboxError

LOCK = "writer.lock"
PRUNING_SECONDS = 10.0
"""How long to wait for a process that holds the lock only to prune."""
Role = Literal["serving", "pruning"]


class WriterLock:
    """An exclusive lock on a file that ends with the process, however it ends."""

    def __init__(self, folder: Path, role: Role) -> None:
        """Take the lock.

        Raises:
            InboxError: Another process has it; the message names its id.
        """
        self._path = folder / LOCK
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(role)
        except InboxError:
            os.close(self._file)
            raise
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()} {role}\n".encode(), 0)

    def _take(self, role: Role) -> None:
        until = time.monotonic() + PRUNING_SECONDS
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            holder, _, holds = os.pread(self._file, 64, 0).decode(errors="replace").partition(" ")
            waits = role == "serving" and holds.strip() == "pruning"
            if not waits or time.monotonic() > until:
                raise InboxError(
                    f"{self._path}: process {holder or 'unknown'} writes this inbox already; stop"
                    " it first, or set FEEDBACK_ASSETS_INBOX_URL to PostgreSQL for replicas"
                )
            time.sleep(0.02)

    def release(self) -> None:
        """Let another have it."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
