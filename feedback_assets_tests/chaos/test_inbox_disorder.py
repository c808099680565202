"""Requests come twice, late and in any order: each row is stored once, under one number."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_assets.capture.inbox.open import open_inbox, open_reader
from feedback_assets.capture.inbox.records import Entry, Stream
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos import inbox_mutants
from feedback_assets_tests.chaos.forms import short_and_long
from feedback_assets_tests.chaos.inbox_load import LOOP
from feedback_assets_tests.chaos.inbox_notes import STREAMS, rows_of

AT_ONCE = 50


@dataclass(frozen=True)
class Outcomes:
    """What a stream of requests led to."""

    requests: int
    rows: int
    stored: int
    repeated: int
    conflicts: int
    missing: int
    doubled: int
    wrong: int
    """Answers that named another number than the row has, or a conflict nobody made."""

    @property
    def right(self) -> bool:
        return not (self.missing or self.doubled or self.wrong) and self.stored == self.rows


def entry(stream: Stream, number: int, digest: bytes = b"as first stated!") -> Entry:
    body = f'{{"prediction_id": "{number}"}}'.encode()
    return Entry(stream, LOOP, f"{stream}-{number}", number, body, digest)


async def disorder(root: Path, count: int, mutant: str) -> Outcomes:
    """Predictions and their feedback, each sent one to four times, all shuffled."""
    chance = random.Random(count)
    wanted = [entry(stream, number) for stream in STREAMS for number in range(count)]
    sent = [again for once in wanted for again in [once] * chance.choice([1, 1, 2, 4])]
    chance.shuffle(sent)
    settings = Settings(home=root, inbox_url=None, inbox_free_mb=0)
    answers: list[tuple[str, str, int]] = []
    with inbox_mutants.applied(mutant):
        inbox = await open_inbox(settings)
        while sent:
            groups = [[sent.pop() for _ in range(min(3, len(sent)))] for _ in range(AT_ONCE)]
            told = await asyncio.gather(*(inbox.append(group) for group in groups if group))
            answers += [
                (one.key, outcome.state, outcome.seq)
                for group, outcomes in zip(groups, told, strict=False)
                for one, outcome in zip(group, outcomes, strict=True)
            ]
            if chance.random() < 0.1:  # a restart in between
                await inbox.close()
                inbox = await open_inbox(settings)
        other = [entry("feedback", number, b"says otherwise!!") for number in range(10)]
        conflicts = Counter(outcome.state for outcome in await inbox.append(other))
        await inbox.close()
    reader = open_reader(settings)
    assert reader is not None
    rows = rows_of(reader, LOOP)
    reader.close()
    held = {key: seq for seq, key, _ in rows}
    states = Counter(state for _, state, _ in answers)
    return Outcomes(
        requests=len(answers),
        rows=len(wanted),
        stored=states["stored"],
        repeated=states["repeated"],
        conflicts=conflicts["conflict"],
        missing=len({one.key for one in wanted} - held.keys()),
        doubled=len(rows) - len(held),
        wrong=states["conflict"] + sum(held.get(key) != seq for key, _, seq in answers),
    )


@pytest.mark.parametrize("count", short_and_long(2_000, 60_000))
def test_whatever_the_order_each_row_is_stored_once(tmp_path, count, figures):
    outcomes = asyncio.run(disorder(tmp_path, count, ""))
    figures("duplicates and disorder", **vars(outcomes))
    assert outcomes.right
    assert outcomes.repeated > count / 2
    assert outcomes.conflicts == 10


@pytest.mark.parametrize("count", short_and_long(500, 5_000))
def test_a_writer_without_a_unique_key_is_found_out(tmp_path, count, figures):
    outcomes = asyncio.run(disorder(tmp_path, count, inbox_mutants.NO_KEY))
    figures(f"duplicates, mutant: {inbox_mutants.NO_KEY}", **vars(outcomes))
    assert outcomes.doubled > 0
    assert not outcomes.right
