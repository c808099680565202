"""The disk fails under the whole service: it ends, says why, and the next one has all rows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_assets_tests.chaos.door_load import Clients, at_work, compare
from feedback_assets_tests.chaos.doors import door, forks
from feedback_assets_tests.chaos.forms import LONG
from feedback_assets_tests.chaos.inbox_faults import ROOT, needs_strace, strace
from feedback_assets_tests.chaos.inbox_rounds import wait_until

__all__ = ["door", "forks"]
CLIENTS = 8


def begin_failing(door, call: str, error: str, when: str) -> "subprocess.Popen[str]":
    """`feedback-assets serve`, whose n-th call to the disk fails."""
    inbox: Path = door.settings.inbox
    command = strace(call, error, when, [inbox / "inbox.db", inbox / "inbox.db-wal"])
    serving = ["-m", "feedback_assets.cli", "serve", "shop", "--port", str(door.port)]
    process = subprocess.Popen(
        [*command, sys.executable, *serving],
        env={
            **os.environ,
            "PYTHONPATH": ROOT,
            "FEEDBACK_ASSETS_HOME": str(door.settings.home),
            "FEEDBACK_ASSETS_CONFIGS": str(door.settings.configs),
            "FEEDBACK_ASSETS_INBOX_FREE_MB": "0",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: door.ready() or process.poll() is not None, "the service does not begin")
    return process


@needs_strace
@pytest.mark.parametrize(
    ("call", "error"),
    [
        pytest.param("fdatasync", "EIO", id="short"),
        *(
            pytest.param(call, error, marks=LONG)
            for call, error in (
                ("fdatasync", "ENOSPC"),
                ("pwrite64", "EIO"),
                ("pwrite64", "ENOSPC"),
            )
        ),
    ],
)
def test_the_service_ends_at_an_error_of_its_disk(door, call, error, figures):
    door.forks.kill(door.begin())  # the files are there
    clients = Clients(door.url, door.shop.rows(50))
    process = begin_failing(door, call, error, "40")
    with at_work(clients, CLIENTS):
        said = process.communicate(timeout=120)[1]
        pid = door.begin()
        answered = len(clients.answers) + 50
        wait_until(lambda: len(clients.answers) >= answered, "the clients do not go on")
    door.forks.kill(pid)
    stored = compare(clients, door.settings)
    figures(f"{call} fails with {error} under HTTP", code=process.returncode, **vars(stored))
    assert process.returncode == 1
    assert "disk" in said
    assert stored.acknowledged > 50
    assert stored.faults == 0
