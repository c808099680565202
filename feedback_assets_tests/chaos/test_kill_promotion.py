"""kill -9 in the middle of training and promotion: decided once, and the rerun heals."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion, versions
from feedback_assets.assets.space import CAUSE_TAG
from feedback_assets.instance import open_instance
from feedback_assets.promotion.decisions import Decision
from feedback_assets.training.registry import aliases
from feedback_assets_tests.chaos import work
from feedback_assets_tests.chaos.processes import Running, kill_at_random
from feedback_assets_tests.worlds import World

NOW = "2024-02-01"
WRITES_LATE = 4.0
"""A training computes first: what it leaves behind is written in its last sixth."""
CHANGES: dict[str, Any] = {"model": {"window_days": 14}}


def begin(root: Path) -> Callable[[], None]:
    """A champion trained on two weeks, then two weeks in which the truth has turned."""
    world = World(root, **CHANGES)
    world.instance = open_instance(world.settings)

    def run() -> None:
        world.ready_mlflow()
        world.live("2024-01-01", 14)
        world.at("2024-01-18")
        world.materialize([*work.LOG, "labeled_pool"], World.days("2024-01-01", 17))
        world.materialize(work.MODEL, **{CAUSE_TAG: "first model"})
        for day in World.days("2024-01-15", 14):
            rows = world.rows(day)
            world.predict(rows, f"p-{day}")
            world.feed(rows.assign(truth=1 - rows["truth"]), f"f-{day}")
        world.at(NOW)
        world.materialize([*work.LOG, "labeled_pool"], World.days("2024-01-15", 17))

    return run


def registry(root: Path) -> Callable[[], dict[str, Any]]:
    """What MLflow says: aliases, and version to training digest."""
    import mlflow

    world = World(root, **CHANGES)
    name, uri = world.space.name, world.settings.mlflow_uri

    def run() -> dict[str, Any]:
        said = aliases(world.settings, name)
        found = mlflow.MlflowClient(uri, uri).search_model_versions(f"name='{name}'")
        return {"aliases": said, "versions": {v.version: v.tags["training_digest"] for v in found}}

    return run


def decided_once(ledger: list[Decision]) -> bool:
    """Whether no version was judged twice, and none trained twice for one cause."""
    judged = [d.version for d in ledger if d.kind in ("promote", "refuse")]
    trained = [(d.cause, d.evidence["training_digest"]) for d in ledger if d.kind == "retrain"]
    return len(set(judged)) == len(judged) and len(set(trained)) == len(trained)


@dataclass(frozen=True)
class Case:
    """A home with a champion and a pool from which a better model comes."""

    template: Path
    root: Path
    seconds: float

    @property
    def world(self) -> World:
        return World(self.root, **CHANGES)

    def run(self) -> Running:
        tags = {CAUSE_TAG: "drift"}
        return Running(work.materialize, self.root, NOW, CHANGES, work.MODEL, (), tags)

    def run_anew(self) -> Running:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.template, self.root)
        return self.run()

    def check_killed(self) -> str:
        """Nothing is wrong; returns how far the run had come."""
        space = self.world.space
        ledger = decisions(space)
        assert decided_once(ledger)
        assert [d.version for d in ledger if d.kind == "promote"] in (["1"], ["1", "2"])
        serving = champion(space)
        assert serving is not None
        serving.load()
        told = Running(registry, self.root).result()
        assert told["aliases"]["champion"] in (1, serving.version)
        assert set(told["versions"]) in ({"1"}, {"1", "2"})
        kept = len(versions(space))
        return f"{len(told['versions'])} registered, {kept} kept, {len(ledger)} decided"

    def check_whole(self) -> None:
        """Everything is there once, and MLflow says what the ledger says."""
        space = self.world.space
        ledger = decisions(space)
        assert decided_once(ledger)
        assert [d.version for d in ledger if d.kind == "promote"] == ["1", "2"]
        assert sorted(str(d.version) for d in ledger if d.kind == "retrain") == ["1", "2"]
        kept = {str(m.version): m.manifest["training_digest"] for m in versions(space)}
        told = Running(registry, self.root).result()
        assert told == {"aliases": {"champion": 2, "candidate": 2, "previous": 1}, "versions": kept}
        assert all(folder.name.isdigit() for folder in space.models.iterdir())


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    base = tmp_path_factory.mktemp("model")
    case = Case(base / "template", base / "root", 0.0)
    Running(begin, case.root).result()
    shutil.copytree(case.root, case.template)
    run = case.run()
    run.result()
    case.check_whole()
    return Case(case.template, case.root, run.seconds)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(1, id="short"),
        pytest.param(50, id="long", marks=[pytest.mark.chaos, pytest.mark.slow]),
    ],
)
def test_a_killed_promotion_is_decided_once_and_the_next_run_heals(case, kills, record_property):
    reached = []

    def judge() -> float:
        reached.append(case.check_killed())
        healing = case.run()
        healing.result()
        case.check_whole()
        return healing.seconds

    kill_at_random(kills, case.run_anew, case.seconds, judge, late=WRITES_LATE)
    record_property("reached at each kill", {stage: reached.count(stage) for stage in set(reached)})
    assert len(reached) == kills
