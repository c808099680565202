"""The command `ui`: taken ports are said before anything starts, nothing outlives it."""

import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.settings import Settings
from feedback_assets.ui import command, end_group, serve_ui, signalled
from feedback_assets_tests.live import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        yield busy.getsockname()[1]


def test_a_taken_port_of_the_ui_is_said_with_the_way_out(tmp_path: Path, taken: int) -> None:
    with pytest.raises(FeedbackAssetsError, match=rf"port {taken} is taken.*--port"):
        serve_ui(Settings(home=tmp_path), taken, free_port(), Console(quiet=True))


def test_a_taken_port_of_the_reports_is_said_with_the_way_out(tmp_path: Path, taken: int) -> None:
    with pytest.raises(FeedbackAssetsError, match=rf"port {taken} is taken.*--reports-port"):
        serve_ui(Settings(home=tmp_path), free_port(), taken, Console(quiet=True))


def test_dagster_listens_on_loopback_only(tmp_path: Path) -> None:
    words = command(Settings(home=tmp_path, configs=tmp_path / "configs"), 3000)
    assert words[words.index("-h") + 1] == "127.0.0.1"


def test_the_workspace_beside_the_configs_is_taken(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text("load_from: []")
    words = command(Settings(home=tmp_path, configs=tmp_path / "configs"), 3000)
    assert words[words.index("-w") + 1] == str(tmp_path / "workspace.yaml")


def test_sensors_keep_their_cursors_with_or_without_an_own_workspace(tmp_path: Path) -> None:
    words = command(Settings(home=tmp_path, configs=tmp_path / "configs"), 3000)
    workspace = yaml.safe_load(Path(words[words.index("-w") + 1]).read_text("utf-8"))
    module = workspace["load_from"][0]["python_module"]
    assert module["location_name"] == "feedback_assets"


STUBBORN = """
    import signal, subprocess, sys, time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(child.pid, flush=True)
    time.sleep(60)
"""


def test_children_that_ignore_ctrl_c_are_ended_too() -> None:
    program = [sys.executable, "-c", textwrap.dedent(STUBBORN)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        begin = time.monotonic()
        end_group(process, patience=1)
        while signalled(process, 0):  # dead, but on a busy machine not yet reaped by init
            assert time.monotonic() - begin < 30
            time.sleep(0.1)
