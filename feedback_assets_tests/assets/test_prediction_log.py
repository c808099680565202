"""Every received prediction is stored or quarantined, and the same files give the same digest."""

from pathlib import Path

import pandas as pd

from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import combine, digest_of
from feedback_assets_tests.worlds import World

DAY, NEXT = "2024-01-01", "2024-01-02"


def spoiled(world: World) -> pd.DataFrame:
    """Forty rows of a day: one without size, two out of range, one there twice."""
    rows = world.rows(DAY)
    rows.loc[0, "size"] = None
    rows.loc[[1, 2], "size"] = 99.0
    return pd.concat([rows, rows.tail(1)], ignore_index=True)


def test_received_is_stored_and_quarantined_with_reasons(world: World) -> None:
    world.predict(spoiled(world), "p")
    world.at(NEXT)
    world.materialize(["prediction_log"], [DAY])
    told = world.metadata("prediction_log", DAY)
    assert (told["received"], told["stored"], told["quarantined"]) == (41, 37, 4)
    assert len(world.frame("prediction_log")) == told["stored"]
    refused = world.frame("prediction_log_quarantine")
    assert len(refused) == told["quarantined"]
    reasons = {record["reason"]: record["rows"] for record in told["reasons"]}
    assert reasons == refused["reason"].value_counts().to_dict()
    assert reasons["duplicate id"] == 1
    assert sorted(reasons.values()) == [1, 1, 2]
    assert refused["payload"].str.contains("99").sum() == 2


def test_each_day_of_a_run_has_its_own_digest(world: World) -> None:
    world.live(DAY, 3)
    world.at("2024-01-05")
    days = world.days(DAY, 3)
    result = world.materialize(["prediction_log"], days)
    snapshot = world.space.table("prediction_log").snapshot()
    with connect(world.settings) as con:
        content = {
            day: digest_of(con, snapshot.relation([day]), ("prediction_id",)) for day in days
        }
    told = {day: world.metadata("prediction_log", day)["digest"] for day in days}
    assert told == content
    assert len(set(content.values())) == 3
    events = result.asset_materializations_for_node("tiny__prediction_log")
    versions = {event.tags["dagster/data_version"] for event in events}
    assert versions == {combine(content)}


def test_materializing_twice_changes_nothing(world: World) -> None:
    world.predict(spoiled(world), "p")
    world.at(NEXT)
    world.materialize(["prediction_log"], [DAY])
    before, told = world.versions(), world.metadata("prediction_log", DAY)
    world.at("2024-01-03")
    world.materialize(["prediction_log"], [DAY])
    assert world.versions() == before
    assert world.metadata("prediction_log", DAY)["digest"] == told["digest"]


def test_the_digest_knows_neither_files_nor_their_order(world: World, tmp_path: Path) -> None:
    rows = world.rows(DAY)
    world.predict(rows, "all")
    other = World(tmp_path / "other")
    shuffled = rows.sample(frac=1.0, random_state=1)
    other.predict(shuffled.head(15), "b")
    other.predict(shuffled.tail(25), "a")
    digests = []
    for each in (world, other):
        each.at(NEXT)
        each.materialize(["prediction_log"], [DAY])
        frame = each.frame("prediction_log").drop(columns="source_file")
        digests.append(pd.util.hash_pandas_object(frame.sort_values("prediction_id")).sum())
    assert digests[0] == digests[1]


def test_rows_received_later_are_not_there_yet(world: World) -> None:
    world.predict(world.rows(DAY), "p")
    world.at(f"{DAY}T12:00:00")
    world.materialize(["prediction_log"], [DAY])
    told = world.metadata("prediction_log", DAY)
    assert 0 < told["future"] < 40
    assert told["stored"] + told["future"] == 40
    assert world.frame("prediction_log")["received_time"].max() <= pd.Timestamp(world.clock.now())
    world.at(NEXT)
    world.materialize(["prediction_log"], [DAY])
    assert world.metadata("prediction_log", DAY)["stored"] == 40


def test_an_empty_day_is_recorded_as_empty(world: World) -> None:
    world.at("2024-01-04")
    world.predict(world.rows(DAY), "p")
    world.materialize(["prediction_log"], [DAY, NEXT])
    known = world.space.table("prediction_log").snapshot().partitions()
    assert {day: info.rows for day, info in known.items()} == {DAY: 40, NEXT: 0}
    assert world.metadata("prediction_log", NEXT)["rows"] == 0


def test_only_the_days_of_the_run_are_written(world: World) -> None:
    world.live(DAY, 3)
    world.at("2024-01-05")
    world.materialize(["prediction_log"], [NEXT])
    assert set(world.frame("prediction_log")["partition_key"]) == {NEXT}


def test_history_and_answers_are_told_apart(world: World) -> None:
    world.predict(world.rows(DAY, n=5), "history")
    world.predict(world.rows(DAY, n=5, seed=1, version="3"), "answers")
    world.at(NEXT)
    world.materialize(["prediction_log"], [DAY])
    frame = world.frame("prediction_log")
    assert frame.groupby("role")["model_version"].agg(lambda v: v.iloc[0]).to_dict() == {
        "history": None,
        "served": "3",
    }
    assert frame["score"].isna().sum() == 5
