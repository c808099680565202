"""Processes that run a function on a shared home, and can be killed at any moment."""

import json
import multiprocessing
import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = ("feedback_assets_tests.chaos.work", "feedback_assets_tests.chaos.libraries")
GIVE_UP_SECONDS = 300
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(list(PRELOADED))


class Running:
    """A function in a process of its own, at work when this is made.

    Args:
        prepare: Called as `prepare(*args)`; what it returns is the work itself, and called next.
        args: Its arguments.
    """

    def __init__(self, prepare: Callable[..., Callable[[], Any]], *args: Any) -> None:
        self._told, told = _processes.Pipe(duplex=False)
        self.process: BaseProcess = _processes.Process(
            target=_work, args=(told, prepare, args), daemon=True
        )
        self.process.start()
        told.close()
        begun = self._told.recv()
        assert begun == "begun", begun
        self.began = time.perf_counter()
        self.seconds = 0.0

    def kill_after(self, seconds: float) -> bool:
        """Kill -9 so many seconds after the beginning; False when it was done before."""
        time.sleep(max(0.0, self.began + seconds - time.perf_counter()))
        self.process.kill()
        self.process.join(GIVE_UP_SECONDS)
        return self.process.exitcode == -signal.SIGKILL

    def stall(self, seconds: float) -> None:
        """Stop the process where it is for so long; what it has read by then grows old."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.process.pid, signal.SIGCONT)

    def result(self) -> Any:
        """What the work returned.

        Raises:
            AssertionError: It failed; the message holds its traceback.
        """
        assert self._told.poll(GIVE_UP_SECONDS), "the process does not end"
        outcome = json.loads(self._told.recv())
        self.seconds = time.perf_counter() - self.began
        self.process.join(GIVE_UP_SECONDS)
        assert "error" not in outcome, outcome["error"]
        return outcome["result"]


def kill_at_random(
    kills: int,
    run: Callable[[], Running],
    seconds: float,
    judge: Callable[[], float],
    late: float = 1.0,
) -> None:
    """Begin and kill so many runs, each at a random share of the time that one takes.

    Args:
        kills: How many.
        run: Begins a run on a home as it is before one.
        seconds: How long a run takes.
        judge: Looks at what a kill has left, lets another run heal it and returns its seconds;
            the machine may be busier or idler by then.
        late: More than 1 for more kills near the end: half of them in the last `1 - 0.5^(1/late)`.
    """
    chance = random.Random(kills)
    for position in range(kills):
        share = ((position + chance.random()) / kills) ** (1 / late)
        while not run().kill_after(seconds * share):
            share *= chance.random()
        healing = judge()
        seconds = max(healing, (seconds + healing) / 2)  # healing may be short: little is left


def _work(
    told: Connection, prepare: Callable[..., Callable[[], Any]], args: tuple[Any, ...]
) -> None:
    try:
        work = prepare(*args)
        told.send("begun")
        outcome = {"result": work()}
    except BaseException:  # noqa: BLE001 - told to the test, which fails
        outcome = {"error": traceback.format_exc()}
    told.send(json.dumps(outcome, default=str))
