"""The pool through real runs: counts add up, the future is not in it, the holdout is apart."""

from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from feedback_assets.assets.labeled_pool import pinned_pool
from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import digest_of
from feedback_assets_tests.worlds import World

START = "2024-01-01"


def pooled(world: World, now: str = "2024-01-12") -> pd.DataFrame:
    """Eight days of rows, their labels as known `now`, and the pool of them."""
    rows = world.live(START, 8)
    world.at(now)
    world.dataflow(START, 11)
    world.materialize(["labeled_pool"])
    return rows


def test_every_row_has_one_outcome_and_the_counts_add_up(world: World) -> None:
    rows = world.live(START, 8)
    at = pd.Timestamp("2024-01-02T23:00:00Z")
    world.feed(rows.iloc[:2], "no", kind="rejection", value=None, received_time=at)
    world.feed(rows.iloc[3:4], "other", value=str(1 - rows["truth"][3]), received_time=at)
    world.at("2024-01-10")
    world.dataflow(START, 10)
    world.materialize(["labeled_pool"])
    told = world.metadata("labeled_pool")
    outcomes = {row["outcome"]: row["rows"] for row in told["outcomes"]}
    assert sum(outcomes.values()) == len(world.frame("feedback_table")) == 320
    assert outcomes["label rejected"] == 2
    assert outcomes["label disputed"] == 1
    assert outcomes["its day is not mature"] == 80
    assert outcomes["train"] == told["train_rows"] == 3 * 40 - 3
    assert outcomes["holdout"] == told["holdout_rows"] == 120
    splits = world.frame("labeled_pool")["split"].value_counts().to_dict()
    assert splits == {"train": told["train_rows"], "holdout": told["holdout_rows"]}


def test_the_holdout_is_newer_than_all_of_training(world: World) -> None:
    pooled(world)
    frame = world.frame("labeled_pool")
    by_split = frame.groupby("split")["event_time"]
    start = pd.Timestamp(world.metadata("labeled_pool")["holdout_from"])
    assert by_split.max()["train"] < start <= by_split.min()["holdout"]
    assert frame["prediction_id"].is_unique


def test_what_is_received_later_does_not_enter(world: World, tmp_path: Path) -> None:
    pooled(world)
    poisoned = World(tmp_path / "poisoned")
    rows = poisoned.live(START, 8)
    future = pd.Timestamp("2024-01-12T00:00:00.000001Z")
    wrong = (1 - rows["truth"]).astype(str)
    poisoned.feed(rows, "future", kind="correction", value=wrong.to_numpy(), received_time=future)
    poisoned.at("2024-01-12")
    poisoned.dataflow(START, 12)
    poisoned.materialize(["labeled_pool"])
    prints = [w.metadata("labeled_pool")["fingerprint"] for w in (world, poisoned)]
    assert prints[0] == prints[1]
    assert poisoned.metadata("feedback_events", "2024-01-12")["future"] == len(rows)


def test_without_a_mature_day_it_says_so(world: World) -> None:
    world.live(START, 1)
    world.at("2024-01-03")
    world.dataflow(START, 2)
    with pytest.raises(dg.Failure, match="no day's labels are mature yet: its age of 1\\.0 days"):
        world.materialize(["labeled_pool"])


def test_without_any_feedback_table_it_says_what_to_do(world: World) -> None:
    with pytest.raises(dg.Failure, match="feedback_table was never materialized"):
        world.materialize(["labeled_pool"])


def test_the_same_moment_gives_the_same_version(world: World) -> None:
    pooled(world)
    before = world.versions(), world.metadata("labeled_pool")["fingerprint"]
    world.materialize(["labeled_pool"])
    assert (world.versions(), world.metadata("labeled_pool")["fingerprint"]) == before


def test_a_row_that_is_rejected_later_leaves_and_old_versions_still_have_it(world: World) -> None:
    rows = pooled(world)
    first = pinned_pool(world.space)
    gone = rows["prediction_id"][0]
    at = pd.Timestamp("2024-01-03T23:00:00Z")
    world.feed(rows.head(1), "no", kind="rejection", value=None, received_time=at)
    world.at("2024-01-13")
    world.dataflow(START, 11)
    world.materialize(["labeled_pool"])
    assert gone not in set(world.frame("labeled_pool")["prediction_id"])
    assert gone in set(world.frame("labeled_pool", first.snapshot.version)["prediction_id"])
    assert pinned_pool(world.space).fingerprint != first.fingerprint


def test_a_day_that_is_no_longer_mature_leaves(world: World, tmp_path: Path) -> None:
    pooled(world)
    stricter = World(tmp_path, pool={"mature_after_days": 8})
    stricter.at("2024-01-12")
    stricter.materialize(["labeled_pool"])
    assert set(stricter.frame("labeled_pool")["partition_key"]) == set(world.days(START, 3))


def test_the_manifest_names_each_days_content(world: World) -> None:
    pooled(world)
    pool = pinned_pool(world.space)
    assert pool.manifest == world.metadata("labeled_pool")["manifest"]
    assert pool.manifest["source"]["feedback_table"] == world.versions()["feedback_table"]
    with connect(world.settings) as con:
        found = {
            day: digest_of(con, pool.snapshot.relation([day]), ("prediction_id",))
            for day in world.days(START, 8)
        }
    assert {k: v["digest"] for k, v in pool.manifest["partitions"].items()} == found
    assert sum(v["rows"] for v in pool.manifest["partitions"].values()) == 320
