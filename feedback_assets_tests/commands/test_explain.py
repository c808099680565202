"""`explain-trigger`: every condition with its value, its threshold and what is missing."""

import doctest
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from feedback_assets.commands import explain
from feedback_assets.errors import ConfigError
from feedback_assets.instance import open_instance
from feedback_assets.policy.explained import Explained
from feedback_assets_tests.sensors import scenes
from feedback_assets_tests.worlds import World

POLICY = {
    "when": {
        "any": [
            {"all": [{"drift": {"columns": 2}}, {"coverage": 0.5}]},
            {"realised_loss": {"worse_by": 0.1}},
            {"every_days": 14},
        ]
    },
    "budget_per_month": 3,
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A loop whose state is on disk, where a command finds it."""
    for name in ("DAGSTER_HOME", "DO_NOT_TRACK", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")  # so that what the command sets is taken back
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(tmp_path / "configs"))
    monkeypatch.setenv("COLUMNS", "250")
    world = World(tmp_path, trigger=POLICY)
    with open_instance(world.settings) as instance:
        yield World(tmp_path, instance=instance, trigger=POLICY)


def explained(loop: str = "tiny") -> str:
    app = typer.Typer()
    explain.register(app)
    app.command(name="other")(lambda: None)  # of one command alone Typer takes no name
    result = CliRunner().invoke(app, ["explain-trigger", loop])
    if result.exception:
        raise result.exception
    assert result.exit_code == 0
    return result.output


def row(output: str, name: str) -> list[str]:
    """The cells of a condition's row."""
    (line,) = (
        line
        for line in output.splitlines()
        if line.startswith("│") and line.split("│")[1].strip() == name
    )
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_each_condition_has_value_threshold_and_what_is_missing(world: World) -> None:
    scenes.pretend_model(world, 1, "2024-01-07")
    scenes.decide(world, "retrain", 1, "2024-01-07")
    scenes.decide(world, "promote", 1, "2024-01-07")
    scenes.judge(world, "2024-01-09", "drift", columns=1)
    output = explained()
    assert row(output, "drift")[1:4] == ["no", "1", "2"]
    assert row(output, "drift")[5] == "a day with 2 drifted columns"
    assert row(output, "coverage")[1:4] == ["not known", "", "0.5"]
    assert row(output, "realised loss")[1] == "not known"
    assert row(output, "schedule")[1] == "yes"
    assert row(output, "budget")[1:4] == ["yes", "0", "3"]
    assert row(output, "least news")[1:6] == [
        "no", "0", "40", "0 of at least 40 new labels", "40 labels",
    ]  # fmt: skip
    assert "Waits: 0 of at least 40 new labels; 1 of 2 drifted columns" in output


def test_it_says_what_the_sensor_says(world: World) -> None:
    assert f"Waits: {world.tick('retrain').skip_message}" in explained()


def test_an_unknown_loop_names_those_that_there_are(world: World) -> None:
    with pytest.raises(ConfigError, match="there are: tiny"):
        explained("tinny")


def test_examples_in_docstrings_are_true() -> None:
    tried = doctest.testmod(explain)
    assert (tried.attempted > 0, tried.failed) == (True, 0)


def test_hostile_words_are_no_markup() -> None:
    hostile = Explained("drift", False, 1.0, 2.0, "[red]x[/]", "[link=http://evil]y[/link]")
    (cells,) = explain.rows(hostile)
    assert cells[4:] == (r"\[red]x\[/]", r"\[link=http://evil]y\[/link]")
