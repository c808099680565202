"""Processes that backfill the same days while another takes in new files end as a serial run."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_assets.tables.connection import connect
from feedback_assets_tests.chaos import work
from feedback_assets_tests.chaos.processes import Running
from feedback_assets_tests.worlds import World

TABLES = (*work.LOG, "prediction_log_quarantine", "feedback_events_quarantine")
FIRST = "2024-01-01"
DONE = "ingested"
LATE = 15
LONGEST_STALL = 3.0


@dataclass(frozen=True)
class Load:
    """How much there is: days of predictions, and rows of each day at first."""

    count: int
    rows: int

    @property
    def days(self) -> list[str]:
        return World.days(FIRST, self.count)

    @property
    def keys(self) -> list[str]:
        """The days of predictions and those on which their labels are received."""
        return World.days(FIRST, self.count + 3)

    def begin(self, root: Path) -> None:
        """The files that are there before anything runs."""
        world = World(root)
        for day in self.days:
            rows = world.rows(day, n=self.rows)
            world.predict(rows.assign(size=[1000.0, *rows["size"].iloc[1:]]), f"p-{day}")
            world.feed(rows.iloc[: self.rows // 2], f"f-{day}")

    def arrive(self, root: Path, day: str) -> None:
        """What comes in later: more predictions of a day, and more labels."""
        world = World(root)
        world.predict(world.rows(day, n=LATE, seed=1), f"late-p-{day}")
        world.feed(world.rows(day, n=self.rows).iloc[self.rows // 2 :], f"late-f-{day}")


def ingest(root: Path, load: Load) -> Callable[[], int]:
    """The work of taking in new files day by day, with the days that labels were received on."""
    world = work.shared_world(root)

    def run() -> int:
        failed = 0
        for day in load.days:
            load.arrive(root, day)
            failed += work.succeed(world, World.days(day, 3))
        (root / DONE).touch()
        return failed

    return run


def parts(keys: list[str], size: int) -> list[list[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def never_backwards(world: World, name: str, what: str) -> bool:
    """Whether in no partition a count became less from one version to a later one."""
    table, most = world.space.table(name), dict[str, int]()
    with connect(world.settings) as con:
        for version in range(table.snapshot().version + 1):
            counted = (
                f"SELECT partition_key, COUNT({what}) FROM {table.snapshot(version).relation()}"
            )
            for key, count in con.execute(f"{counted} GROUP BY partition_key").fetchall():
                if count < most.get(key, 0):
                    return False
                most[key] = count
    return True


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(3, 40), id="short"),
        pytest.param(Load(30, 2_000), id="long", marks=[pytest.mark.chaos, pytest.mark.slow]),
    ],
)
def test_backfills_beside_ingestion_end_as_a_serial_run(tmp_path, load, record_property):
    serial, shared = tmp_path / "serial", tmp_path / "shared"
    load.begin(shared)
    shutil.copytree(shared, serial)
    for day in load.days:
        load.arrive(serial, day)
    Running(work.backfill, serial, [load.keys]).result()

    done, half = shared / DONE, len(load.keys) // 2
    backfills = [
        Running(work.backfill, shared, [load.keys], done),
        Running(work.backfill, shared, parts(load.keys, 7), done),
        Running(work.backfill, shared, [load.keys[half:], load.keys[:half]], done),
    ]
    ingestion = Running(ingest, shared, load)
    chance = random.Random(load.count)
    while ingestion.process.is_alive():
        chance.choice(backfills).stall(chance.uniform(0.2, LONGEST_STALL))
    failed = [each.result() for each in (*backfills, ingestion)]
    record_property("failed and repeated runs", failed)

    world = World(shared)
    assert work.digests(world, TABLES) == work.digests(World(serial), TABLES)
    assert never_backwards(world, "prediction_log", "*")
    assert never_backwards(world, "feedback_table", "label")
    rows = world.frame("feedback_table")
    assert len(rows) == load.count * (load.rows - 1 + LATE)
    assert rows["prediction_id"].is_unique
