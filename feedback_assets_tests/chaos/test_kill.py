"""kill -9 in the middle of runs: no wrong row, no second promotion, and the rerun heals."""

import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion, versions
from feedback_assets.instance import open_instance
from feedback_assets.promotion.decisions import Decision
from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import digest_of
from feedback_assets.training.registry import aliases
from feedback_assets_tests.chaos import work
from feedback_assets_tests.chaos.processes import Running
from feedback_assets_tests.worlds import World

DAYS = 6
TABLES = (*work.LOG, "prediction_log_quarantine", "feedback_events_quarantine")
NOW = "2024-01-20"
LONG = [pytest.mark.chaos, pytest.mark.slow]
SOONER, LATER = 0.0, 1.1
"""Kills fall between these shares of the time that an uninterrupted run takes."""

Digests = dict[str, dict[str, str]]


def copied(template: Path, root: Path) -> Path:
    """A home like the template's; a home knows its own place, so it is always at `root`."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root)
    return root


def bad_row(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, the first beyond its allowed range: something for the quarantine."""
    return frame.assign(size=[1000.0, *frame["size"].iloc[1:]])


def begin_log(world: World, changed: bool) -> None:
    """Files of some days; `changed` adds rows, labels and faults to all of them."""
    for day in world.days("2024-01-01", DAYS):
        rows = world.rows(day, n=60)
        world.predict(bad_row(rows), f"p-{day}")
        world.feed(rows.iloc[:30], f"f-{day}")
        if changed:
            world.predict(bad_row(world.rows(day, n=30, seed=1)), f"q-{day}")
            world.feed(rows.iloc[30:], f"g-{day}")


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
class LogCase:
    """A home before a run, the digests before and after it, and how long the run takes."""

    template: Path
    root: Path
    before: Digests
    after: Digests
    seconds: float

    def run(self) -> Running:
        days = World.days(None, "2024-01-01", DAYS + 2)  # type: ignore[arg-type]
        return Running(work.materialize, self.root, NOW, {}, work.LOG, days)


@pytest.fixture(scope="module", params=["first", "again"])
def log_case(request, tmp_path_factory) -> LogCase:
    """A first run on new files, and a run that changes what an earlier one has written."""
    base = tmp_path_factory.mktemp(request.param)
    template, root = base / "template", base / "root"
    world = World(root)
    begin_log(world, changed=False)
    case = LogCase(template, root, {}, {}, 0.0)
    if request.param == "again":
        case.run().result()
        begin_log(world, changed=True)
    before = work.digests(world, TABLES)
    shutil.copytree(root, template)
    run = case.run()
    run.result()
    seconds = time.perf_counter() - run.began
    return LogCase(template, root, before, work.digests(world, TABLES), seconds)


@pytest.mark.parametrize(
    "kills", [pytest.param(2, id="short"), pytest.param(25, id="long", marks=LONG)]
)
def test_killed_ingestion_leaves_old_rows_or_new_ones_and_heals(log_case, kills, record_property):
    chance, killed, between = random.Random(kills), 0, 0
    for _ in range(kills):
        world = World(copied(log_case.template, log_case.root))
        killed += log_case.run().kill_after(log_case.seconds * chance.uniform(SOONER, LATER))
        found = work.digests(world, TABLES)
        between += log_case.before != found != log_case.after
        for name in TABLES:
            assert found[name] in (log_case.before[name], log_case.after[name])
            assert rows_are_as_told(world, name)
        log_case.run().result()
        assert work.digests(world, TABLES) == log_case.after
        assert all(rows_are_as_told(world, name) for name in TABLES)
    record_property("killed", killed)
    record_property("killed between two commits", between)
    assert killed


def begin_model(world: World) -> None:
    """A champion trained on two weeks, then a week in which the truth has turned."""
    world.instance = open_instance(world.settings)
    world.ready_mlflow()
    world.live("2024-01-01", 14)
    world.at("2024-01-18")
    days = world.days("2024-01-01", 17)
    world.materialize([*work.LOG, "labeled_pool"], days)
    world.materialize(work.MODEL, **{"feedback_assets/cause": "first model"})
    for day in world.days("2024-01-15", 14):
        rows = world.rows(day)
        world.predict(rows, f"p-{day}")
        world.feed(rows.assign(truth=1 - rows["truth"]), f"f-{day}")
    world.at(TRAINED_AT)
    world.materialize([*work.LOG, "labeled_pool"], world.days("2024-01-15", 17))


