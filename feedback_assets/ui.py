"""The Dagster UI, its daemon and the reports, started and ended together."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from rich.console import Console

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.instance import prepare_home
from feedback_assets.reports.server import reports_server
from feedback_assets.settings import Settings

WORKSPACE = Path(__file__).with_name("workspace.yaml")
LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.1
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KNOWN_WARNING = "ignore:Function `dev_command` is superseded"


def serve_ui(settings: Settings, port: int, reports_port: int, console: Console) -> int:
    """Run until interrupted; returns the exit code of `dagster dev`.

    Raises:
        FeedbackAssetsError: A port is taken.
    """
    refuse_taken(port, "--port")
    try:
        reports = reports_server(settings.reports, LOOPBACK, reports_port)
    except OSError as error:
        raise taken(reports_port, "--reports-port") from error
    threading.Thread(target=reports.serve_forever, daemon=True).start()
    console.print(
        f"Dagster UI  http://{LOOPBACK}:{port}  (ready in about 15 seconds)\n"
        f"Reports     http://{LOOPBACK}:{reports_port}\n"
        f"State       {settings.root}\nCtrl-C ends all of it.",
        highlight=False,
    )
    with ended_by_signals(), reports:
        dagster = start_dagster(settings, port, reports_port)
        try:
            return dagster.wait()
        except KeyboardInterrupt:
            console.print("Ending the UI and the daemon", highlight=False)
            return 0
        finally:
            end_group(dagster)
            reports.shutdown()


def start_dagster(settings: Settings, port: int, reports_port: int) -> subprocess.Popen[bytes]:
    """Start Dagster's UI and daemon on the home, in a session of their own.

    `dagster dev` hands signals to its children only as a group: end it with `end_group`.
    """
    prepare_home(settings)
    here = {
        "FEEDBACK_ASSETS_CONFIGS": str(settings.configs.expanduser().resolve()),
        "FEEDBACK_ASSETS_REPORTS_URL": f"http://{LOOPBACK}:{reports_port}",
        "PYTHONWARNINGS": ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), KNOWN_WARNING))),
    }
    return subprocess.Popen(  # noqa: S603
        command(settings, port), env={**os.environ, **here}, start_new_session=True
    )


def command(settings: Settings, port: int) -> list[str]:
    """The command that starts Dagster on the project's workspace."""
    workspace = settings.configs.expanduser().resolve().parent / "workspace.yaml"
    where = ["-w", str(workspace if workspace.is_file() else WORKSPACE)]
    beside = Path(sys.executable).with_name("dagster")
    serve = ["-h", LOOPBACK, "-p", str(port), "--log-level", "warning"]
    return [str(beside), "dev", *where, *serve]


def refuse_taken(port: int, option: str) -> None:
    """Look whether a port is free: `dagster dev` would silently take another, or hang.

    Raises:
        FeedbackAssetsError: It is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise taken(port, option) from error


def taken(port: int, option: str) -> FeedbackAssetsError:
    """The error that a port is taken, with the way out."""
    return FeedbackAssetsError(
        f"port {port} is taken (is another `feedback-assets ui` running?): "
        f"choose another with {option}"
    )


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end things as Ctrl-C does, in a background job too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {sign: signal.signal(sign, interrupt) for sign in ENDING}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def end_group(process: subprocess.Popen[bytes], patience: float = PATIENCE_SECONDS) -> None:
    """End a process and all of its children, gently at first."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if not signalled(process, sign):
            return
        until = time.monotonic() + patience
        while time.monotonic() < until:
            process.poll()  # reaped, so that the group can become empty
            if not signalled(process, 0):
                return
            time.sleep(LOOK_EVERY_SECONDS)


def signalled(process: subprocess.Popen[bytes], sign: int) -> bool:
    """Signal a process's group; whether there was anyone in it (0 only asks)."""
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        return False
    return True
