"""Which rows count as evidence between two models, in which order, and what they cost."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.assets import trial_scores
from feedback_assets.assets.models import model_version
from feedback_assets.assets.trial_rows import by_side, counting_order
from feedback_assets.assets.trial_scores import partition_of
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets_tests.assets.trials import (
    STAGE_BEGAN,
    live,
    other_config,
    rows_of,
    trial,
    turned_world,
)
from feedback_assets_tests.worlds import World, moment


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return turned_world(tmp_path_factory.mktemp("turned"))


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
