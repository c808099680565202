"""A reader follows while the writer appends, prunes and is killed, and the reader itself is too."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets_tests.chaos import inbox_follow, inbox_mutants
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.forms import mutants, short_and_long
from feedback_assets_tests.chaos.inbox_follow import followed
from feedback_assets_tests.chaos.inbox_load import LOOP
from feedback_assets_tests.chaos.inbox_notes import STREAMS
from feedback_assets_tests.chaos.inbox_rounds import MODULE, Home

FOLLOW = "feedback_assets_tests.chaos.inbox_follow"
SEGMENT = 200
MUTANTS = (
    inbox_follow.CURSOR_FIRST,
    inbox_follow.TAKEN_FIRST,
    inbox_mutants.OLD_NUMBERS,
)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks(MODULE, FOLLOW) as forks:
        yield forks


@dataclass
class Followed:
    """What the table of the follower holds at the end."""

    kills: int
    rows: int
    pruned: int
    missed: int
    twice: int


def follow(forks: Forks, root: Path, kills: int, mutant: str = "") -> Followed:
    """Kill the writer and the follower in turn at random instants; then let both finish."""
    chance = random.Random(kills)
    home = Home(forks, root, {"mutant": mutant, "segment": SEGMENT, "clients": 16})
    table = root / "table.db"

    def begin(*, to_the_end: bool = False) -> int:
        told = (str(root / "home"), str(table), SEGMENT, mutant)
        return forks.begin(f"{FOLLOW}:run", home.errors, *told, to_the_end)

    writer, reader = home.begin(), begin()
    for kill in range(kills):
        home.work(chance.randrange(100, 1_500), chance)
        if kill % 2:
            assert forks.kill(reader) == -9, home.errors.read_text()
            reader = begin()
        else:
            assert forks.kill(writer) == -9, home.errors.read_text()
            writer = home.begin()
    forks.kill(writer)
    home.finish()
    forks.kill(reader)
    assert forks.wait(begin(to_the_end=True)) == 0, home.errors.read_text()
    numbers, keys = followed(table)
    reading = open_reader(home.load().settings)
    assert reading is not None
    pruned = max(reading.pruned_through(stream, LOOP) for stream in STREAMS)
    reading.close()
    return Followed(
        kills,
        rows=numbers.total(),
        pruned=pruned,
        missed=len(home.told.acknowledged.keys() - keys),
        twice=numbers.total() - len(numbers),
    )


@pytest.mark.parametrize("kills", short_and_long(6, 120))
def test_a_reader_gets_every_row_once(forks, tmp_path, kills, figures):
    seen = follow(forks, tmp_path, kills)
    figures("reading while pruning, kill -9", **vars(seen))
    assert seen.rows > 50 * kills
    assert seen.pruned > 2 * SEGMENT
    assert seen.missed == seen.twice == 0


@pytest.mark.parametrize(("mutant", "kills"), mutants(6, 12, *MUTANTS))
def test_a_broken_cursor_or_number_is_found_out(forks, tmp_path, mutant, kills, figures):
    seen = follow(forks, tmp_path, kills, mutant)
    figures(f"reading while pruning, mutant: {mutant}", **vars(seen))
    assert seen.missed > 0
