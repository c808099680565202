"""A disk that gets full and is freed again: refused meanwhile, nothing acknowledged is lost."""

import random
import signal
from pathlib import Path

import pytest

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos.inbox_faults import run_with
from feedback_assets_tests.chaos.inbox_load import LOOP, STOPPED, Load
from feedback_assets_tests.chaos.inbox_notes import Told, Verdict, judge, rows_of
from feedback_assets_tests.chaos.inbox_rounds import Count, wait_until
from feedback_assets_tests.chaos.small_disk import SmallDisk, may_mount, small_disk

pytestmark = pytest.mark.skipif(
    not may_mount(), reason="needs unshare and nsenter (util-linux) and the right to mount a tmpfs"
)
DISK_MB = 48
FLOOR_MB = 8


class Filled:
    """An inbox on a small disk."""

    def __init__(self, disk: SmallDisk, notes: Path) -> None:
        self.disk, self.notes, self.lives = disk, notes, 0

    def begin(self, floor_mb: int):
        self.lives += 1
        load = Load(
            str(self.disk.place),
            str(self.notes),
            self.lives,
            clients=8,
            free_mb=floor_mb,
            segment=1_000,
        )
        return run_with(load, self.disk.inside)

    def told(self) -> Told:
        return Told.read(self.notes)

    def grow(self, state: str, by: int) -> None:
        """Wait until so many clients more were told this."""
        before = self.told().states[state]
        wait_until(lambda: self.told().states[state] >= before + by, f"nobody is told {state!r}")

    def wait_for_refusals(self, process) -> None:
        """Wait until clients are told that the disk is full, or the process has ended."""
        before = self.told().states["full"]
        wait_until(
            lambda: self.told().states["full"] > before + 8 or process.poll() is not None,
            "a full disk makes no difference",
        )

    def verdict(self) -> Verdict:
        reader = open_reader(Settings(home=self.disk.seen, inbox_url=None))
        assert reader is not None
        rows = rows_of(reader, LOOP)
        reader.close()
        return judge(self.told(), rows, LOOP)


def fill_and_free(filled: Filled, rounds: int, floor_mb: int) -> Count:
    """Fill the disk under load and free it, over and over; a process that ends is begun anew."""
    chance = random.Random(rounds)
    count = Count(seen={"refused": 0, "ended": 0})
    process = filled.begin(floor_mb)
    before = 0
    for _ in range(rounds):
        filled.grow("stored", 50)
        filled.disk.fill(leave=chance.randrange(FLOOR_MB * 500_000) if floor_mb else 0)
        filled.wait_for_refusals(process)
        filled.disk.free()
        if process.poll() is not None:
            assert process.returncode == STOPPED
            count.seen["ended"] += 1
            process = filled.begin(floor_mb)
        filled.grow("stored", 50)
        verdict = filled.verdict()
        count.add(verdict, before)
        before = verdict.acknowledged
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    count.add(filled.verdict(), before)
    count.seen["refused"] = filled.told().states["full"]
    return count


@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(1, id="short"),
        pytest.param(12, id="long", marks=[pytest.mark.chaos, pytest.mark.slow]),
    ],
)
def test_a_full_disk_is_refused_in_time_and_taken_again(tmp_path, rounds, figures):
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        count = fill_and_free(Filled(disk, tmp_path / "notes"), rounds, FLOOR_MB)
    figures("disk full and freed", **count.told())
    assert count.seen["refused"] > 0
    assert count.seen["ended"] == count.faults == 0


def test_without_a_floor_the_inbox_ends_or_refuses_but_loses_nothing(tmp_path, figures):
    """The mutant of the floor: the process may end now, which the proof above would not pass."""
    with small_disk(tmp_path / "disk", DISK_MB) as disk:
        count = fill_and_free(Filled(disk, tmp_path / "notes"), 2, 0)
    figures("disk full and freed, mutant: no floor", **count.told())
    assert count.seen["ended"] > 0
    assert count.faults == 0
