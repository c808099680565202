"""The Dagster UI, its daemon and the reports, started and ended together."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from rich.console import Console

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.instance import prepare_home
from feedback_assets.reports.server import reports_server
from feedback_assets.settings import Settings

PATIENCE_SECONDS = 20


def serve_ui(settings: Settings, port: int, reports_port: int, console: Console) -> int:
    """Run until interrupted; returns the exit code of `dagster dev`.

    Raises:
        FeedbackAssetsError: A port is taken.
    """
    prepare_home(settings)
    try:
        reports = reports_server(settings.reports, "127.0.0.1", reports_port)
    except OSError as error:
        raise FeedbackAssetsError(
            f"port {reports_port} is taken ({error}): choose another with --reports-port"
        ) from error
    os.environ["FEEDBACK_ASSETS_REPORTS_URL"] = f"http://127.0.0.1:{reports_port}"
    threading.Thread(target=reports.serve_forever, daemon=True).start()
    console.print(
        f"Dagster UI  http://127.0.0.1:{port}\nReports     http://127.0.0.1:{reports_port}\n"
        f"State       {settings.root}\nCtrl-C ends all of it.",
        highlight=False,
    )
    # A session of its own: `dagster dev` hands signals to its children only as a group.
    with subprocess.Popen(command(settings, port), start_new_session=True) as dagster:  # noqa: S603
        try:
            code = dagster.wait()
        except KeyboardInterrupt:
            code = 0
        finally:
            end_group(dagster)
            reports.shutdown()
    return code


def command(settings: Settings, port: int) -> list[str]:
    """The command that starts Dagster on the project's workspace."""
    workspace = settings.configs.expanduser().resolve().parent / "workspace.yaml"
    where = ["-w", str(workspace)] if workspace.is_file() else ["-m", "feedback_assets.definitions"]
    beside = Path(sys.executable).with_name("dagster")
    return [str(beside), "dev", *where, "-h", "127.0.0.1", "-p", str(port)]


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its children, gently at first."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return
        return
