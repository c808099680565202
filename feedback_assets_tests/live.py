"""`feedback-assets ui` really running on a temporary home: its daemon, its UI, its reports."""

import contextlib
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from feedback_assets.assets.space import CAUSE_TAG, LOOP_TAG
from feedback_assets.instance import prepare_home
from feedback_assets_tests.worlds import World

BOOT_SECONDS = 120
END_SECONDS = 60
LOOK_EVERY_SECONDS = 1.0
ENVIRONMENT = (
    "DAGSTER_HOME",
    "FEEDBACK_ASSETS_HOME",
    "DO_NOT_TRACK",
    "DAGSTER_DISABLE_TELEMETRY",
)


class Live:
    """A world whose home is served by the real command in processes of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.port, self.reports_port = free_port(), free_port()
        self.log = world.root / "ui.log"
        command = ["ui", "--port", str(self.port), "--reports-port", str(self.reports_port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "feedback_assets", *command],
                cwd=world.root,
                env={
                    **os.environ,
                    "FEEDBACK_ASSETS_HOME": str(world.settings.root),
                    "FEEDBACK_ASSETS_CONFIGS": str(world.settings.configs),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        """Where the Dagster UI is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def reports_url(self) -> str:
        """Where the reports are."""
        return f"http://127.0.0.1:{self.reports_port}"

    def wait(self, what: str, holds: Callable[[], object], seconds: float) -> None:
        """Wait until something holds; fail with what is known when it does not."""
        until = time.monotonic() + seconds
        while not holds():
            if self.process.poll() is not None:
                pytest.fail(f"`feedback-assets ui` ended by itself:\n{self.log.read_text()}")
            if time.monotonic() > until:
                runs = [f"{cause} {status}" for cause, status in self.runs()]
                log = self.log.read_text()[-4000:]
                pytest.fail(f"not within {seconds:.0f} s: {what}; runs: {runs}; log:\n{log}")
            time.sleep(LOOK_EVERY_SECONDS)

    def ask(self, query: str) -> Any:
        """What the UI's own interface answers to a GraphQL query."""
        body = json.dumps({"query": query}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]

    def runs(self) -> list[tuple[str, str]]:
        """Cause and status of the loop's runs, oldest first."""
        tag = {LOOP_TAG: self.world.space.name}
        runs = self.world.instance.get_runs(dg.RunsFilter(tags=tag))
        return [(run.tags.get(CAUSE_TAG, "by hand"), run.status.value) for run in reversed(runs)]

    def causes(self) -> Counter[str]:
        """How many runs each cause has led to."""
        return Counter(cause for cause, _ in self.runs())

    def stop(self) -> None:
        """What Ctrl-C does; fails when a process outlives it."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"Ctrl-C did not end it within {END_SECONDS} s: {self.log.read_text()}")
        left = processes_in(self.world.settings.root)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, "Ctrl-C left processes behind"
        assert code == 0, self.log.read_text()


def answers(url: str) -> bool:
    """Whether a page is served."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_in(home: Path) -> list[int]:
    """Other processes that live in this home, by their environment (Linux; elsewhere none).

    Helpers of the tests' own process group, such as a fork server, are not meant.
    """
    said = f"FEEDBACK_ASSETS_HOME={home}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(folder.name)
            if os.getpgid(pid) != os.getpgid(0) and said in (folder / "environ").read_bytes():
                found.append(pid)
    return found


def today() -> dt.datetime:
    """The last midnight, UTC."""
    return dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def day(offset: int) -> str:
    """The key of the day so many days from today."""
    return f"{today() + dt.timedelta(days=offset):%Y-%m-%d}"


@contextlib.contextmanager
def living(root: Path) -> Iterator[Live]:
    """A loop with ten days of history and its first champion, made four days ago; then served."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.setenv(name, "")  # put back at the end
        world = World(
            root,
            partitions={"start": day(-16)},
            trigger={"cooldown_days": 1},
            pool={"mature_after_days": 1},
            contract={"freshness_hours": 240},
        )
        folder = prepare_home(world.settings)
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            world.instance = instance
            world.ready_mlflow()
            world.live(day(-16), 10)
            world.at(day(-4))
            assert all(run.success for run in world.ticker.settle())
            live = Live(world)
            try:
                live.wait("the UI", lambda: answers(f"{live.url}/server_info"), BOOT_SECONDS)
                yield live
            finally:
                live.stop()
