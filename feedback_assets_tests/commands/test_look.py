"""`feedback-assets compare`: the textbook figures of some days, largest first."""

import pytest
import typer
from typer.testing import CliRunner

from feedback_assets.commands import look
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets_tests.worlds import World

DAY = "2024-01-12"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("compared"))
    made.first_model()
    made.at("2024-01-20")
    made.predict(made.rows(DAY, n=200, shift=2.0, version="1"), "shifted")
    made.materialize(["prediction_log", "feedback_table"], [DAY])
    return made


def run(world: World, monkeypatch: pytest.MonkeyPatch, *arguments: str):
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(world.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(world.settings.configs))
    monkeypatch.setenv("COLUMNS", "120")
    app = typer.Typer()
    look.register(app)
    return CliRunner().invoke(app, list(arguments))


def test_the_column_that_moved_comes_first(world, monkeypatch):
    told = run(world, monkeypatch, "tiny", "--from", DAY)
    assert told.exit_code == 0, told.output
    lines = [line.split() for line in told.output.splitlines() if "%→" in line]
    assert lines[0][0] == "size"
    assert float(lines[0][2]) > 1 > float(lines[1][2])
    assert "200 rows from 2024-01-12" in told.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2025-01-01"], "no rows from 2025-01-01"),
        (["--from", DAY, "--column", "weight"], "weight: no feature of tiny"),
        (["--from", DAY, "--version", "7"], "no model version 7"),
    ],
)
def test_what_cannot_be_compared_is_said(world, monkeypatch, arguments, words):
    told = run(world, monkeypatch, "tiny", *arguments)
    assert isinstance(told.exception, FeedbackAssetsError)
    assert words in str(told.exception)
