"""Processes forked from one that has imported what they need: each begins in milliseconds."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_SECONDS = 60.0


class Forks:
    """A process that forks others, each of which calls a function.

    Args:
        modules: What it imports before the first fork; none may start a thread.
        environment: Variables that it has besides those of this process.
        inside: A command that begins it, as of `small_disk.SmallDisk`.
    """

    def __init__(
        self,
        *modules: str,
        environment: Mapping[str, str] | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        self._host = subprocess.Popen(
            [*inside, sys.executable, "-m", __name__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def begin(self, function: str, errors: Path, *args: Any) -> int:
        """Call `module:name` with JSON arguments in a process of its own; its id.

        Its standard error is added to the file `errors`; what it raises ends it with code 1.
        """
        return self._ask(["begin", function, str(errors), *args])

    def wait(self, pid: int) -> int:
        """How the process ended: its exit code, or minus the signal that killed it."""
        return self._ask(["wait", pid])

    def kill(self, pid: int, sign: int = signal.SIGKILL) -> int:
        """Send the signal and wait for the end; who does not end within a minute is killed."""
        os.kill(pid, sign)
        late = threading.Timer(PATIENCE_SECONDS, os.kill, (pid, signal.SIGKILL))
        late.start()
        try:
            return self.wait(pid)
        finally:
            late.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._host.stdin is not None
        self._host.stdin.close()
        self._host.wait(30)

    def _ask(self, what: list[Any]) -> int:
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.write(json.dumps(what) + "\n")
        self._host.stdin.flush()
        return int(self._host.stdout.readline())


def _host(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    running = set()
    for line in sys.stdin:
        verb, *rest = json.loads(line)
        if verb == "begin":
            if (told := os.fork()) == 0:
                _child(*rest)
            running.add(told)
        else:
            told = os.waitstatus_to_exitcode(os.waitpid(rest[0], 0)[1])
            running.discard(rest[0])
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _child(function: str, errors: str, *args: Any) -> None:
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        module, _, name = function.partition(":")
        code = getattr(importlib.import_module(module), name)(*args) or 0
    except BaseException:  # noqa: BLE001 - the child must not go on with its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _host(sys.argv[1:])
