"""The drill really lets the champion before answer, times it, and leaves everything as it was."""

import datetime as dt
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_assets.assets import drill as drills
from feedback_assets.assets.drill import drill, drill_plan, last_drill
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import champion
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.rollback import undo
from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import ServingError
from feedback_assets.serving import hot
from feedback_assets.serving.engine import Engine
from feedback_assets.serving.manifest import read_manifest
from feedback_assets_tests.assets.reigns import BEGIN, promote, reign_of
from feedback_assets_tests.serving.shop import Shop
from feedback_assets_tests.worlds import World

NOW = BEGIN + dt.timedelta(days=30)
KILLED = """
import os, signal, sys, datetime as dt
from pathlib import Path
from feedback_assets.assets import drill
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.load import load_loop
from feedback_assets.settings import Settings

home, configs = map(Path, sys.argv[1:])
settings = Settings(home=home, configs=configs)
space = LoopSpace(load_loop(configs / "loops" / "shop.yaml", {}), settings)
drill.await_following = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
drill.drill(space, "person:ann", dt.datetime.now(dt.UTC))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path / "home")
    for version in (1, 2):
        made.train(version, seed=version)
    return made


@pytest.fixture
def space(shop: Shop) -> LoopSpace:
    """Version 2 serves, version 1 did before."""
    made = LoopSpace(shop.config, shop.settings)
    promote(made, 1)
    promote(made, 2)
    return made


@pytest.fixture
def engine(shop: Shop, space: LoopSpace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(hot, "POLL", 0.01)
    made = Engine(shop.config, shop.settings, lambda _: True)
    made.start()
    yield made
    made.close()


def serving(space: LoopSpace) -> tuple[int | None, int | None]:
    told = read_manifest(space.settings, space.name)
    return told.champion and told.champion.version, told.previous and told.previous.version


def test_both_swaps_are_done_timed_and_recorded_under_load(
    shop: Shop, space: LoopSpace, engine: Engine
) -> None:
    assert last_drill(space) is None
    generation = engine.state().generation
    ended, answered = threading.Event(), []

    def ask() -> None:
        while not ended.is_set():
            answered.extend(engine.answer([shop.row(0)], ["p"], ["p"]))

    thread = threading.Thread(target=ask)
    thread.start()
    told: list[str] = []
    done = drill(space, "person:ann", NOW, tell=told.append)
    ended.set()
    thread.join()
    order = [answer.model_version for answer in answered]
    assert [v for v, w in zip(order, ["", *order], strict=False) if v != w] == ["2", "1", "2"]
    assert serving(space) == (2, 1)
    assert done.details["generations"] == [generation + 1, generation + 2]
    assert (done.kind, done.version, done.previous_version) == ("drill", "1", "2")
    assert done.details["passed"]
    assert done.numbers["services"] == 1
    assert done.numbers["unanswered"] == 0
    assert 0 < done.numbers["answered"] <= len(answered)
    last = last_drill(space)
    assert last is not None
    assert 0 < last.seconds < 10
    assert 0 < last.back_seconds < 10
    assert (last.at, last.passed, last.services) == (NOW, True, 1)
    assert "1 service followed in" in last.told
    assert len(told) == 2
    champion_now = champion(space)
    assert champion_now is not None
    assert champion_now.version == 2  # a drill is no rollback
    assert decisions(space, "rollback") == []


def test_without_a_service_only_the_manifest_is_exchanged(space: LoopSpace) -> None:
    done = drill(space, "person:ann", NOW)
    assert "no service was up" in done.reason
    assert done.details["passed"]
    assert serving(space) == (2, 1)


def test_a_service_that_does_not_follow_fails_the_drill(
    space: LoopSpace, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._hot, "_follow", lambda *_: False)
    done = drill(space, "person:ann", NOW, wait=0.1)
    assert not done.details["passed"]
    assert len(done.details["late"]) == 1
    assert "did not follow" in done.reason
    last = last_drill(space)
    assert last is not None
    assert not last.passed
    assert serving(space) == (2, 1)


def test_who_never_answered_by_the_standby_did_not_take_part(
    space: LoopSpace, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else publishes at once: a service goes from the champion to the champion."""
    real = drills._publish_standby

    def overtaken(*given: object) -> int:
        seen = engine._hot._signature()
        with monkeypatch.context() as patch:  # the service does not look in between
            patch.setattr(engine._hot, "_signature", lambda: seen)
            time.sleep(0.05)
            generation = real(*given)  # type: ignore[arg-type]
            publish_models(space)
        return generation

    monkeypatch.setattr(drills, "_publish_standby", overtaken)
    done = drill(space, "person:ann", NOW)
    assert not done.details["passed"]
    assert serving(space) == (2, 1)


def test_an_interrupt_brings_the_champion_back(
    space: LoopSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def interrupted(*_: object) -> None:
        seen.append(serving(space))
        raise KeyboardInterrupt

    monkeypatch.setattr(drills, "await_following", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drill(space, "person:ann", NOW)
    assert seen[0] == (1, 2)
    assert serving(space) == (2, 1)
    assert decisions(space, "drill") == []


def test_what_a_killed_drill_left_is_put_right_by_the_next_publication(space: LoopSpace) -> None:
    where = [str(space.settings.home), str(space.settings.configs)]
    code = subprocess.run([sys.executable, "-c", KILLED, *where], check=False).returncode
    assert code == -signal.SIGKILL
    assert serving(space) == (1, 2)
    publish_models(space)
    assert serving(space) == (2, 1)
    assert drill(space, "person:ann", NOW).details["passed"]


def test_a_rollback_in_the_middle_stands(space: LoopSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    real = drills.await_following
    done: list[object] = []

    def rolled_back(*given: object) -> object:
        if not done:
            done.append(
                undo(space, to=None, reason="bad", actor="person:bob", cause="by hand", now=NOW)
            )
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(drills, "await_following", rolled_back)
    drill(space, "person:ann", NOW)
    assert serving(space) == (1, None)
    with pytest.raises(ServingError, match="version 1 is the first that serves"):
        drill(space, "person:ann", NOW)


def test_a_drill_that_cannot_be_done_is_told_before_anything_is_swapped(
    tmp_path: Path, space: LoopSpace
) -> None:
    other = World(tmp_path / "other").space
    with pytest.raises(ServingError, match="no champion yet"):
        drill_plan(other)
    reign_of(other, 1)
    with pytest.raises(ServingError, match="a drill needs a second promotion"):
        drill_plan(other)
    before = read_manifest(space.settings, space.name).generation
    assert drill_plan(space).standby.version == 1
    assert read_manifest(space.settings, space.name).generation == before
    (space.models / "1" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ServingError, match="not the registered file"):
        drill(space, "person:ann", NOW)
    assert serving(space)[0] == 2
