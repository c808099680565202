"""Whatever comes in: the rest of the data is taken as if it had come alone, and reasons are told.

One loop with a champion gets all bad input at once, each kind on a day of its own, through its real
sensors; each test looks at its day.
"""

import json

import pandas as pd
import pytest

from feedback_assets.assets.models import champion
from feedback_assets.assets.space import JUDGEMENTS
from feedback_assets.capture.predictions import DUPLICATE_ID
from feedback_assets_tests.worlds import World

ROWS, FEW = 40, 5
"""Rows of a day, and how many of it are bad: more than a fifth would block what is downstream."""
NOW = "2024-01-29"
DAILY = ("prediction_log", "feedback_events", "feedback_table", *JUDGEMENTS)
CLEAN, UNREADABLE, MISSING, RETYPED, NULLS, EMPTY, TWICE, UNKNOWN, EARLY, TEXT = World.days(
    "2024-01-15", 10
)


def good(world: World, day: str) -> pd.DataFrame:
    """The day's sound rows, told at the sources with their labels."""
    rows = world.rows(day, n=ROWS, version="1")
    world.predict(rows, f"good-{day}")
    world.feed(rows, f"good-{day}")
    return rows


def bad(world: World, day: str) -> pd.DataFrame:
    """Further rows of the day, to be spoilt."""
    return world.rows(day, n=ROWS, seed=1, version="1")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """A loop with a champion that has taken in everything below."""
    world = World(tmp_path_factory.mktemp("bad"), trigger={"cooldown_days": 1_000})
    world.ready_mlflow()
    world.live("2024-01-01", 12)
    world.at(CLEAN)
    assert all(run.success for run in world.ticker.settle())
    assert champion(world.space) is not None
    for day in (CLEAN, UNREADABLE, MISSING, RETYPED, TWICE, TEXT):
        good(world, day)
    source = world.settings.root / "sources" / "tiny" / "predictions"
    (source / f"torn-{UNREADABLE}.parquet").write_bytes(b"PAR1 and then the power went out")
    few = bad(world, MISSING).iloc[:FEW]
    world.predict(few.drop(columns="speed"), "without-speed")
    retyped = bad(world, RETYPED)
    times = retyped["event_time"].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    world.predict(retyped.assign(speed=retyped["speed"].astype(str), event_time=times), "retyped")
    world.predict(world.rows(NULLS, n=ROWS, shift=3.0, version="1").assign(speed=None), "nulls")
    twice = world.rows(TWICE, n=ROWS, version="1").iloc[:FEW]
    world.predict(twice.assign(size=0.0), "z-again")
    world.feed(world.rows(UNKNOWN, n=ROWS), "unknown")
    early = world.rows(EARLY, n=ROWS, version="1")
    world.predict(early, "early")
    hours = pd.to_timedelta([24, 30] * (ROWS // 2), unit="h")
    world.feed(early, "early", received_time=early["event_time"] - hours)
    text = bad(world, TEXT).astype({"speed": object}).drop(columns=["truth", "known"])
    text.loc[3, "speed"] = "fast"
    text.to_csv(source / "text.csv", index=False)
    world.at(NOW)
    assert all(run.success for run in world.ticker.settle())
    return world


def rows_of(world: World, table: str, day: str) -> pd.DataFrame:
    frame = world.frame(table)
    return frame[frame["partition_key"] == day].reset_index(drop=True)


def reasons(world: World, day: str) -> list[str]:
    """Why rows of a day were refused; their counts add up everywhere."""
    told = world.metadata("prediction_log", day)
    refused = rows_of(world, "prediction_log_quarantine", day)["reason"].tolist()
    assert told["received"] == told["stored"] + told["quarantined"]
    assert told["stored"] == told["rows"] == len(rows_of(world, "prediction_log", day))
    assert told["quarantined"] == len(refused)
    shown = {r["reason"]: r["rows"] for r in told.get("reasons", [])}
    assert shown == pd.Series(refused, dtype=object).value_counts().to_dict()
    return refused


def unharmed(world: World, day: str) -> bool:
    """Whether the day's sound rows are stored and joined as they were sent."""
    sent = world.rows(day, n=ROWS, version="1").set_index("prediction_id")
    names = ["size", "speed", "colour", "region", "score", "prediction"]
    joined = rows_of(world, "feedback_table", day).set_index("prediction_id").loc[sent.index]
    pd.testing.assert_frame_equal(joined[names], sent[names], check_dtype=False)
    return bool((joined["label"] == sent["truth"]).all())


def verdicts(world: World, day: str) -> pd.Series:
    """Column to status, and `*` for the day."""
    rows = rows_of(world, "drift_report", day)
    return rows[rows["segment"] == ""].set_index("column_name")["status"]


@pytest.mark.parametrize("day", [CLEAN, UNREADABLE, MISSING, RETYPED, TWICE, TEXT])
def test_sound_rows_are_unharmed(world, day):
    assert unharmed(world, day)


def test_a_clean_day_refuses_nothing(world):
    assert reasons(world, CLEAN) == []


def test_an_unreadable_file_is_one_refusal_with_its_name(world):
    (reason,) = reasons(world, UNREADABLE)
    assert "cannot be read" in reason
    refused = rows_of(world, "prediction_log_quarantine", UNREADABLE)
    assert refused["source_file"].tolist() == [f"torn-{UNREADABLE}.parquet"]
    assert len(rows_of(world, "prediction_log", UNREADABLE)) == ROWS


def test_a_missing_column_refuses_the_rows_of_its_file(world):
    found = reasons(world, MISSING)
    assert len(found) == FEW
    assert all("column speed is missing from without-speed.parquet" in r for r in found)


def test_a_type_that_says_the_same_is_taken(world):
    assert reasons(world, RETYPED) == []
    sent = bad(world, RETYPED).set_index("prediction_id")
    stored = rows_of(world, "prediction_log", RETYPED).set_index("prediction_id").loc[sent.index]
    assert (stored["speed"] == sent["speed"]).all()
    assert (stored["event_time"] == sent["event_time"]).all()


def test_an_empty_column_is_isolated_and_the_rest_judged(world):
    assert reasons(world, NULLS) == []
    assert rows_of(world, "prediction_log", NULLS)["speed"].isna().all()
    found = verdicts(world, NULLS)
    assert found["speed"] == "broken"
    assert found["size"] == "drift"
    assert found["colour"] in ("stable", "immaterial")
    assert found["*"] == "drift"
    assert world.metadata("drift_report", NULLS)["drifted"] == ["size"]


def test_an_empty_day_is_recorded_as_empty(world):
    assert world.materialize(DAILY, [EMPTY]).success
    for asset in ("prediction_log", "feedback_table"):
        assert world.metadata(asset, EMPTY)["rows"] == 0
    assert verdicts(world, EMPTY)["*"] == "insufficient"


def test_a_second_row_of_an_id_is_refused(world):
    found = reasons(world, TWICE)
    assert len(found) == FEW
    assert set(found) == {DUPLICATE_ID}


def test_a_label_for_an_unknown_prediction_waits_for_it(world):
    events = world.frame("feedback_events")
    waiting = world.rows(UNKNOWN, n=ROWS)["prediction_id"]
    assert waiting.isin(events["prediction_id"]).all()
    assert rows_of(world, "prediction_log", UNKNOWN).empty
    world.predict(world.rows(UNKNOWN, n=ROWS, version="1"), "known-at-last")
    assert all(run.success for run in world.ticker.settle())
    assert unharmed(world, UNKNOWN)
    assert (rows_of(world, "feedback_table", UNKNOWN)["label_status"] == "accepted").all()


def test_a_label_before_its_prediction_counts_within_a_day(world):
    assert reasons(world, EARLY) == []
    joined = rows_of(world, "feedback_table", EARLY)
    in_time = joined["label_status"] == "accepted"
    assert in_time.sum() == ROWS // 2
    assert (joined["label_delay_days"][in_time] == -1.0).all()
    assert (joined["label_status"][~in_time] == "pending").all()


def test_a_day_is_the_same_alone_and_among_others(world):
    among_others = world.metadata("feedback_table", EARLY)["digest"]
    world.materialize(["feedback_table"], [EARLY])
    assert world.metadata("feedback_table", EARLY)["digest"] == among_others


def test_a_text_in_a_number_refuses_its_row_alone(world):
    assert reasons(world, TEXT) == ["speed is not a number"]
    (payload,) = rows_of(world, "prediction_log_quarantine", TEXT)["payload"]
    assert json.loads(payload)["speed"] == "fast"
    assert len(rows_of(world, "prediction_log", TEXT)) == 2 * ROWS - 1
