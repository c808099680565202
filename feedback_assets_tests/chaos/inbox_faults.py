"""The inbox under strace, which makes a chosen call to the disk fail."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from feedback_assets_tests.chaos.inbox_load import Load

ROOT = str(Path(__file__).parents[2])
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="install Debian's package strace"
)


def run_with(
    load: Load, before: Sequence[str] = (), environment: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """The load in a process of its own, begun by another command."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "feedback_assets_tests.chaos.inbox_load"],
        env={
            **os.environ,
            "PYTHONPATH": ROOT,
            "LOAD": json.dumps(load.told()),
            **(environment or {}),
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def strace(call: str, error: str, when: str, files: Sequence[Path]) -> list[str]:
    """The command that lets the call on one of the files fail, the `when`-th time by a thread."""
    only = [word for file in files for word in ("-P", str(file))]
    inject = f"inject={call}:error={error}:when={when}"
    return ["strace", "-f", "-qq", "-o", os.devnull, *only, "-e", f"trace={call}", "-e", inject]
