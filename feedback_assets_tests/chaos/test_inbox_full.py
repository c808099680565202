"""A disk that gets full and is freed again: refused meanwhile, nothing acknowledged is lost."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_assets_tests.chaos.forms import short_and_long
from feedback_assets_tests.chaos.inbox_faults import ROOT, run_with
from feedback_assets_tests.chaos.inbox_load import STOPPED, Load
from feedback_assets_tests.chaos.inbox_notes import Tail, Verdict
from feedback_assets_tests.chaos.inbox_rounds import Count, wait_until
from feedback_assets_tests.chaos.small_disk import SmallDisk, may_mount, small_disk

pytestmark = pytest.mark.skipif(
    not may_mount(), reason="needs unshare and nsenter (util-linux) and the right to mount a tmpfs"
)
JUDGE = "feedback_assets_tests.chaos.inbox_verdict"
DISK_MB = 96
FLOOR_MB = 32
MEGABYTE = 900_000


class Filled:
    """An inbox on a small disk."""

    def __init__(self, disk: SmallDisk, notes: Path) -> None:
        self.disk, self.notes, self.lives = disk, notes, 0
        self.tail = Tail(notes)

    def begin(self, floor_mb: int):
        self.lives += 1
        load = Load(
            str(self.disk.place),
            str(self.notes),
            self.lives,
            clients=4,
            free_mb=floor_mb,
            segment=1_000,
        )
        return run_with(load, self.disk.inside)

    def grow(self, state: str, by: int) -> None:
        """Wait until so many clients more were told this."""
        before = self.tail.count(state)
        wait_until(lambda: self.tail.count(state) >= before + by, f"nobody is told {state!r}")

    def wait_for_refusals(self, process) -> None:
        """Wait until clients are told that the disk is full, or the process has ended."""
        before = self.tail.count("full")
        wait_until(
            lambda: self.tail.count("full") > before + 8 or process.poll() is not None,
            "a full disk makes no difference",
        )

    def verdict(self) -> Verdict:
        judging = [*self.disk.inside, sys.executable, "-m", JUDGE]
        told = subprocess.run(
            [*judging, str(self.disk.place), str(self.notes)],
            env={**os.environ, "PYTHONPATH": ROOT},
            capture_output=True,
            check=True,
        )
        return Verdict(**json.loads(told.stdout))


def fill_and_free(filled: Filled, rounds: int, floor_mb: int) -> Count:
    """Fill the disk under load and free it, over and over; a process that ends is begun anew."""
    chance = random.Random(rounds)
    count = Count(seen={"refused": 0, "ended": 0})
    process = filled.begin(floor_mb)
    before = 0
    for _ in range(rounds):
        filled.grow("stored", 50)
        filled.disk.fill(
            leave=chance.randrange(FLOOR_MB // 2, FLOOR_MB) * MEGABYTE if floor_mb else 0
        )
        filled.wait_for_refusals(process)
        filled.disk.free()
        if process.poll() is not None:
            assert process.returncode == STOPPED
            count.seen["ended"] += 1
            process = filled.begin(floor_mb)
        filled.grow("stored", 50)
        process.send_signal(signal.SIGSTOP)  # so that notes and rows are of one moment
        verdict = filled.verdict()
        process.send_signal(signal.SIGCONT)
        count.add(verdict, before)
        before = verdict.acknowledged
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    count.add(filled.verdict(), before)
    count.rounds -= 1
    count.seen["refused"] = filled.tail.count("full")
    return count


@pytest.mark.parametrize("rounds", short_and_long(1, 12))
def test_a_full_disk_is_refused_in_time_and_taken_again(tmp_path, rounds, figures):
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        count = fill_and_free(Filled(disk, tmp_path / "notes"), rounds, FLOOR_MB)
    figures("disk full and freed", **count.told())
    assert count.seen["refused"] > 0
    assert count.seen["ended"] == count.faults == 0


@pytest.mark.chaos
@pytest.mark.slow
def test_without_a_floor_the_inbox_ends_or_refuses_but_loses_nothing(tmp_path, figures):
    """The mutant of the floor: the process may end now, which the proof above would not pass."""
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        count = fill_and_free(Filled(disk, tmp_path / "notes"), 1, 0)
    figures("disk full and freed, mutant: no floor", **count.told())
    assert count.seen["ended"] > 0
    assert count.faults == 0
