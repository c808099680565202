"""`feedback-assets review`: how far it is, files out and in, people."""

import csv
import datetime as dt
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from feedback_assets.assets.review_store import review_store
from feedback_assets.commands import review
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.review.store import ReviewStore
from feedback_assets_tests.review.questions import answer, task
from feedback_assets_tests.worlds import World


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReviewStore:
    world = World(tmp_path, review={"per_day": 10})
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(world.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(world.settings.configs))
    monkeypatch.setenv("COLUMNS", "120")
    made = review_store(world.space)
    now = dt.datetime.now(dt.UTC)
    made.put(
        task(number, asked_at=now, until=now + dt.timedelta(days=3), known="1" if number else None)
        for number in range(3)
    )
    return made


def run(*arguments: str) -> Result:
    app = typer.Typer()
    review.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["review", *arguments])


def test_status_tells_how_far_it_is(store: ReviewStore) -> None:
    store.answer(answer("t0", "ann"), dt.datetime.now(dt.UTC))
    told = run("status", "tiny")
    assert told.exit_code == 0, told.output
    assert "b1" in told.output
    assert "2 open (0 in somebody's hands, 0 in files or Label Studio), 1 done" in told.output
    assert "1 labels, 1 of them today" in told.output


def test_a_file_goes_out_and_comes_back(store: ReviewStore, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert "2 questions written to" in run("export", "tiny", str(path), "--limit", "2").output
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0]["label"], rows[1]["label"] = "1", "perhaps"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    told = run("import", "tiny", str(path), "--annotator", "ann")
    assert "1 answers taken, 0 known before, 0 rows" in told.output
    assert isinstance(told.exception, FeedbackAssetsError)
    assert "1 rows were refused" in str(told.exception)
    assert "1 questions are open to all again" in run("recall", "tiny").output
    assert [kept.answer.annotator for kept in store.answers()] == ["ann"]


def test_without_open_questions_no_file_is_written(store: ReviewStore, tmp_path: Path) -> None:
    run("export", "tiny", str(tmp_path / "all.csv"))
    assert "nothing is open" in run("export", "tiny", str(tmp_path / "none.csv")).output
    assert not (tmp_path / "none.csv").exists()


def test_people_are_told_with_what_is_known_of_them(store: ReviewStore) -> None:
    now = dt.datetime.now(dt.UTC)
    store.take([answer("t1", "ann"), answer("t2", "ann", "0"), answer("t0", "[/]", None)], now)
    lines = run("people", "tiny").output.splitlines()
    ann = next(line.split() for line in lines if "ann" in line.split())
    assert ann[:6] == ["ann", "2", "0", "2", "50%", "4.5"]
    odd = next(line.split() for line in lines if "[/]" in line.split())
    assert odd[:4] == ["[/]", "0", "1", "0"]


def test_sync_says_what_is_missing(store: ReviewStore) -> None:
    told = run("sync", "tiny")
    assert isinstance(told.exception, FeedbackAssetsError)
    assert "review.label_studio" in str(told.exception)
