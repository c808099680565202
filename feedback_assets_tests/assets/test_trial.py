"""What counts as evidence between two models, in which order, and what a look at it says."""

import datetime as dt
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.assets import trial_scores
from feedback_assets.assets.models import ModelVersion, model_version
from feedback_assets.assets.trial import (
    Look,
    Trial,
    evidence_of,
    look,
    open_trials,
    rows_per_day,
    thinned,
    usual_loss,
)
from feedback_assets.assets.trial_rows import TrialRows, by_side, counting_order, trial_rows
from feedback_assets.assets.trial_scores import partition_of
from feedback_assets.config.schema import Config
from feedback_assets.tables.connection import connect
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets_tests.assets.trials import (
    STAGE_BEGAN,
    VALUES,
    decide,
    into_stage,
    live,
    turned_world,
)
from feedback_assets_tests.worlds import World, moment

NOW = "2024-02-03"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return turned_world(tmp_path_factory.mktemp("turned"))


def trial(world: World, **changes: object) -> Trial:
    one, two = (model_version(world.space, version) for version in (1, 2))
    return Trial(**{"kind": "trial", "champion": one, "challenger": two,
                    "since": moment(STAGE_BEGAN), **changes})  # type: ignore[arg-type]  # fmt: skip


def rows_of(world: World, asked: Trial, now: str = NOW, spent: tuple[str, ...] = ()) -> TrialRows:
    with connect(world.settings) as con:
        return trial_rows(world.space, con, asked.models, asked.after, moment(now), spent)


def look_at(world: World, asked: Trial, now: str = NOW) -> Look:
    with connect(world.settings) as con:
        return look(world.space, con, asked, moment(now))


def other_config(world: World, section: str, **values: object) -> World:
    """The same home, asked by another file."""
    part = getattr(world.config, section).model_copy(update=values)
    changed: Config = world.config.model_copy(update={section: part})
    twin = object.__new__(World)
    twin.__dict__ = {**world.__dict__, "config": changed}
    twin.loop = type(world.loop)(changed, world.settings)
    return twin


def test_only_rows_that_are_fresh_to_both_models_count(world: World) -> None:
    asked = trial(world)
    found = rows_of(world, asked)
    assert asked.after == model_version(world.space, 2).train_end
    assert found.frame["event_time"].min() > pd.Timestamp(asked.after)
    held_out = found.counted["event_time"] < pd.Timestamp(moment("2024-01-20"))
    assert held_out.sum() == 120
    assert len(found.counted) == 120 + 7 * 40


def test_held_out_rows_can_be_left_out(world: World) -> None:
    counted = rows_of(world, trial(world, held_out=False)).counted
    assert len(counted) == 7 * 40 - 1  # one was predicted at the very moment
    assert counted["event_time"].min() >= pd.Timestamp(moment(STAGE_BEGAN))


def test_days_that_judged_enough_candidates_tell_no_more(world: World) -> None:
    counted = rows_of(world, trial(world), spent=("2024-01-17",)).counted
    assert "2024-01-17" not in set(counted["partition_key"])
    assert len(counted) == 80 + 7 * 40


def test_a_watch_counts_what_was_predicted_after_the_promotion(world: World) -> None:
    watch = trial(world, kind="watch", since=moment("2024-01-26T12:00"))
    counted = rows_of(world, watch).counted
    assert counted["event_time"].min() > pd.Timestamp(moment("2024-01-26T12:00"))
    assert watch.name == "watch-2-against-1"


def test_both_models_say_what_their_files_say(world: World) -> None:
    asked = trial(world)
    frame = rows_of(world, asked).frame
    features = world.frame("feedback_table").set_index("prediction_id").loc[frame["prediction_id"]]
    for side, model in zip(("champion", "challenger"), asked.models, strict=True):
        said = model.load().score(features.reset_index())
        own = by_side(world.config, frame, side)  # type: ignore[arg-type]
        np.testing.assert_allclose(own["score"], said.score)
        np.testing.assert_array_equal(own["prediction"], said.prediction)
    assert list(own) == ["prediction_id", "partition_key", "event_time", "label",
                         "label_received_time", "score", "prediction", "settled"]  # fmt: skip


def test_a_look_later_only_adds_rows_at_the_end(world: World) -> None:
    asked = trial(world)
    seen: list[str] = []
    for hours in range(0, 10 * 24, 13):
        now = f"{moment(STAGE_BEGAN) + dt.timedelta(hours=hours):%Y-%m-%dT%H:%M}"
        ids = rows_of(world, asked, now).counted["prediction_id"].tolist()
        assert ids[: len(seen)] == seen
        seen = ids
    assert len(seen) > 300


def test_so_it_is_where_maturity_is_learned(world: World) -> None:
    learned = other_config(world, "pool", mature_after_days=None)
    seen: list[str] = []
    for hours in range(0, 10 * 24, 29):
        now = f"{moment(STAGE_BEGAN) + dt.timedelta(hours=hours):%Y-%m-%dT%H:%M}"
        ids = rows_of(learned, trial(world), now).counted["prediction_id"].tolist()
        assert ids[: len(seen)] == seen
        seen = ids
    assert len(seen) > 300


