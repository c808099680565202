"""Processes that backfill the same days while another takes in new files end as a serial run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_assets_tests.chaos import work
from feedback_assets_tests.chaos.processes import Running
from feedback_assets_tests.worlds import World

TABLES = (*work.LOG, "prediction_log_quarantine", "feedback_events_quarantine")
FIRST = "2024-01-01"


def begin(root: Path, days: list[str]) -> None:
    """The files that are there before anything runs."""
    world = World(root)
    for day in days:
        rows = world.rows(day)
        world.predict(rows.assign(size=[1000.0, *rows["size"].iloc[1:]]), f"p-{day}")
        world.feed(rows.iloc[:20], f"f-{day}")


def arrive(root: Path, day: str) -> None:
    """What comes in later: more predictions of a day, and more labels."""
    world = World(root)
    world.predict(world.rows(day, n=15, seed=1), f"late-p-{day}")
    world.feed(world.rows(day).iloc[20:], f"late-f-{day}")


def ingest(root: Path, days: list[str]) -> Callable[[], int]:
    """The work of taking in new files day by day, with the days that labels were received on."""
    world = work.shared_world(root)

    def run() -> int:
        failed = 0
        for day in days:
            arrive(root, day)
            failed += work.succeed(world, World.days(day, 3))
        return failed

    return run


def parts(keys: list[str], size: int) -> list[list[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]


@pytest.fixture(
    params=[
        pytest.param(3, id="short"),
        pytest.param(30, id="long", marks=[pytest.mark.chaos, pytest.mark.slow]),
    ]
)
def days(request) -> list[str]:
    """The days of predictions."""
    return World.days(FIRST, request.param)


def test_backfills_beside_ingestion_end_as_a_serial_run(tmp_path, days, record_property):
    keys = World.days(FIRST, len(days) + 3)
    serial, shared = tmp_path / "serial", tmp_path / "shared"
    begin(shared, days)
    shutil.copytree(shared, serial)
    for day in days:
        arrive(serial, day)
    Running(work.backfill, serial, [keys]).result()

    half = len(keys) // 2
    running = [
        Running(work.backfill, shared, parts(keys, 5)),
        Running(work.backfill, shared, parts(keys, 7)),
        Running(work.backfill, shared, [keys[half:], keys[:half]]),
        Running(ingest, shared, days),
    ]
    record_property("failed and repeated runs", [each.result() for each in running])

    expected = work.digests(World(serial), TABLES)
    found = work.digests(World(shared), TABLES)
    assert found == expected
    rows = World(shared).frame("feedback_table")
    assert len(rows) == len(days) * (40 - 1 + 15)
    assert rows["prediction_id"].is_unique
