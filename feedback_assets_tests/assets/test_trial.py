"""What a look at two models says, and who is tried at all."""

import datetime as dt
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets.models import ModelVersion, model_version
from feedback_assets.assets.trial import (
    Trial,
    evidence_of,
    open_trials,
    rows_per_day,
    thinned,
    usual_loss,
)
from feedback_assets.assets.trial_rows import TrialRows
from feedback_assets_tests.assets.trials import (
    NOW,
    STAGE_BEGAN,
    VALUES,
    decide,
    into_stage,
    look_at,
    other_config,
    rows_of,
    trial,
    turned_world,
)
from feedback_assets_tests.worlds import World, moment


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return turned_world(tmp_path_factory.mktemp("turned"))


def test_nobody_is_tried_before_a_stage_begins(world: World) -> None:
    assert open_trials(world.space, moment(NOW)) == ()


def test_a_clearly_better_challenger_may_be_promoted(world: World) -> None:
    found = look_at(world, trial(world))
    assert (found.labels, found.predictions) == (400, 400)
    assert found.paired.gain > 0.3
    assert found.verdict.outcome == "promote"
    assert found.service is None
    assert found.inputs["feedback_table"] == world.space.table("feedback_table").snapshot().version


def test_a_clearly_worse_new_champion_is_rolled_back(world: World) -> None:
    one, two = (model_version(world.space, version) for version in (1, 2))
    watch = trial(world, kind="watch", champion=two, challenger=one, stage="watch")
    found = look_at(world, watch)
    assert found.paired.gain < -0.3
    assert found.verdict.outcome == "rollback"


def test_a_model_against_itself_is_not_decided(world: World) -> None:
    one = model_version(world.space, 1)
    found = look_at(world, trial(world, challenger=one))
    assert found.paired.gain == 0
    assert found.verdict.outcome == "wait"


def test_without_labels_one_waits(world: World) -> None:
    found = look_at(world, trial(world, held_out=False), "2024-01-25")
    assert (found.labels, found.verdict.outcome) == (0, "wait")
    assert found.predictions > 0
    assert found.kpi is not None
    assert math.isfinite(found.kpi.challenger.estimated.value)
    assert math.isnan(found.kpi.challenger.realised.value)
    before = look_at(world, trial(world, held_out=False), STAGE_BEGAN)
    assert (before.predictions, before.labels, before.verdict.outcome) == (0, 0, "wait")


def test_the_kpi_is_what_the_answers_would_have_been_worth(world: World) -> None:
    found = look_at(world, trial(world))
    frame = rows_of(world, trial(world)).counted
    worth = pd.Series(VALUES["1"]).rename(index=int), pd.Series(VALUES["0"]).rename(index=int)
    expected = {
        side: np.mean(
            [worth[0].get(p, 0.0) if y == 1 else worth[1].get(p, 0.0)
             for y, p in zip(frame["label"], frame[f"{side}_prediction"], strict=True)]
        )
        for side in ("champion", "challenger")
    }  # fmt: skip
    assert found.kpi is not None
    assert found.kpi.champion.realised.value == pytest.approx(expected["champion"])
    assert found.kpi.challenger.realised.value == pytest.approx(expected["challenger"])
    gain = found.kpi.gain
    assert gain.value == pytest.approx(expected["challenger"] - expected["champion"])
    assert gain.low < gain.value < gain.high
    assert (found.kpi.unit, found.kpi.labels, found.kpi.maturity) == ("EUR", 400, 1.0)


def test_an_sql_kpi_may_speak_of_any_column(world: World) -> None:
    by_sql = other_config(
        world,
        "kpi",
        values={},
        expression="CASE WHEN prediction = label THEN 1 ELSE 0 END + 0*size",
    )
    found = look_at(by_sql, trial(world))
    frame = rows_of(world, trial(world)).counted
    right = (frame["label"] == frame["challenger_prediction"]).mean()
    assert found.kpi is not None
    assert found.kpi.challenger.realised.value == pytest.approx(right)
    assert look_at(other_config(world, "kpi", values={}), trial(world)).kpi is None


def test_a_record_is_small_and_plain(world: World) -> None:
    told = look_at(world, trial(world)).to_dict()
    text = json.dumps(told, allow_nan=False)
    assert len(text) < 20_000
    assert told["trial"] == "trial-2-against-1"
    assert told["verdict"]["outcome"] == "promote"
    assert told["paired"]["points"][-1]["labels"] == 400


def test_a_thinned_path_keeps_both_ends() -> None:
    path = [{"labels": n} for n in range(1, 201)]
    kept = [point["labels"] for point in thinned({"points": path})["points"]]
    assert kept[0] == 1
    assert kept[-1] == 200
    assert len(kept) <= 41
    assert thinned({"points": []})["points"] == []


CLASSES = ["cat", "dog", "a fox's"]


def kept_version(folder: Path, version: int, **files: pd.DataFrame) -> ModelVersion:
    """A version's folder with what a trial asks of it."""
    folder.mkdir()
    for name, frame in files.items():
        frame.to_parquet(folder / f"{name}.parquet")
    manifest = {"metrics": {"accuracy": 0.7, "log_loss": None, "brier": 0.3}}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return ModelVersion(version, folder)


