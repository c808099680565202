"""The whole service is killed, and asked to end, under HTTP load with retries."""

import random
import signal
import time
from dataclasses import replace

import pytest

from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.door_load import Clients, Stored, at_work, compare
from feedback_assets_tests.chaos.doors import Door, door, forks
from feedback_assets_tests.chaos.forms import mutants, short_and_long
from feedback_assets_tests.chaos.inbox_rounds import wait_until

__all__ = ["door", "forks"]
CLIENTS = 16
READ_SECONDS = 0.2
"""Until clients have read what was sent to them before the service ended."""


def end_over_and_over(
    door: Door, rounds: int, sign: int, mutant: str = ""
) -> tuple[Stored, Clients, list[int]]:
    """Signal the service at random instants and begin it anew; clients go on all the time."""
    chance = random.Random(rounds)
    clients = Clients(door.url, door.shop.rows(50))
    codes: list[int] = []
    unanswered = 0
    pid = door.begin(mutant)
    with at_work(clients, CLIENTS):
        for _ in range(rounds):
            answered = len(clients.answers) + chance.randrange(20, 400)
            wait_until(lambda: len(clients.answers) >= answered, "the clients do not go on")  # noqa: B023
            time.sleep(chance.uniform(0.0, 0.03))
            codes.append(door.forks.kill(pid, sign))
            time.sleep(READ_SECONDS)
            unanswered += compare(clients, door.settings).unanswered
            pid = door.begin(mutant)
        answered = len(clients.answers) + 100
        wait_until(lambda: len(clients.answers) >= answered, "the clients do not go on")
    door.forks.kill(pid)
    return replace(compare(clients, door.settings), unanswered=unanswered), clients, codes


@pytest.mark.parametrize("rounds", short_and_long(2, 60))
def test_answered_requests_are_stored_once_after_every_kill(door, rounds, figures):
    stored, clients, codes = end_over_and_over(door, rounds, signal.SIGKILL)
    figures("kill -9, the service under HTTP", rounds=rounds, **vars(stored), **clients.seen)
    assert codes == [-9] * rounds
    assert clients.seen["cut"] > 0
    assert rounds < 10 or stored.unanswered > 0  # a kill between a commit and its answer
    assert stored.acknowledged > 20 * rounds
    assert stored.faults == 0


@pytest.mark.parametrize("rounds", short_and_long(2, 40))
def test_a_service_asked_to_end_answers_what_it_has(door, rounds, figures):
    stored, clients, codes = end_over_and_over(door, rounds, signal.SIGTERM)
    figures("SIGTERM, the service under HTTP", rounds=rounds, **vars(stored), **clients.seen)
    assert codes == [0] * rounds
    assert stored.faults == stored.unanswered == 0


@pytest.mark.parametrize(
    ("mutant", "rounds"),
    mutants(2, 8, inbox_mutants.EARLY, inbox_mutants.NO_KEY, shown=0),
)
def test_a_broken_writer_is_found_out(door, mutant, rounds, figures):
    stored, clients, _ = end_over_and_over(door, rounds, signal.SIGKILL, mutant)
    figures(f"kill -9 under HTTP, mutant: {mutant}", **vars(stored), **clients.seen)
    assert stored.faults > 0
