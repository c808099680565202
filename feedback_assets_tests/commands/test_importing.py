import json

import pytest
import typer
from typer.testing import CliRunner

from feedback_assets.capture.importers.formats import FORMATS
from feedback_assets.capture.importers.landing import landed_files
from feedback_assets.commands import importing
from feedback_assets.errors import SourceError
from feedback_assets.settings import Settings

LOOP = """
name: late
title: Late
owners: [team:late]
kpi: {name: none}
source:
  predictions: {path: "{home}/predictions"}
  feedback: {path: "{home}/feedback"}
columns: {numeric: [distance], categorical: [carrier]}
label: {kind: binary}
partitions: {start: 2013-01-01}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(tmp_path / "configs"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "configs" / "loops").mkdir(parents=True)
    (tmp_path / "configs" / "loops" / "late.yaml").write_text(LOOP)
    (tmp_path / "logs").mkdir()
    return tmp_path


def run(*arguments):
    app = typer.Typer(rich_markup_mode="markdown")
    importing.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["import", *(str(argument) for argument in arguments)])


def event(name, kind, data):
    kind = f"org.kubeflow.serving.inference.{kind}"
    return json.dumps({"id": name, "type": kind, "time": "2013-02-01T08:00:00Z", "data": data})


def kserve(place):
    lines = [
        event("k-1", "request", {"instances": [[100, "UA"]]}),
        event("k-1", "response", {"predictions": [0.25]}),
        event("k-2", "request", {"instances": [[100, "UA"]]}),
        event("k-3", "nonsense", {}),
    ]
    path = place / "logs" / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_import_says_what_became_of_the_records(place):
    kserve(place)
    result = run("late", place / "logs", "--format", "kserve")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert "files 1 new or changed, of 1" in words
    assert "records 4 read" in words
    assert "landed 2 1 rows landed" in words
    assert "refused 1 1 rows for quarantine" in words
    assert "unpaired 1 now wait for their other half; 1 wait in all, the oldest since" in words
    assert "type must be org.kubeflow.serving.inference.request" in words
    assert "late/prediction_log_quarantine" in words
    assert len(landed_files(Settings(), "late", "predictions")) == 1
    again = " ".join(run("late", place / "logs", "-f", "kserve").output.split())
    assert "files 0 new or changed, of 1" in again


def test_a_dry_run_keeps_nothing(place):
    kserve(place)
    result = run("late", place / "logs" / "events.jsonl", "--format", "kserve", "--dry-run")
    assert "1 rows would be landed" in result.output
    assert "Nothing was kept" in result.output
    assert not (place / "var" / "landing").exists()


def test_columns_are_mapped(place):
    (place / "logs" / "labels.csv").write_text("id,outcome\np-1,1\np-2,0\n")
    names = ["--map", "id=prediction_id", "--map", "outcome=value"]
    result = run("late", place / "logs", "--format", "generic", "--kind", "feedback", *names)
    assert "landed 2 2 rows landed" in " ".join(result.output.split()), result.output


def test_help_lists_the_formats(place):
    words = " ".join(run("--help").output.split())
    for name, form in FORMATS.items():
        assert f"{name} ({', '.join(form.kinds)})" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "--format", "kserve"], "there is no file or folder"),
        (["logs", "--format", "kserve"], "no files in"),
        (["logs/a", "--format", "nope"], "there is no format nope; there are: generic"),
        (["logs/a", "--format", "generic", "--map", "score"], "--map score: write it THEIRS=OURS"),
        (["logs/a", "--format", "generic", "--map", "a=b"], "the column map names b"),
    ],
)
def test_errors_say_what_to_do(place, arguments, words):
    if arguments[0] == "logs/a":
        (place / "logs" / "a").write_text("{}\n")
    result = run("late", place / arguments[0], *arguments[1:])
    assert isinstance(result.exception, SourceError)
    assert words in str(result.exception)