def test_several_classes_are_paired_by_their_probabilities(world: World, tmp_path: Path) -> None:
    label = world.config.label.model_copy(update={"kind": "multiclass", "classes": CLASSES})
    config = world.config.model_copy(update={"label": label})
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 300)
    sharp = np.full((300, 3), 0.1)
    sharp[np.arange(300), truth] = 0.8
    said = {"champion": np.full((300, 3), 1 / 3), "challenger": sharp}
    frame = pd.DataFrame(
        {
            "label": np.array(CLASSES, dtype=object)[truth],
            "event_time": pd.date_range(STAGE_BEGAN, periods=300, freq="h", tz="UTC"),
            **{f"{side}_score": scores.max(axis=1) for side, scores in said.items()},
            **{f"{side}_prediction": CLASSES[0] for side in said},
            **{f"{side}_score_{name}": scores[:, k]
               for side, scores in said.items() for k, name in enumerate(CLASSES)},
        }
    )  # fmt: skip
    sample = pd.DataFrame({"label": CLASSES * 10})
    one = kept_version(tmp_path / "1", 1, reference_sample=sample)
    rows = TrialRows(frame, np.arange(300), {}, world.space.table("trial_rows").snapshot())
    found = evidence_of(config, Trial("trial", one, one, moment(STAGE_BEGAN)), rows)
    assert found.metric == "log_loss"
    assert found.champion_loss == pytest.approx(math.log(3))
    assert found.candidate_loss == pytest.approx(-math.log(0.8))


def test_the_champions_usual_loss_is_known_beforehand(world: World, tmp_path: Path) -> None:
    held = pd.DataFrame({"label": [1.0, 0.0, None], "score": [0.5, 0.5, 0.9]})
    one = kept_version(tmp_path / "1", 1, held_sample=held)
    assert usual_loss(world.config, one, 5.0) == pytest.approx(math.log(2))
    two = kept_version(tmp_path / "2", 2)
    by_hits = other_config(world, "gate", metric="accuracy").config
    assert usual_loss(by_hits, two, 1.0) == pytest.approx(0.3)
    assert usual_loss(world.config, two, 5.0) == 2.5


def test_the_volume_is_learned_from_the_log(world: World) -> None:
    per_day = rows_per_day(world.space, moment(NOW))
    assert per_day == pytest.approx(40 * (28 - 4) / 28, rel=0.05)
    assert rows_per_day(world.space, moment("2024-01-01")) == 0
    assert rows_per_day(other_config(world, "decide", rows_per_day=7.0).space, moment(NOW)) == 7


def test_who_is_tried_through_a_whole_rollout(tmp_path: Path) -> None:
    world = turned_world(tmp_path)
    space, now = world.space, moment(NOW)

    def names() -> list[tuple[str, str]]:
        return [(t.name, t.stage) for t in open_trials(space, now)]

    assert names() == []
    stage = into_stage(world, 2, STAGE_BEGAN, "shadow")
    assert names() == [("trial-2-against-1", "shadow")]
    assert open_trials(space, now)[0].decision_id == stage.decision_id
    into_stage(world, 2, "2024-01-30", "canary")
    assert names() == [("trial-2-against-1", "canary")]
    assert open_trials(space, now)[0].since == moment("2024-01-30")

    decide(world, "promote", 2, 1, "2024-02-02")
    assert names() == [("watch-2-against-1", "watch")]
    (watch,) = open_trials(space, now)
    assert (watch.champion.version, watch.challenger.version) == (1, 2)
    assert watch.since == moment("2024-02-02")
    days = dt.timedelta(days=world.config.rollout.watch.days)
    assert open_trials(space, watch.since + days)
    assert open_trials(space, watch.since + days + dt.timedelta(seconds=1)) == ()

    decide(world, "rollback", 1, 2, "2024-02-03")
    assert names() == []


def test_what_was_tried_against_another_champion_or_by_another_file_is_over(tmp_path: Path) -> None:
    world = turned_world(tmp_path)
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    assert open_trials(other_config(world, "decide", alpha=0.01).space, moment(NOW)) == ()
    decide(world, "promote", 1, 1, "2024-01-30")
    assert [t.kind for t in open_trials(world.space, moment(NOW))] == ["watch"]


def test_a_canary_that_nobody_asks_goes_on_in_shadow(tmp_path: Path) -> None:
    world = turned_world(tmp_path)
    into_stage(world, 2, STAGE_BEGAN, "canary", passed_over=True)
    assert [t.stage for t in open_trials(world.space, moment(NOW))] == ["shadow"]


def test_a_refusal_ends_a_trial(tmp_path: Path) -> None:
    world = turned_world(tmp_path)
    into_stage(world, 2, STAGE_BEGAN, "shadow")
    decide(world, "refuse", 2, 1, "2024-01-30")
    assert open_trials(world.space, moment(NOW)) == ()


def test_regression_is_tried_as_well(tmp_path: Path) -> None:
    world = turned_world(tmp_path, "regression")
    found = look_at(world, trial(world))
    assert found.labels == 400
    assert found.verdict.outcome == "promote"
    assert found.kpi is not None
    assert found.kpi.gain.low > 0
