"""kill -9 of the inbox under load, over and over: acknowledged rows are stored exactly once."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.forms import mutants, short_and_long
from feedback_assets_tests.chaos.inbox_rounds import MODULE, Count, Home

KILLS_OF_A_HOME = 10
OPENING_SECONDS = 0.1
MOST_LINES = 1_500


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks(MODULE) as forks:
        yield forks


def kill_over_and_over(forks: Forks, root: Path, kills: int, mutant: str = "") -> Count:
    """Kill at random instants, also while it opens; clients repeat what was not answered."""
    chance = random.Random(kills)
    count = Count(seen={"sent_again": 0})
    while count.rounds < kills:
        home = Home(forks, root / str(count.rounds), {"mutant": mutant})
        before = 0
        for _ in range(1 if mutant else min(KILLS_OF_A_HOME, kills - count.rounds)):
            count.seen["sent_again"] += len(home.told.unanswered)
            if chance.random() < 0.1:
                pid = home.start()
                time.sleep(chance.uniform(0.0, OPENING_SECONDS))
            else:
                pid = home.begin()
                home.work(chance.randrange(MOST_LINES), chance)
            assert forks.kill(pid) == -9, home.errors.read_text()
            verdict = home.verdict()
            count.add(verdict, before)
            before = verdict.acknowledged
        home.finish()
        verdict = home.verdict()
        if not mutant:
            assert verdict.exactly_once
            assert verdict.stored == verdict.acknowledged == len(home.told.sent)
    return count


@pytest.mark.parametrize("kills", short_and_long(5, 200))
def test_acknowledged_rows_are_there_once_after_every_kill(forks, tmp_path, kills, figures):
    count = kill_over_and_over(forks, tmp_path, kills)
    figures("kill -9, the inbox alone", **count.told())
    assert count.rounds == kills
    assert count.acknowledged > 50 * kills
    assert count.seen["sent_again"] > 0
    assert count.faults == 0


@pytest.mark.parametrize(
    ("mutant", "kills"), mutants(3, 20, inbox_mutants.EARLY, inbox_mutants.NO_KEY)
)
def test_a_broken_writer_is_found_out(forks, tmp_path, mutant, kills, figures):
    count = kill_over_and_over(forks, tmp_path, kills, mutant)
    figures(f"kill -9, mutant: {mutant}", **count.told())
    assert (count.doubled if mutant == inbox_mutants.NO_KEY else count.lost) > 0
