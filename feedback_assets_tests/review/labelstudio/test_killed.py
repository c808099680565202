"""An errand that ends at any point, and the one after it: all is there, and all of it once."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from feedback_assets.review.labelstudio import client as client_module
from feedback_assets_tests.review.labelstudio.errands import Errands
from feedback_assets_tests.review.labelstudio.simulated import PERSONAL, Fault
from feedback_assets_tests.review.labelstudio.test_faults import settled

REQUESTS = 10
"""More than a first errand with five questions makes."""


class Killed(BaseException):
    """The process ends here."""


def begun(errands: Errands) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "feedback_assets_tests.review.labelstudio.killed",
            errands.studio.url,
            str(errands.home),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LABEL_STUDIO_TOKEN": PERSONAL},
    )


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        (r"POST .*/import$", "kill"),
        (r"POST .*/import$", "done_kill"),
        (r"POST /api/projects/$", "done_kill"),
    ],
)
def test_kill_9_in_the_middle(errands: Errands, where: str, kind: str) -> None:
    errands.put(9)
    process = begun(errands)
    skip = 1 if "import" in where else 0
    errands.studio.faults = [Fault(where, kind, str(process.pid), skip=skip)]
    process.communicate("go\n", timeout=120)
    assert process.returncode == -signal.SIGKILL
    stood = len(errands.studio.tasks)
    done = errands.sync()
    settled(errands, 9)
    assert done.sent == 9
    assert stood == {"kill": 4, "done_kill": 8}[kind] or not skip
    assert len(errands.studio.projects) == 1


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(REQUESTS))
def test_the_end_comes_at_any_request(
    errands: Errands, monkeypatch: pytest.MonkeyPatch, number: int, late: bool
) -> None:
    errands.put(5)
    left = [number]
    send = client_module.Client._send

    def sent(self: Any, *args: Any) -> Any:
        left[0] -= 1
        if left[0] == -1 and not late:
            raise Killed
        response = send(self, *args)
        if left[0] == -1:
            raise Killed
        return response

    with monkeypatch.context() as patched:
        patched.setattr(client_module.Client, "_send", sent)
        try:
            errands.sync()
        except Killed:
            assert left[0] == -1
        else:
            assert left[0] >= 0
    errands.studio.annotate(_any(errands), "1") if errands.studio.tasks else None
    errands.sync()
    settled(errands, 5)
    errands.sync()
    settled(errands, 5)
    assert len(errands.studio.projects) == 1
    assert len(errands.answers()) == len(
        [t for t in errands.studio.tasks.values() if t["annotations"]]
    )


@pytest.mark.parametrize("errand", ["reserve", "place", "take", "remember"])
def test_the_end_comes_after_any_commit(
    errands: Errands, monkeypatch: pytest.MonkeyPatch, errand: str
) -> None:
    errands.put(5)
    errands.sync()
    errands.studio.annotate(errands.studio.task_of("t2"), "0")
    errands.put(8)
    own = getattr(type(errands.store), errand)

    def ended(self: Any, *args: Any) -> Any:
        own(self, *args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(errands.store), errand, ended)
        if errand == "remember":
            errands.studio.users.append({"id": 7, "email": "new@example.com"})
        with pytest.raises(Killed):
            errands.sync()
    errands.sync()
    settled(errands, 8)
    assert errands.answers() == [("t2", "ann@example.com", "label", "0")]


def _any(errands: Errands) -> dict[str, Any]:
    return next(iter(errands.studio.tasks.values()))
