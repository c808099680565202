"""kill -9 in the middle of materializing partitions: old rows or new ones, and the rerun heals."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import digest_of
from feedback_assets_tests.chaos import work
from feedback_assets_tests.chaos.processes import Running, kill_at_random
from feedback_assets_tests.worlds import World

DAYS = 4
KEYS = World.days("2024-01-01", DAYS + 2)
NOW = "2024-01-20"
TABLES = (*work.LOG, "prediction_log_quarantine", "feedback_events_quarantine")


def with_bad_row(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, the first beyond its allowed range: something for the quarantine."""
    return frame.assign(size=[1000.0, *frame["size"].iloc[1:]])


def deliver(world: World) -> None:
    for day in World.days("2024-01-01", DAYS):
        rows = world.rows(day, n=60)
        world.predict(with_bad_row(rows), f"p-{day}")
        world.feed(rows.iloc[:30], f"f-{day}")


def deliver_more(world: World) -> None:
    """Rows, labels and faults that change every partition there is."""
    for day in World.days("2024-01-01", DAYS):
        world.predict(with_bad_row(world.rows(day, n=30, seed=1)), f"q-{day}")
        world.feed(world.rows(day, n=60).iloc[30:], f"g-{day}")


def rows_are_as_told(world: World, name: str) -> bool:
    """Whether each partition's digest is that of the rows that are really there."""
    table = world.space.table(name)
    snapshot = table.snapshot()
    with connect(world.settings) as con:
        return all(
            digest_of(con, snapshot.relation([key]), table.key) == info.digest
            for key, info in snapshot.partitions().items()
        )


@dataclass(frozen=True)
class Case:
    """A home before a run, the digests before and after it, and how long the run takes."""

    template: Path
    root: Path
    before: work.Digests
    after: work.Digests
    seconds: float

    @property
    def world(self) -> World:
        return World(self.root)

    def run(self) -> Running:
        return Running(work.materialize, self.root, NOW, {}, work.LOG, KEYS)

    def run_anew(self) -> Running:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.template, self.root)
        return self.run()


@pytest.fixture(scope="module", params=["first", "again"])
def case(request, tmp_path_factory) -> Case:
    """A first run on new files, or one that changes all that an earlier one has written."""
    base = tmp_path_factory.mktemp(request.param)
    case = Case(base / "template", base / "root", {}, {}, 0.0)
    deliver(case.world)
    if request.param == "again":
        case.run().result()
        deliver_more(case.world)
    before = work.digests(case.world, TABLES)
    shutil.copytree(case.root, case.template)
    run = case.run()
    run.result()
    after = work.digests(case.world, TABLES)
    assert all(before[name] != after[name] for name in work.LOG)
    return Case(case.template, case.root, before, after, run.seconds)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(2, id="short"),
        pytest.param(25, id="long", marks=[pytest.mark.chaos, pytest.mark.slow]),
    ],
)
def test_a_killed_run_leaves_old_rows_or_new_ones_and_the_next_heals(case, kills, record_property):
    reached = []

    def judge() -> float:
        found = work.digests(case.world, TABLES)
        for name in TABLES:
            assert found[name] in (case.before[name], case.after[name])
            assert rows_are_as_told(case.world, name)
        reached.append(sum(found[name] == case.after[name] for name in TABLES))
        healing = case.run()
        healing.result()
        assert work.digests(case.world, TABLES) == case.after
        assert all(rows_are_as_told(case.world, name) for name in TABLES)
        return healing.seconds

    kill_at_random(kills, case.run_anew, case.seconds, judge)
    record_property("tables already new at each kill", reached)
    assert len(reached) == kills
