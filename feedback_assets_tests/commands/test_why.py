"""The auditors' commands: every form, and errors that say what to do."""

import json

import pytest
import typer
from typer.testing import CliRunner

from feedback_assets.commands import bundle, reproduce, why
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets_tests.audit.scenes import past


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory):
    return past(tmp_path_factory.mktemp("asked"), False)


@pytest.fixture
def run(space, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(space.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(space.settings.configs))
    monkeypatch.setenv("COLUMNS", "160")
    app = typer.Typer()
    for commands in (why, reproduce, bundle):
        commands.register(app)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_why_speaks_of_the_champion(run):
    told = run("why", "tiny")
    assert told.exit_code == 0, told.output
    for words in ("v3 has served since", "What did it beat?", "What was refused before it?"):
        assert words in told.output


def test_json_is_json_and_nothing_else(run):
    assert json.loads(run("why", "tiny", "--json").output)["version"] == "3"
    assert json.loads(run("why-not", "tiny", "2", "--json").output)["standing"] == "refused"


def test_a_page_is_written_to_its_file(run, tmp_path):
    page = tmp_path / "pages" / "why.html"
    told = run("why", "tiny", "3", "--html", str(page))
    assert told.exit_code == 0, told.output
    assert str(page) in told.output.replace("\n", "")
    assert "v3 has served since" in page.read_text("utf-8")
    both = run("why-not", "tiny", "2", "--html", str(page), "--json")
    assert '"standing": "refused"' in both.output
    assert "v2 was refused" in page.read_text("utf-8")


def test_a_card_is_written_for_the_champion(run, space):
    told = run("card", "tiny")
    assert told.exit_code == 0, told.output
    assert (space.reports / "cards" / "version-3.md").is_file()
    assert (space.reports / "cards" / "version-3.html").is_file()


def test_a_bundle_is_written(run, space, tmp_path):
    told = run("bundle", "tiny", "--quarter", "2024Q1", "--file", str(tmp_path / "q1.zip"))
    assert told.exit_code == 0, told.output
    assert "sha256" in told.output
    assert (tmp_path / "q1.zip").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["why", "tiny", "9"], "no version 9"),
        (["why", "large"], "no loop 'large'"),
        (["lineage", "tiny"], "say one of"),
        (["lineage", "tiny", "x", "--row", "y"], "say one of"),
        (["bundle", "tiny", "--from", "2024-01-01"], "say the period"),
        (["reproduce", "tiny", "9"], "no version 9"),
    ],
)
def test_errors_say_what_to_do(run, arguments, words):
    told = run(*arguments)
    assert isinstance(told.exception, FeedbackAssetsError)
    assert words in str(told.exception)
