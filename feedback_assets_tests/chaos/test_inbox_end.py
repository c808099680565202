"""SIGTERM under load, and a second writer at the same files."""

import random
import signal
from collections.abc import Iterator

import pytest

from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.forms import short_and_long
from feedback_assets_tests.chaos.inbox_rounds import MODULE, Count, Home, wait_until

HARD = "ended without writing what waits"


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks(MODULE) as forks:
        yield forks


def end_over_and_over(forks: Forks, home: Home, rounds: int, sign: int) -> Count:
    """Ask the process to end, at random instants; every request must have had an answer."""
    chance = random.Random(rounds)
    count = Count(seen={"refused": 0, "without_answer": 0, "code_not_0": 0})
    before = 0
    for _ in range(rounds):
        pid = home.begin()
        home.work(chance.randrange(50, 1_500), chance)
        size = home.notes.stat().st_size
        count.seen["code_not_0"] += forks.kill(pid, sign) != 0
        told = home.told
        verdict = home.verdict()
        count.add(verdict, before)
        before = verdict.acknowledged
        count.seen["refused"] = told.states["refused"]
        count.seen["without_answer"] += len(told.sent - told.refused - told.acknowledged.keys())
        assert home.notes.stat().st_size >= size
    return count


@pytest.mark.parametrize("rounds", short_and_long(4, 60))
def test_every_request_is_answered_or_refused_at_the_end(forks, tmp_path, rounds, figures):
    count = end_over_and_over(forks, Home(forks, tmp_path), rounds, signal.SIGTERM)
    figures("SIGTERM under load", **count.told())
    assert count.acknowledged > 50 * rounds
    assert count.faults == count.seen["without_answer"] == count.seen["code_not_0"] == 0


@pytest.mark.parametrize("rounds", short_and_long(3, 10))
def test_an_end_that_writes_nothing_more_is_found_out(forks, tmp_path, rounds, figures):
    count = end_over_and_over(forks, Home(forks, tmp_path), rounds, signal.SIGINT)
    figures(f"SIGTERM, mutant: {HARD}", **count.told())
    assert count.seen["without_answer"] > 0
    assert count.seen["code_not_0"] == rounds


def begun_beside(forks: Forks, home: Home, others: int) -> tuple[int, int]:
    """The first writer, and how many of the others began their work beside it."""
    first = home.begin()
    beside = 0
    for _ in range(others):
        second = home.start()
        wait_until(lambda: home.began() or "already" in home.said(), "the second does not begin")
        beside += home.began()
        forks.kill(second)
    return first, beside


@pytest.mark.parametrize("others", short_and_long(2, 20))
def test_a_second_writer_is_refused_until_the_first_is_gone(forks, tmp_path, others, figures):
    home = Home(forks, tmp_path, {"appends": 100_000, "clients": 1})
    first, beside = begun_beside(forks, home, others)
    assert beside == 0
    assert f"process {first} writes this inbox already" in home.said()
    assert forks.kill(first) == -9
    home.finish()
    verdict = home.verdict()
    figures("second writer", refused=others, **vars(verdict))
    assert verdict.exactly_once


@pytest.mark.parametrize("others", short_and_long(2, 5))
def test_a_writer_without_a_lock_is_found_out(forks, tmp_path, others, figures):
    home = Home(forks, tmp_path, {"mutant": inbox_mutants.NO_LOCK, "clients": 1})
    first, beside = begun_beside(forks, home, others)
    forks.kill(first)
    figures(f"second writer, mutant: {inbox_mutants.NO_LOCK}", refused=others - beside)
    assert beside > 0
