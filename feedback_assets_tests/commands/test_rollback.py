"""`rollback` and `drill` as a person types them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from feedback_assets import cli
from feedback_assets.assets import stages
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.commands import drill, rollback
from feedback_assets.errors import ConfigError, FeedbackAssetsError, ServingError
from feedback_assets.serving.engine import Engine
from feedback_assets.serving.manifest import manifest_path, read_manifest
from feedback_assets_tests.assets.reigns import promote
from feedback_assets_tests.serving.shop import Shop

Ask = Callable[..., Result]
app = typer.Typer()
rollback.register(app)
drill.register(app)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path / "home")
    for version in (1, 2, 3):
        made.train(version, seed=version)
    return made


@pytest.fixture
def space(shop: Shop) -> LoopSpace:
    """Version 3 serves, 2 and 1 did before."""
    made = LoopSpace(shop.config, shop.settings)
    for version in (1, 2, 3):
        promote(made, version)
    return made


@pytest.fixture
def engine(shop: Shop, space: LoopSpace) -> Iterator[Engine]:
    """The service, looking as often as it really does."""
    made = Engine(shop.config, shop.settings, lambda _: True)
    made.start()
    yield made
    made.close()


@pytest.fixture
def ask(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Commands; MLflow is somebody else's test."""
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(shop.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(shop.settings.configs))
    monkeypatch.setenv("FEEDBACK_ASSETS_ACTOR", "ann")
    monkeypatch.setattr(stages, "project_stages", lambda *_: None)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_both_are_commands_of_the_command_line() -> None:
    assert {"rollback", "drill"} <= {command.name for command in cli.app.registered_commands}


def flat(result: Result) -> str:
    return " ".join(result.output.split())


def test_one_command_and_the_service_follows(space: LoopSpace, engine: Engine, ask: Ask) -> None:
    told = ask("rollback", "shop", "--reason", "customers complain")
    assert told.exit_code == 0, told.output
    assert "shop: version 2 serves, version 3 does not any more" in flat(told)
    found = re.search(r"follows after (\d+\.\d\d) s", flat(told))
    assert found is not None
    assert float(found[1]) <= 2.0
    held = engine.state().champion
    assert held is not None
    assert held.version == 2
    done, serving = decisions(space)[-2:]
    assert (done.kind, done.actor, done.reason) == ("rollback", "person:ann", "customers complain")
    assert (serving.kind, serving.details["for"]) == ("serving", done.decision_id)
    assert serving.numbers["seconds"] <= 2.0


def test_typed_twice_it_says_that_it_was_done(space: LoopSpace, ask: Ask) -> None:
    first = ask("rollback", "shop", "--reason", "bad")
    assert "no service is up" in flat(first)
    again = ask("rollback", "shop", "--reason", "worse")
    assert again.exit_code == 0
    assert "that was done at" in flat(again)
    assert "by person:ann (bad); to go further back, name the version with --to" in flat(again)
    assert len(decisions(space, "rollback")) == 1
    further = ask("rollback", "shop", "--to", "1", "--reason", "worse")
    assert "version 1 serves, version 2 does not any more" in flat(further)


def test_a_service_that_does_not_follow_is_named_and_ends_it_with_an_error(
    space: LoopSpace, engine: Engine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._hot, "_follow", _cannot)
    told = ask("rollback", "shop", "--reason", "bad")
    assert told.exit_code == 1
    assert "answers by generation 3 still: out of memory" in flat(told)
    assert decisions(space, "rollback")  # it is decided; a service that comes up follows
    assert decisions(space, "serving") == []


def _cannot(*_: object) -> bool:
    raise ServingError("out of memory")


def test_a_registry_that_is_down_is_told_and_is_no_error(
    space: LoopSpace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(stages, "project_stages", down)
    told = ask("rollback", "shop", "--reason", "bad")
    assert told.exit_code == 0
    assert "MLflow does not follow yet (ConnectionError: refused)" in flat(told)


def test_what_cannot_be_done_is_said_in_words(space: LoopSpace, ask: Ask) -> None:
    def error(*words: str) -> tuple[type[BaseException] | None, str]:
        told = ask(*words)
        return type(told.exception), str(told.exception)

    kind, words = error("rollback", "shop", "--to", "3", "--reason", "x")
    assert (kind, words) == (ServingError, "shop: version 3 serves already")
    assert error("rollback", "nowhere", "--reason", "x")[0] is ConfigError
    assert ask("rollback", "shop").exit_code == 2
    assert error("drill", "shop", "--last", "--dry-run")[0] is FeedbackAssetsError
    assert decisions(space, "rollback") == []


def test_a_drill_is_planned_done_and_remembered(space: LoopSpace, engine: Engine, ask: Ask) -> None:
    assert flat(ask("drill", "shop", "--last")) == "shop: no drill yet"
    before = read_manifest(space.settings, "shop").generation
    planned = flat(ask("drill", "shop", "--dry-run"))
    assert "version 2 would answer for a moment, then version 3 again" in planned
    assert "Would follow: " in planned
    assert read_manifest(space.settings, "shop").generation == before
    told = ask("drill", "shop")
    assert told.exit_code == 0, told.output
    assert "version 2 answered after" in flat(told)
    assert "version 3 answered again after" in flat(told)
    assert "0 were left unanswered" in flat(told)
    assert "passed: 1 service followed in" in flat(ask("drill", "shop", "--last"))


def test_a_drill_that_fails_ends_with_an_error(
    space: LoopSpace, engine: Engine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feedback_assets.assets import drill as drills

    monkeypatch.setattr(engine._hot, "_follow", _cannot)
    real = drills.await_following
    monkeypatch.setattr(drills, "await_following", lambda *given: real(*given[:3], 0.5))
    told = ask("drill", "shop")
    assert told.exit_code == 1
    assert "did not follow" in flat(told)
    assert "failed:" in flat(ask("drill", "shop", "--last"))
    champion = json.loads(manifest_path(space.settings, "shop").read_text())["champion"]
    assert champion["version"] == 3
