"""Power loss at any write or sync: what was acknowledged is there, once, in a sound database."""

import sqlite3
from pathlib import Path

import pytest

from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.forms import mutants, short_and_long
from feedback_assets_tests.chaos.inbox_powerless import living
from feedback_assets_tests.chaos.inbox_rounds import Count

LOSSES_OF_A_DISK = 10


def lose_power_over_and_over(root: Path, rounds: int, mutant: str = "") -> Count:
    """Fresh disks, each through several losses; a damaged one is given up."""
    count = Count(seen={"damaged": 0, "opened": 0, "pruned": 0})
    seed = 0
    while count.rounds < rounds:
        seed += 1
        with living(root / str(seed), seed, mutant) as life:
            before = 0
            for _ in range(min(LOSSES_OF_A_DISK, rounds - count.rounds)):
                try:
                    life.round()
                    verdict = life.verdict()
                except (sqlite3.DatabaseError, AssertionError):
                    if not mutant:
                        raise
                    count.rounds += 1
                    count.seen["damaged"] += 1
                    break
                count.add(verdict, before)
                before = verdict.acknowledged
                if mutant and not verdict.exactly_once:
                    break
            count.seen["opened"] += life.opened
            count.seen["pruned"] += life.pruned
    return count


@pytest.mark.parametrize("rounds", short_and_long(40, 3_000))
def test_nothing_acknowledged_is_lost_without_power(tmp_path, rounds, figures):
    count = lose_power_over_and_over(tmp_path, rounds)
    figures("power loss, synchronous = FULL", **count.told())
    assert count.rounds == rounds
    assert count.seen["opened"] > rounds / 2
    assert count.acknowledged > 20 * rounds
    assert count.seen["damaged"] == count.faults == 0


@pytest.mark.parametrize(
    ("mutant", "rounds"),
    mutants(40, 300, inbox_mutants.NORMAL, inbox_mutants.OFF, inbox_mutants.EARLY, shown=3),
)
def test_a_writer_that_syncs_less_is_found_out(tmp_path, mutant, rounds, figures):
    count = lose_power_over_and_over(tmp_path, rounds, mutant)
    figures(f"power loss, mutant: {mutant}", **count.told())
    assert count.lost + count.seen["damaged"] > rounds / 8
