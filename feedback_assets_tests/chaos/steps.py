"""The steps by which a model comes to serve and is taken back, and what a home says after them.

Everything here is done in processes of its own, begun by `forks`; answers go to a file.
"""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from feedback_assets.assets import promoted_model
from feedback_assets.assets.drill import drill
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion, predecessor
from feedback_assets.assets.rollback import roll_back
from feedback_assets.assets.space import CAUSE_TAG
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.inprocess import run_in_process
from feedback_assets.instance import open_instance
from feedback_assets.ledger.heads import last_head
from feedback_assets.ledger.verify import verify
from feedback_assets.sensors import requests
from feedback_assets.serving.counts import Counts
from feedback_assets.serving.hot import Hot
from feedback_assets.serving.manifest import read_manifest
from feedback_assets.serving.remote import Registry
from feedback_assets.serving.store import Store
from feedback_assets.training.registry import aliases
from feedback_assets_tests.chaos import libraries, work
from feedback_assets_tests.chaos.boundaries import FILLER, Boundaries, die, fill
from feedback_assets_tests.worlds import World

__all__ = ["libraries"]
FIRST, TURNED, BACK = 14, 14, 10
"""Days before the first model, days in which the truth has turned, and days after the promotion."""
ROUNDS = 3
CHANGES: dict[str, Any] = {
    "model": {"window_days": 14},
    "gate": {"latency": None, "size": None},
    "evaluation": {"latency_rows": 20, "max_rows": 100, "repeats": 1},
}


def world_of(root: Path, changes: dict[str, Any], now: str) -> World:
    """A scenario's world at a moment."""
    world = World(root, **{**CHANGES, **changes})
    world.at(now)
    return world


def first_candidate(world: World) -> None:
    """A pool of two weeks, and a model that nobody has judged."""
    world.ready_mlflow()
    world.live("2024-01-01", FIRST)
    world.at("2024-01-18")
    world.materialize([*work.LOG, "labeled_pool"], World.days("2024-01-01", FIRST + 3))
    world.materialize(["candidate_model"], **{CAUSE_TAG: "first model"})


def second_candidate(world: World) -> None:
    """The first model serves, the truth has turned, and a better candidate waits."""
    first_candidate(world)
    promote(world)
    turn(world, "2024-01-15", TURNED)
    world.at("2024-02-01")
    world.materialize([*work.LOG, "labeled_pool"], World.days("2024-01-15", TURNED + 3))
    world.materialize(["candidate_model"], **{CAUSE_TAG: "drift"})


def second_model(world: World) -> None:
    """The better candidate serves."""
    second_candidate(world)
    promote(world)


def second_model_turned_bad(world: World) -> None:
    """The truth is again what it was when the first model learned."""
    second_model(world)
    world.live("2024-02-01", BACK)
    world.at("2024-02-15")
    world.materialize(work.LOG, World.days("2024-02-01", BACK + 3))


def turn(world: World, first: str, days: int) -> None:
    """Live for some days in which everything is the other way round."""
    for day in World.days(first, days):
        rows = world.rows(day)
        world.predict(rows, f"p-{day}")
        world.feed(rows.assign(truth=1 - rows["truth"]), f"f-{day}")


def promote(world: World) -> None:
    """One run of the asset that judges, promotes, watches and takes back."""
    world.materialize(["promoted_model"], **{CAUSE_TAG: "drift"})


def tick(world: World) -> None:
    """The sensors of promotion and rollout, until they ask for nothing more."""
    daemon = Daemon(world)
    for sensor in ("promotion", "rollout") * ROUNDS:
        daemon.tick(sensor)


