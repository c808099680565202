"""Processes that run a function on a shared home, and can be killed at any moment."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = ("feedback_assets_tests.chaos.work",)
GIVE_UP_SECONDS = 300
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(PRELOADED))


class Running:
    """A function in a process of its own; it has begun when this is made.

    Args:
        work: Called as `work(*args)`; what it returns, or why it failed, is told by `result`.
        args: Its arguments.
        ready: Called in the process before it is told to have begun: slow imports belong there.
    """

    def __init__(self, work: Callable[..., Any], *args: Any, ready: Callable[[], Any] | None = None):
        self._told, told = _processes.Pipe(duplex=False)
        self.process: BaseProcess = _processes.Process(
            target=_work, args=(told, ready, work, args), daemon=True
        )
        self.process.start()
        told.close()
        self._told.recv()
        self.began = time.perf_counter()

    def kill_after(self, seconds: float) -> bool:
        """Kill -9 so many seconds after the beginning; False when it was done before."""
        time.sleep(max(0.0, self.began + seconds - time.perf_counter()))
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join(GIVE_UP_SECONDS)
        return self.process.exitcode == -signal.SIGKILL

    def result(self) -> Any:
        """What the function returned.

        Raises:
            AssertionError: It failed; the message holds its traceback.
        """
        assert self._told.poll(GIVE_UP_SECONDS), "the process does not end"
        outcome = json.loads(self._told.recv())
        self.process.join(GIVE_UP_SECONDS)
        assert "error" not in outcome, outcome["error"]
        return outcome["result"]


def _work(
    told: Connection,
    ready: Callable[[], Any] | None,
    work: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    import traceback

    if ready is not None:
        ready()
    told.send("begun")
    try:
        outcome = {"result": work(*args)}
    except BaseException:
        outcome = {"error": traceback.format_exc()}
    told.send(json.dumps(outcome, default=str))
