"""What no table has taken stays, also when repeats used up the numbers before a restart."""

import asyncio
from pathlib import Path

import pytest

from feedback_assets.capture.inbox.open import open_inbox, open_reader
from feedback_assets.capture.inbox.records import Entry, Stream
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos.inbox_load import LOOP, small_segments

SEGMENT = 10


def entries(stream: Stream, name: str, count: int) -> list[Entry]:
    return [Entry(stream, LOOP, f"{name}{n}", n, b"{}", b"digest") for n in range(count)]


async def restart_between_segments(root: Path) -> tuple[bytes | None, int]:
    """A feedback that is not taken, and how many predictions were pruned that are."""
    settings = Settings(home=root, inbox_url=None, inbox_free_mb=0, inbox_keep_days=0)
    inbox = await open_inbox(settings)
    predictions = entries("predictions", "p", 7)
    await inbox.append([*entries("feedback", "f", 1), *predictions])
    await inbox.append(predictions)  # known: they use up numbers beyond the first segment's end
    await inbox.close()
    inbox = await open_inbox(settings)
    await inbox.append(entries("predictions", "q", 25))
    reader = open_reader(settings)
    assert reader is not None
    reader.taken("predictions", LOOP, reader.head())
    for _ in range(40):
        await asyncio.sleep(0.1)
        if pruned := reader.pruned_through("predictions", LOOP):
            break
    await asyncio.sleep(0.3)
    found = await inbox.find("feedback", LOOP, "f0")
    reader.close()
    await inbox.close()
    return found, pruned


def test_a_row_that_is_not_taken_outlives_a_restart_and_pruning(tmp_path):
    with small_segments(SEGMENT):
        found, _ = asyncio.run(restart_between_segments(tmp_path))
    assert found == b"{}"


@pytest.mark.parametrize("taken", [0, 5])
def test_rows_are_pruned_only_when_all_streams_are_taken(tmp_path, taken):
    async def run() -> int:
        settings = Settings(home=tmp_path, inbox_url=None, inbox_free_mb=0, inbox_keep_days=0)
        inbox = await open_inbox(settings)
        await inbox.append([*entries("predictions", "p", 4), *entries("feedback", "f", 30)])
        await inbox.close()
        reader = open_reader(settings)
        assert reader is not None
        reader.taken("feedback", LOOP, 34)
        reader.taken("predictions", LOOP, taken)
        pruned = reader.pruned_through("feedback", LOOP)
        reader.close()
        return pruned

    with small_segments(SEGMENT):
        assert (asyncio.run(run()) > 0) == bool(taken)