TRAINED_AT = "2024-02-01"
MODEL_CHANGES: dict[str, Any] = {"model": {"window_days": 14}}
CAUSE = {"feedback_assets/cause": "drift"}


@dataclass(frozen=True)
class ModelCase:
    """A home with a champion and a pool in which another model is better."""

    template: Path
    root: Path
    seconds: float

    def world(self) -> World:
        return World(self.root, **MODEL_CHANGES)

    def run(self) -> Running:
        return Running(
            train, self.root, CAUSE, ready=work.model_libraries
        )


def train(root: Path, tags: Mapping[str, str]) -> str:
    return work.materialize(root, TRAINED_AT, MODEL_CHANGES, work.MODEL, **tags)


@pytest.fixture(scope="module")
def model_case(tmp_path_factory) -> ModelCase:
    base = tmp_path_factory.mktemp("model")
    template, root = base / "template", base / "root"
    Running(begin, root).result()
    shutil.copytree(root, template)
    case = ModelCase(template, root, 0.0)
    run = case.run()
    run.result()
    seconds = time.perf_counter() - run.began
    promoted = champion(case.world().space)
    assert promoted is not None
    assert promoted.version == 2, "the second model is to be better than the first"
    return ModelCase(template, root, seconds)


def begin(root: Path) -> None:
    begin_model(World(root, **MODEL_CHANGES))


def told_once(found: list[Decision]) -> bool:
    """Whether no version was decided on twice, and none was trained twice for one cause."""
    judged = [d.version for d in found if d.kind in ("promote", "refuse")]
    trained = [(d.cause, d.evidence["training_digest"]) for d in found if d.kind == "retrain"]
    return len(set(judged)) == len(judged) and len(set(trained)) == len(trained)


def registered(world: World) -> dict[int, str]:
    """Version to training digest, as MLflow has them."""
    import mlflow

    client = mlflow.MlflowClient(world.settings.mlflow_uri, world.settings.mlflow_uri)
    found = client.search_model_versions(f"name='{world.space.name}'")
    return {int(v.version): v.tags["training_digest"] for v in found}


def mlflow_state(root: Path) -> dict[str, Any]:
    """What MLflow says; asked in a process of its own, which has no stale connection."""
    world = World(root, **MODEL_CHANGES)
    return {
        "aliases": aliases(world.settings, world.space.name),
        "registered": registered(world),
    }


def check_after_kill(case: ModelCase) -> str:
    """Assert that nothing is wrong after a kill; returns how far the run had come."""
    world = case.world()
    ledger = decisions(world.space)
    assert told_once(ledger)
    serving = champion(world.space)
    assert serving is not None
    serving.load()
    promoted = [int(d.version or 0) for d in ledger if d.kind == "promote"]
    assert promoted in ([1], [1, 2])
    told = Running(mlflow_state, case.root, ready=work.model_libraries).result()
    assert told["aliases"]["champion"] in (1, serving.version)
    assert set(told["registered"]) <= {"1", "2"}
    return f"{len(told['registered'])} registered, {len(versions(world.space))} kept, {len(ledger)} decided"


def check_healed(case: ModelCase) -> None:
    world = case.world()
    ledger = decisions(world.space)
    assert [(d.kind, d.version) for d in ledger if d.kind != "retrain"] == [
        ("promote", "1"),
        ("promote", "2"),
    ]
    assert sorted(str(d.version) for d in ledger if d.kind == "retrain") == ["1", "2"]
    kept = {m.version: m.manifest["training_digest"] for m in versions(world.space)}
    told = Running(mlflow_state, case.root, ready=work.model_libraries).result()
    assert told["aliases"] == {"champion": 2, "candidate": 2}
    assert {int(v): digest for v, digest in told["registered"].items()} == kept
    assert not [p for p in world.space.models.iterdir() if not p.name.isdigit()]


@pytest.mark.parametrize(
    "kills", [pytest.param(1, id="short"), pytest.param(50, id="long", marks=LONG)]
)
def test_killed_promotion_decides_once_and_heals(model_case, kills, record_property):
    chance, killed = random.Random(kills), 0
    stages = []
    for _ in range(kills):
        copied(model_case.template, model_case.root)
        killed += model_case.run().kill_after(model_case.seconds * chance.uniform(SOONER, LATER))
        stages.append(check_after_kill(model_case))
        model_case.run().result()
        check_healed(model_case)
    record_property("killed", killed)
    record_property("stages", sorted(set(stages)))
    assert killed