def test_a_row_counts_when_its_day_is_mature_and_not_before(world: World) -> None:
    early = rows_of(world, trial(world, held_out=False), "2024-01-27T23:59").counted
    assert early.empty
    ripe = rows_of(world, trial(world, held_out=False), "2024-01-28T00:00").counted
    assert set(ripe["partition_key"]) == {"2024-01-24"}
    assert ripe["label_received_time"].is_monotonic_increasing


def test_the_file_can_let_labels_count_at_once_or_at_an_age(world: World) -> None:
    now, asked = "2024-01-26T12:00", trial(world, held_out=False)
    at_once = rows_of(other_config(world, "decide", label_wait_days=0), asked, now).counted
    assert at_once["label_received_time"].is_monotonic_increasing
    assert at_once["label_received_time"].max() <= pd.Timestamp(moment(now))
    assert len(at_once) > 20
    later = rows_of(other_config(world, "decide", label_wait_days=2), asked, now).counted
    assert later["event_time"].max() <= pd.Timestamp(moment("2024-01-24T12:00"))
    assert 0 < len(later) <= 21


MOMENTS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 50)), st.integers(0, 50)), max_size=40
)


@given(MOMENTS, st.integers(0, 50), st.integers(0, 50))
def test_what_was_counted_earlier_is_always_the_beginning(
    rows: list[tuple[int | None, int]], one: int, other: int
) -> None:
    start = pd.Timestamp(moment("2024-01-01"))
    moments = pd.Series(
        [pd.NaT if m is None else start + pd.Timedelta(hours=m) for m, _ in rows],
        dtype="datetime64[us, UTC]",
    )
    received = pd.Series(
        [start + pd.Timedelta(hours=r) for _, r in rows], dtype="datetime64[us, UTC]"
    )
    early, late = (
        counting_order(moments, received, (start + pd.Timedelta(hours=h)).to_pydatetime()).tolist()
        for h in sorted((one, other))
    )
    assert late[: len(early)] == early
    assert set(late) == {
        i for i, (m, _) in enumerate(rows) if m is not None and m <= max(one, other)
    }


class Counted:
    """Counts the rows that models score."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        real = OnnxModel.score

        def score(model: OnnxModel, frame: pd.DataFrame) -> object:
            self.rows += len(frame)
            return real(model, frame)

        monkeypatch.setattr(OnnxModel, "score", score)


def test_rows_are_scored_once_and_new_days_alone_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = turned_world(tmp_path)
    asked = trial(world)
    counted, days = Counted(monkeypatch), 1 + 3 + 7  # the last day of the training, too
    rows_of(world, asked)
    assert counted.rows == 2 * 40 * days
    before = rows_of(world, asked)
    assert counted.rows == 2 * 40 * days

    day = world.rows("2024-01-25", version="1")
    world.feed(day.assign(known=pd.Timestamp("2024-01-27", tz="UTC")), "again", "correction")
    live(world, "2024-02-03", 1)
    world.at("2024-02-08")
    world.dataflow("2024-01-25", 3)
    world.dataflow("2024-02-03", 3)
    after = rows_of(world, asked, "2024-02-08")
    assert counted.rows == 2 * 40 * (days + 1)
    truth = [r.frame.set_index("prediction_id")["label"].loc[day["prediction_id"]].to_numpy()
             for r in (before, after)]  # fmt: skip
    np.testing.assert_array_equal(truth[1], 1 - truth[0])

    monkeypatch.setattr(trial_scores, "identity", lambda *_: "other")
    rows_of(world, asked, "2024-02-08")
    assert counted.rows == 4 * 40 * (days + 1)


def test_disputed_and_missing_truth_never_counts(tmp_path: Path) -> None:
    world = turned_world(tmp_path)
    day = world.rows("2024-01-25", version="1")
    world.feed(day.head(5), "other", value=day["truth"].head(5).astype(str).to_numpy())
    world.feed(day.tail(3), "gone", "rejection", known=day["known"].tail(3))
    pending = world.rows("2024-01-26", seed=5, version="1")
    world.predict(pending, "p-pending")
    world.at("2024-02-04")
    world.dataflow("2024-01-25", 3)
    counted = rows_of(world, trial(world), "2024-02-04").counted
    ids = set(counted["prediction_id"])
    assert len(ids) == 120 + 7 * 40 - 8
    assert not ids & {*day["prediction_id"].head(5), *day["prediction_id"].tail(3)}
    assert not ids & set(pending["prediction_id"])
    kept = rows_of(other_config(world, "pool", drop_conflicts=False), trial(world), "2024-02-04")
    assert set(day["prediction_id"].head(5)) <= set(kept.counted["prediction_id"])


def test_partitions_say_whose_answers_they_hold(world: World) -> None:
    rows_of(world, trial(world))
    table = world.frame("trial_rows")
    two = model_version(world.space, 2)
    own = table[table["partition_key"] == partition_of(two, "2024-01-24")]
    assert set(own["model_digest"]) == {two.digest}
    assert (len(own), set(own["day"])) == (40, {"2024-01-24"})


def test_of_a_day_with_very_many_rows_a_share_is_looked_at(world: World) -> None:
    few = other_config(world, "performance", rows_per_day=10)
    frame = rows_of(few, trial(world)).frame
    by_day = frame.groupby("partition_key").size()
    assert by_day.between(3, 20).all()
    assert set(frame["prediction_id"]) < set(rows_of(world, trial(world)).frame["prediction_id"])


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
