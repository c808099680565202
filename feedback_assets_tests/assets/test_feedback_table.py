"""Predictions beside their truth, through real runs: pending, late, disputed, refused."""

import dagster as dg
import pandas as pd
import pytest

from feedback_assets_tests.worlds import DAILY, World

DAY, NEXT, THIRD = "2024-01-01", "2024-01-02", "2024-01-03"
JOIN = ["feedback_table"]


def digests(world: World) -> dict[str, str]:
    known = world.space.table("feedback_table").snapshot().partitions()
    return {day: info.digest for day, info in known.items()}


def statuses(world: World) -> dict[str, int]:
    return world.frame("feedback_table")["label_status"].value_counts().to_dict()


def test_what_is_not_known_yet_is_pending(world: World) -> None:
    world.live(DAY, 1)
    world.at(f"{NEXT}T12:00:00")
    world.dataflow(DAY, 2)
    frame = world.frame("feedback_table")
    pending = frame["label_status"] == "pending"
    assert 0 < pending.sum() < 40
    assert frame.loc[pending, "label"].isna().all()
    assert frame.loc[~pending, "label_received_time"].max() <= pd.Timestamp(world.clock.now())
    told = world.metadata("feedback_table", DAY)
    assert told["labels_pending"] == pending.sum()
    assert told["labels_accepted"] + told["labels_pending"] + told["labels_rejected"] == 40
    assert told["label_share"] == pytest.approx(1 - pending.mean())


def test_labels_are_the_truth_once_they_have_come(world: World) -> None:
    rows = world.live(DAY, 2).set_index("prediction_id")
    world.at("2024-01-05")
    world.dataflow(DAY, 4)
    frame = world.frame("feedback_table").set_index("prediction_id")
    assert statuses(world) == {"accepted": 80}
    assert (frame["label"] == rows["truth"].reindex(frame.index)).all()


def test_no_feedback_at_all_leaves_everything_pending(world: World) -> None:
    world.live(DAY, 1, labels=False)
    world.at(NEXT)
    world.materialize(["prediction_log", "feedback_table"], [DAY])
    assert statuses(world) == {"pending": 40}


def test_late_feedback_changes_exactly_its_days(world: World) -> None:
    rows = world.live(DAY, 4, labels=False)
    world.at("2024-01-05")
    world.dataflow(DAY, 5)
    before = digests(world)
    about = rows[rows["prediction_id"].str.startswith(NEXT)].head(1)
    world.feed(about, "late", received_time=pd.Timestamp("2024-01-04T20:00:00Z"))
    world.materialize(["feedback_events"], ["2024-01-04"])
    world.materialize(JOIN, world.days(DAY, 4))
    after = digests(world)
    assert [day for day in before if before[day] != after[day]] == [NEXT]
    assert statuses(world) == {"pending": 159, "accepted": 1}
    newest = world.space.table("feedback_table").history()[0]
    assert list(newest.partitions) == [NEXT], "only the day that changed was written"


def test_materializing_twice_changes_nothing(world: World) -> None:
    world.live(DAY, 2)
    world.at("2024-01-05")
    world.dataflow(DAY, 4)
    before = world.versions()
    world.at("2024-01-06")
    world.dataflow(DAY, 4)
    assert world.versions() == before


def test_corrections_rejections_and_conflicts_are_counted(world: World) -> None:
    rows = world.live(DAY, 1)
    at = pd.Timestamp("2024-01-03T20:00:00Z")
    flipped = 1 - rows["truth"]
    world.feed(rows.iloc[:1], "fix", kind="correction", value=str(flipped[0]), received_time=at)
    world.feed(rows.iloc[1:2], "no", kind="rejection", value=None, received_time=at)
    world.feed(rows.iloc[2:3], "else", value=str(flipped[2]), received_time=at)
    world.at("2024-01-05")
    world.dataflow(DAY, 4)
    told = world.metadata("feedback_table", DAY)
    assert (told["labels_accepted"], told["labels_rejected"], told["labels_disputed"]) == (39, 1, 1)
    frame = world.frame("feedback_table")
    assert frame.loc[0, "label"] == flipped[0]
    assert not frame.loc[0, "label_conflict"]


def test_a_day_that_was_never_logged_is_refused(world: World) -> None:
    world.live(DAY, 1)
    world.at("2024-01-05")
    world.materialize(["prediction_log"], [DAY])
    with pytest.raises(dg.Failure, match=f"never materialized for {NEXT}"):
        world.materialize(JOIN, [DAY, NEXT])
    assert digests(world) == {}


def test_a_broken_contract_blocks_its_own_run_and_every_later_one(world: World) -> None:
    rows = world.rows(DAY)
    bad = world.predict(rows.assign(size=[99.0] * 20 + [0.0] * 20), "p")
    world.at(NEXT)
    run = world.materialize(DAILY, [DAY], raise_on_error=False)
    assert not run.success
    failed = {e.check_name: e for e in run.get_asset_check_evaluations() if not e.passed}
    assert "50%" in failed["contract"].description or "20 of 40" in failed["contract"].description
    assert digests(world) == {}
    with pytest.raises(dg.Failure, match="20 of 40 rows refused, more than 20%"):
        world.materialize(JOIN, [DAY])
    bad.unlink()
    world.predict(rows, "mended")
    world.materialize(["prediction_log"], [DAY])
    world.materialize(JOIN, [DAY])
    assert statuses(world) == {"pending": 40}


def test_the_commit_names_the_versions_it_was_made_from(world: World) -> None:
    world.live(DAY, 1)
    world.at("2024-01-05")
    world.dataflow(DAY, 4)
    inputs = world.space.table("feedback_table").snapshot().inputs(DAY)
    versions = world.versions()
    assert inputs == {name: versions[name] for name in ("prediction_log", "feedback_events")}