class Daemon:
    """What Dagster's daemon remembers through a crash: which runs it was asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._notes = world.settings.root / "dagster" / "asked.json"
        requests.RETRY_AFTER = dt.timedelta(0)  # nobody waits here
        world.instance = open_instance(world.settings)
        for run in world.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            world.instance.report_run_failed(run, "its process is gone")  # as run monitoring does

    def tick(self, sensor: str) -> None:
        """Evaluate a sensor; a run that it has not asked for before is noted, then executed."""
        world = self._world
        asked = json.loads(self._notes.read_text("utf-8")) if self._notes.exists() else []
        for request in world.tick(sensor).run_requests or ():
            if request.run_key not in asked:
                asked.append(request.run_key)
                self._notes.write_text(json.dumps(asked), "utf-8")
                tags = {**request.tags, RUN_KEY_TAG: str(request.run_key)}
                run_in_process(world.job, world.instance, list(request.asset_selection or ()), tags)


def take_back(world: World) -> None:
    """A person rolls back by hand."""
    roll_back(
        world.space, to=None, reason="it is wrong", actor="person:ann", cause="by hand",
        now=world.clock.now(),
    )  # fmt: skip


def practise(world: World) -> None:
    """A drill."""
    drill(world.space, "person:ann", world.clock.now(), wait=0.1)


BEGINNINGS: dict[str, Callable[[World], None]] = {
    begin.__name__: begin
    for begin in (first_candidate, second_candidate, second_model, second_model_turned_bad)
}
STEPS: dict[str, Callable[[World], None]] = {
    step.__name__: step for step in (promote, tick, take_back, practise)
}


MUTANTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "the manifest is left as it was": ((promoted_model, "publish_models"),),
    "the table is left as it was": ((promoted_model, "project"),),
    "the registry is left as it was": ((promoted_model, "bring_in_line"),),
}
"""What each forgets to do again."""


def copy(source: str, target: str) -> None:
    """Replace one folder by a copy of another."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def begin(root: str, changes: dict[str, Any], beginning: str) -> None:
    """Make the home that a step begins with."""
    world = world_of(Path(root), changes, "2024-01-01")
    BEGINNINGS[beginning](world)


def step(
    root: str,
    changes: dict[str, Any],
    now: str,
    name: str,
    fault: str,
    at: int,
    mutant: str,
    told: str,
) -> None:
    """Take a step, in the code as it is or in a mutant of it; at one of its boundaries a fault comes.

    Writes the names of the boundaries, and what the home says then.
    """
    world = world_of(Path(root), changes, now)
    assert world.job
    home = world.settings.root
    for module, forgets in MUTANTS.get(mutant, ()):
        setattr(module, forgets, lambda *_, **__: None)
    if fault == "no MLflow":
        lose(world.settings.mlflow)
    boundaries = Boundaries(home, at, die if fault == "kill" else lambda: fill(home))
    boundaries.arm()
    STEPS[name](world)
    crossed = list(boundaries.seen)
    Path(told).write_text(json.dumps({"boundaries": crossed, **said(world)}), "utf-8")


def look(root: str, changes: dict[str, Any], now: str, told: str) -> None:
    """Write down what the home says."""
    (Path(root) / "home" / FILLER).unlink(missing_ok=True)
    world = world_of(Path(root), changes, now)
    find(world.settings.mlflow)
    Path(told).write_text(json.dumps(said(world)), "utf-8")


def said(world: World) -> dict[str, Any]:
    """What the ledger, its table, the manifest, a service and MLflow say."""
    space = world.space
    serving, before = champion(space), predecessor(space)
    known = decisions(space)
    ids = {d.decision_id for d in known}
    signed = last_head(world.settings, space.name)
    return {
        "decisions": [[d.kind, d.version, d.previous_version] for d in known],
        "ids": len(ids),
        "in table": ids == set(space.table("decisions").snapshot().partitions()),
        "signed": signed is not None and signed.size == len(known),
        "problems": [problem.message for problem in verify(world.settings, space.name).problems],
        "champion": serving and serving.version,
        "predecessor": before and before.version,
        "manifest": manifest_of(world),
        "serves": serves(world),
        "aliases": aliases(world.settings, space.name),
    }


def lose(folder: Path) -> None:
    """Put a file in the place of a folder: nothing can be read or made there."""
    folder.rename(folder.with_suffix(".away"))
    folder.touch()


def find(folder: Path) -> None:
    """Undo `lose`, if that was done."""
    if folder.is_file():
        folder.unlink()
        folder.with_suffix(".away").rename(folder)


def manifest_of(world: World) -> dict[str, int | None] | str:
    """The versions that the manifest names, or what is wrong with it."""
    try:
        found = read_manifest(world.settings, world.space.name)
    except FeedbackAssetsError as error:
        return str(error)
    roles = ("champion", "previous", "challenger")
    return {role: (model := getattr(found, role)) and model.version for role in roles}


def serves(world: World) -> int | None:
    """The version with which a service that begins now answers."""
    config, settings = world.config, world.settings
    kept = settings.serving / config.name
    hot = Hot(config, settings, Store(settings, config.name, Registry(settings)), Counts())
    hot.start()
    hot.close()
    # What it keeps for bad days must not help the next one that begins.
    shutil.rmtree(kept / "blobs", ignore_errors=True)
    (kept / "loaded.json").unlink(missing_ok=True)
    model = hot.lineup.champion
    return int(model.version) if model else None
