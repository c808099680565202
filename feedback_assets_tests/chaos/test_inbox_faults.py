"""Calls to the disk that fail, and a disk that is full: nothing acknowledged is lost."""

import random
from pathlib import Path

import pytest

from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.forms import LONG, short_and_long
from feedback_assets_tests.chaos.inbox_faults import needs_strace, run_with, strace
from feedback_assets_tests.chaos.inbox_load import STOPPED
from feedback_assets_tests.chaos.inbox_rounds import MODULE, Count, Home

FAULTS = (
    ("fdatasync", "EIO"),
    ("fdatasync", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EDQUOT"),
)


def fail_over_and_over(root: Path, rounds: int, call: str, error: str, mutant: str = "") -> Count:
    """Let the n-th call fail, once or from then on; the clients of the next process go on."""
    chance = random.Random(rounds)
    count = Count(seen={"stopped": 0, "said_nothing": 0})
    with Forks(MODULE) as forks:
        home = Home(forks, root, {"clients": 16})
        home.finish()
        inbox = home.load().settings.inbox
        files = [inbox / "inbox.db", inbox / "inbox.db-wal"]
        before = home.verdict().acknowledged
        for position in range(rounds):
            when = f"{chance.randrange(3, 60)}{'+' if position % 2 and not mutant else ''}"
            command = strace(call, error, when, files)
            process = run_with(home.load(mutant=mutant, appends=120), command)
            said = process.communicate(timeout=120)[1]
            # STOPPED, or 1 when the call that failed was one of those that open the inbox.
            count.seen["stopped"] += process.returncode in (STOPPED, 1)
            count.seen["said_nothing"] += "disk" not in said
            verdict = home.verdict()
            count.add(verdict, before)
            before = verdict.acknowledged
        home.finish()
        assert home.verdict().exactly_once
    return count


@needs_strace
@pytest.mark.parametrize(
    ("call", "error", "rounds"),
    [
        pytest.param("fdatasync", "EIO", 1, id="short"),
        *(pytest.param(call, error, 8, id=f"{call}-{error}", marks=LONG) for call, error in FAULTS),
    ],
)
def test_the_inbox_stops_at_an_error_of_its_disk(tmp_path, call, error, rounds, figures):
    count = fail_over_and_over(tmp_path, rounds, call, error)
    figures(f"{call} fails with {error}", **count.told())
    assert count.acknowledged > 0
    assert count.seen["stopped"] == rounds
    assert count.faults == count.seen["said_nothing"] == 0


@needs_strace
@pytest.mark.parametrize("rounds", short_and_long(1, 3))
def test_a_writer_that_goes_on_after_an_error_is_found_out(tmp_path, rounds, figures):
    count = fail_over_and_over(tmp_path, rounds, "fdatasync", "EIO", inbox_mutants.GOES_ON)
    figures(f"fdatasync fails with EIO, mutant: {inbox_mutants.GOES_ON}", **count.told())
    assert count.seen["stopped"] == 0
