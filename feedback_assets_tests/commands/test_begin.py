import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from feedback_assets.commands import begin, checkup
from feedback_assets.commands.checkup import Finding
from feedback_assets.config.load import load_loop
from feedback_assets.errors import ConfigError
from feedback_assets.settings import Settings
from feedback_assets.simulation.synthetic import energy_history


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(tmp_path / "configs"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def history(place):
    return energy_history(place / "history.parquet", days=30, rows_per_day=150)


@pytest.fixture
def definitions(monkeypatch):
    """The definitions have their own tests; here only that what they say is passed on."""
    monkeypatch.setattr(checkup, "definitions_load", lambda settings: Finding("note", "d", "load"))


def run(*arguments):
    app = typer.Typer()
    begin.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def deliver(place, kind, frame, name="a"):
    folder = place / "var" / "sources" / "power" / kind
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / f"{name}.parquet", index=False)


def test_init_writes_a_file_that_loads_and_says_what_comes_next(place, history):
    result = run("init", history, "--loop", "power", "--owner", "a@b.org", "--segment", "region")
    assert result.exit_code == 0, result.output
    assert "feedback-assets check power" in result.output
    assert f"feedback-assets simulate power --data {history}" in result.output
    config = load_loop(place / "configs" / "loops" / "power.yaml", {})
    assert config.owners == ["a@b.org"]
    assert config.columns.segments == ["region"]
    assert (place / "configs" / "schema" / "loop.schema.json").is_file()


def test_init_never_writes_over_a_file_unless_told(place, history):
    run("init", history, "--loop", "power")
    path = place / "configs" / "loops" / "power.yaml"
    path.write_text("mine")
    result = run("init", history, "--loop", "power")
    assert isinstance(result.exception, ConfigError)
    assert path.read_text() == "mine"
    assert run("init", history, "--loop", "power", "--force").exit_code == 0
    assert path.read_text() != "mine"


def test_init_refuses_a_bad_name_and_writes_nothing(place, history):
    result = run("init", history, "--loop", "Power-1")
    assert "small letters, digits and underscores" in str(result.exception)
    assert not (place / "configs" / "loops").exists()


def test_schema_is_written_where_told(place):
    assert run("schema", place / "s.json").exit_code == 0
    assert '"title": "Config"' in (place / "s.json").read_text()


def test_check_notes_that_nothing_is_there_yet(place, history, definitions):
    run("init", history, "--loop", "power")
    result = run("check", "power")
    assert result.exit_code == 0, result.output
    assert "power predictions: nothing at" in result.output
    assert "yet" in result.output


def test_check_reads_good_data(place, history, definitions):
    run("init", history, "--loop", "power")
    frame = pd.read_parquet(history)
    deliver(place, "predictions", frame.drop(columns=["label", "label_time"]))
    deliver(place, "feedback", frame[["prediction_id", "label", "label_time"]].dropna())
    result = run("check", "power")
    assert result.exit_code == 0, result.output
    assert (
        "power predictions: 450 rows of 2024-01-28 to 2024-01-30: 450 good, 0 refused"
        in result.output
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: f.drop(columns="area"), "area"),
        (lambda f: f.assign(area="wide"), "area"),
        (lambda f: f.drop(columns="prediction_id"), "prediction_id"),
        (lambda f: f.assign(event_time="yesterday"), "event_time"),
    ],
)
def test_check_fails_on_bad_data(place, history, definitions, spoil, told):
    run("init", history, "--loop", "power")
    deliver(place, "predictions", spoil(pd.read_parquet(history)))
    result = run("check", "power")
    assert result.exit_code == 1
    assert "0 good, " in result.output
    assert told in result.output


def test_check_minds_empty_columns(place, history, definitions):
    run("init", history, "--loop", "power")
    deliver(place, "predictions", pd.read_parquet(history).assign(humidity=None))
    result = run("check", "power")
    assert "always empty: humidity" in result.output
    assert result.exit_code == 0


def test_check_lists_every_problem_of_a_broken_file_and_goes_on(place, history, definitions):
    run("init", history, "--loop", "power")
    path = place / "configs" / "loops" / "broken.yaml"
    path.write_text("name: broken\nttile: x\n")
    result = run("check")
    assert result.exit_code == 1
    assert f"{path}:2:1: ttile: unknown field; did you mean title?" in result.output
    assert "power predictions" in result.output


def test_check_of_an_unknown_loop_names_the_nearest(place, history):
    run("init", history, "--loop", "power")
    assert "did you mean power?" in str(run("check", "powr").exception)


def test_check_finds_overrides_of_no_loop(place, history, definitions, monkeypatch):
    run("init", history, "--loop", "power")
    monkeypatch.setenv("FEEDBACK_ASSETS__POWR__DRIFT__ALPHA", "0.1")
    result = run("check")
    assert result.exit_code == 1
    assert (
        "FEEDBACK_ASSETS__POWR__DRIFT__ALPHA: there is no loop powr; did you mean" in result.output
    )


def test_definitions_are_loaded(place, history):
    run("init", history, "--loop", "power")
    finding = checkup.definitions_load(Settings())
    assert (finding.level, "load with" in finding.text) == ("note", True), finding.text
