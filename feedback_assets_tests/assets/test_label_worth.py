"""What people's answers say of the champion on all rows, and what a replay of its history teaches."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from feedback_assets.assets.answered_rows import answered, days_of
from feedback_assets.assets.label_advice import advice_metadata, advise, labelled_rows
from feedback_assets.assets.label_worth import (
    label_worth,
    worth_metadata,
    worth_report,
)
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.review_store import review_store
from feedback_assets.commands.labels import app
from feedback_assets.errors import TrainingError
from feedback_assets.review.records import Answer
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause
from feedback_assets_tests.worlds import START, World, moment

DAY, AGAIN = "2024-01-13", "2024-01-15"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Of 400 rows of a day 80 were asked about; people answered two of three."""
    world = World(
        tmp_path_factory.mktemp("worth"),
        review={"per_day": 80, "max_share": 0.25, "audit_share": 0.3, "double_share": 0.0},
        label={"max_delay_days": 6},
        contract={"min_label_share": 0},
        trigger={"when": {"new_labels": 100_000}},
    )
    world.first_model()
    rows = world.live(DAY, 1, n=400, labels=False, version="1")
    world.rows_of_day = rows
    truth = dict(zip(rows["prediction_id"], rows["truth"], strict=True))
    past = pd.concat([world.rows(day) for day in world.days(START, 8)])
    truth |= dict(zip(past["prediction_id"], past["truth"], strict=True))
    world.at("2024-01-14T06:00")
    assert all(run.success for run in world.ticker.settle())
    store, now = review_store(world.space), world.clock.now()
    for number in range(10_000):
        leased = store.next("ann", now, dt.timedelta(minutes=20))
        if leased is None:
            break
        task = leased.task
        skips = number % 3 == 2
        value = None if skips else str(truth[task.prediction_id])
        said = Answer(task.task_id, task.task_id, "ann", "skip" if skips else "label", value, now)
        assert store.answer(said, now) == "stored"
    world.at("2024-01-14T12:00")
    assert not [run.problem for run in world.ticker.settle() if not run.success]
    return world


def test_answers_have_the_chance_of_being_asked_and_answered(world: World) -> None:
    with connect(world.settings) as con:
        found = answered(world.space, con, serving(world), world.clock.now())
    queue = world.frame("review_queue").set_index("prediction_id")
    said = world.frame("annotations").query("said == 'label'")
    share = said["prediction_id"].nunique() / len(queue)
    assert 0.5 < share < 0.8
    expected = queue.loc[found["prediction_id"], "probability"].to_numpy() * share
    assert found["chance"].to_numpy() == pytest.approx(expected)


def test_answers_that_come_later_are_not_known(world: World) -> None:
    with connect(world.settings) as con:
        assert answered(world.space, con, serving(world), moment(DAY)).empty
        assert label_worth(world.space, con, moment(DAY)) == []
        assert worth_metadata(world.space, con, moment(DAY)) == {}
        assert worth_report(world.space, con, moment(DAY)) is None


def test_the_champions_accuracy_on_all_rows_lies_in_the_range(world: World) -> None:
    with connect(world.settings) as con:
        found = {w.metric: w for w in label_worth(world.space, con, world.clock.now())}
    rows = world.rows_of_day
    right = float(np.mean((rows["score"] >= 0.5) == (rows["truth"] == 1)))
    accuracy = found["accuracy"].powered
    assert accuracy.mean.low < right < accuracy.mean.high
    score = rows["score"].clip(1e-9, 1 - 1e-9)
    loss = float(-np.log(np.where(rows["truth"] == 1, score, 1 - score)).mean())
    assert found["log_loss"].powered.mean.low < loss < found["log_loss"].powered.mean.high
    assert accuracy.rows == 400
    assert found["accuracy"].model_version == "1"


def test_answers_to_every_strategy_count(world: World) -> None:
    with connect(world.settings) as con:
        found = label_worth(world.space, con, world.clock.now())
    said = world.frame("annotations").query("said == 'label'")
    assert set(said["strategy"]) > {"audit"}
    mine = said["prediction_id"].isin(world.rows_of_day["prediction_id"])
    assert {worth.powered.labels for worth in found} == {said["prediction_id"][mine].nunique()}


def test_a_question_that_the_audit_drew_once_more_is_one_question(world: World) -> None:
    with connect(world.settings) as con:
        before = answered(world.space, con, serving(world), world.clock.now())
        table = world.space.table("review_queue")
        queue = table.snapshot()
        once = f"SELECT * FROM {queue.relation()} WHERE strategy <> 'golden' LIMIT 30"
        again = f"SELECT * REPLACE ('{AGAIN}' AS partition_key, '{AGAIN}' AS batch, 'audit' AS strategy) FROM ({once})"
        table.replace(con, again, [AGAIN], Cause("run", "review_queue", {}))
        try:
            pd.testing.assert_frame_equal(
                answered(world.space, con, serving(world), world.clock.now()), before
            )
        finally:
            table.replace(con, f"{again} WHERE FALSE", [AGAIN], Cause("run", "review_queue", {}))


def test_only_days_since_the_promotion_are_read(world: World) -> None:
    source = world.space.table("feedback_table").snapshot()
    keys = days_of(world.space, source, serving(world))
    assert DAY in keys
    assert START not in keys


def test_metadata_and_page_say_the_same(world: World) -> None:
    with connect(world.settings) as con:
        metadata = worth_metadata(world.space, con, world.clock.now())
        report = worth_report(world.space, con, world.clock.now()) or []
    text = str(metadata["label_worth"].value)
    for row in report:
        assert row["words"] in text
        assert row["low"] <= row["value"] <= row["high"]


def test_the_command_tells_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said = command(world, monkeypatch, "worth", "tiny")
    assert "accuracy" in said
    assert "random ones would" in said.replace("\n", " ") or "labels gave" in said


def test_maturity_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert START in command(world, monkeypatch, "maturity", "tiny")


def test_only_labels_that_may_judge_are_replayed(world: World) -> None:
    with connect(world.settings) as con:
        rows = labelled_rows(world.space, con)
    table = world.frame("feedback_table").set_index("prediction_id")
    sources = table.loc[rows["prediction_id"], "label_source"]
    assert "review" in set(table["label_source"].dropna())
    assert "review" not in set(sources.dropna())


def test_advice_is_kept_and_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert advice_metadata(world.space) == {}
    said = command(world, monkeypatch, "advise", "tiny", "--seeds", "2", "--budget", "80")
    assert "as configured" in said
    assert (world.space.reports / "labels" / "advice.html").exists()
    metadata = advice_metadata(world.space)
    assert "data:image/png" in str(metadata["learning_curves"].value)


def test_a_budget_that_history_does_not_allow_is_refused(world: World) -> None:
    with connect(world.settings) as con, pytest.raises(TrainingError, match="--budget 100000"):
        advise(world.space, con, budget=100_000)


def serving(world: World) -> ModelVersion:
    """The version in production."""
    found = champion(world.space)
    assert found is not None
    return found


def command(world: World, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What a command of `labels` prints, wide enough for its tables."""
    monkeypatch.setenv("FEEDBACK_ASSETS_HOME", str(world.settings.home))
    monkeypatch.setenv("FEEDBACK_ASSETS_CONFIGS", str(world.settings.configs))
    monkeypatch.setenv("COLUMNS", "220")
    found = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output
