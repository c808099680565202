"""What the service has taken comes into the tables: once, in time, and for good."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feedback_assets.capture.inbox.open import open_inbox
from feedback_assets.capture.inbox.records import SEGMENT_ROWS, Entry, Stream
from feedback_assets.settings import Settings
from feedback_assets_tests.worlds import World, moment

DAY = "2024-01-02"
TABLES = ("prediction_log", "feedback_events", "serving_log")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.at("2024-01-05")
    return made


def micros(when: str) -> int:
    return int(moment(when).timestamp() * 1e6)


def put(settings: Settings, entries: Sequence[Entry]) -> None:
    async def work() -> None:
        inbox = await open_inbox(settings)
        for start in range(0, len(entries), 5_000):
            await inbox.append(entries[start : start + 5_000])
        await inbox.close()

    asyncio.run(work())


def entry(stream: Stream, key: str, when: int, body: dict[str, Any]) -> Entry:
    return Entry(stream, "tiny", key, when, json.dumps(body).encode(), key.encode()[:16])


def prediction(key: str, when: str = f"{DAY}T10:00", **changes: Any) -> Entry:
    body = {
        "id": key, "event_us": micros(when), "received_us": micros(when) + 5,
        "features": {"size": 0.1, "speed": 9.5, "colour": "red", "region": "north"},
        "score": 0.1 + 0.2, "class_scores": None, "prediction": 0, "model_version": "3",
        "model_digest": "ab" * 32, "arm": "canary", "answered_by": "challenger",
        "propensity": 1.0, "warning": None, "stick": key, "principal": "web", "latency_us": 210,
    }  # fmt: skip
    return entry("predictions", key, body["event_us"], {**body, **changes})


def feedback(key: str, about: str, when: str = f"{DAY}T12:00", **changes: Any) -> Entry:
    body = {
        "event_id": key, "prediction_id": about, "kind": None, "value": "1", "event_us": None,
        "received_us": micros(when), "source": None, "confidence": None, "principal": "web",
    }  # fmt: skip
    return entry("feedback", key, body["received_us"], {**body, **changes})


def refused(key: str, when: str = f"{DAY}T11:00") -> Entry:
    body = {"reason": "/size: is missing", "line": '{"sze": 1}', "received_us": micros(when)}
    return entry("refused_predictions", key, body["received_us"], body)


def shadow(key: str, when: str = f"{DAY}T10:00") -> Entry:
    body = {
        "id": key, "event_us": micros(when), "received_us": micros(when) + 9, "score": 0.7,
        "class_scores": None, "prediction": 1, "model_version": "4", "model_digest": "cd" * 32,
        "latency_us": 90,
    }  # fmt: skip
    return entry("shadow", f"{key}~4", body["event_us"], body)


def settled(world: World) -> list[tuple[str, ...]]:
    runs = list(world.ticker.settle())
    assert all(run.success for run in runs), runs
    return [run.assets for run in runs]


def digests(world: World) -> dict[str, str]:
    return {table: world.space.table(table).snapshot().partitions()[DAY].digest for table in TABLES}


def test_rows_of_requests_come_into_the_tables(world: World) -> None:
    told = [
        feedback("f", "a"),
        feedback("g", "x", principal=None, said_by="ann"),
        feedback("h", "x", principal="anyone"),
    ]
    put(world.settings, [prediction("a"), shadow("a"), refused("r"), *told])
    assert settled(world)
    events = world.frame("feedback_events").set_index("event_id")["principal"]
    assert events.where(events.notna(), None).to_dict() == {
        "f": "token:web", "g": "ann", "h": None,
    }  # fmt: skip
    log = world.frame("prediction_log").iloc[0]
    assert (log["prediction_id"], log["model_version"], log["score"]) == ("a", "3", 0.1 + 0.2)
    assert (log["size"], log["colour"], log["role"]) == (0.1, "red", "served")
    assert log["received_time"] - log["event_time"] == pd.Timedelta(microseconds=5)
    bad = world.frame("prediction_log_quarantine").iloc[0]
    assert bad["reason"] == "/size: is missing"
    assert json.loads(bad["payload"]) == {"line": '{"sze": 1}'}
    joined = world.frame("feedback_table").iloc[0]
    assert (joined["prediction_id"], joined["label"]) == ("a", 1)
    assert (joined["label_principal"], joined["label_confidence"]) == ("token:web", 1.0)
    served = world.frame("serving_log").sort_values("role")
    assert list(served["role"]) == ["served", "shadow"]
    assert list(served["score"]) == [0.1 + 0.2, 0.7]
    assert next(iter(served["answered_by"])) == "challenger"


def test_nothing_new_starts_nothing(world: World) -> None:
    put(world.settings, [prediction("a")])
    settled(world)
    assert settled(world) == []


def test_making_a_day_again_changes_nothing(world: World) -> None:
    put(world.settings, [prediction("a"), shadow("a"), feedback("f", "a")])
    settled(world)
    before = digests(world)
    versions = {table: world.space.table(table).snapshot().version for table in TABLES}
    world.materialize(TABLES, [DAY])
    assert digests(world) == before
    assert versions == {table: world.space.table(table).snapshot().version for table in TABLES}


def test_feedback_before_its_prediction_is_joined_when_that_comes(world: World) -> None:
    put(world.settings, [feedback("f", "late")])
    settled(world)
    put(world.settings, [prediction("late")])
    settled(world)
    assert list(world.frame("feedback_table")["label"]) == [1]


def test_files_and_requests_make_one_table(world: World) -> None:
    world.predict(world.rows(DAY, n=5), "file")
    put(world.settings, [prediction("a")])
    settled(world)
    assert len(world.frame("prediction_log")) == 6


def test_a_prediction_that_came_by_file_too_is_there_once(world: World) -> None:
    rows = world.rows(DAY, n=1)
    world.predict(rows, "file")
    put(world.settings, [prediction(rows["prediction_id"].iloc[0])])
    settled(world)
    assert len(world.frame("prediction_log")) == 1
    assert list(world.frame("prediction_log_quarantine")["reason"]) == ["duplicate id"]


def test_a_running_day_waits_and_is_taken_again_when_it_is_over(world: World) -> None:
    today = "2024-01-05"
    put(world.settings, [prediction("a", f"{today}T00:00")])
    world.at(f"{today}T01:00")
    assert settled(world)
    put(world.settings, [prediction("b", f"{today}T01:00")])
    world.at(f"{today}T01:05")
    assert settled(world) == []  # ten minutes have not passed
    world.at(f"{today}T01:11")
    assert settled(world)
    assert len(world.frame("prediction_log")) == 2
    world.at("2024-01-06T00:01")
    assert settled(world)  # once more, now that the day is over
    assert settled(world) == []


def test_a_lost_cursor_runs_again_and_changes_nothing(world: World) -> None:
    put(world.settings, [prediction("a"), feedback("f", "a")])
    settled(world)
    before = digests(world) if "serving_log" in TABLES else {}
    world.ticker.cursors.clear()
    settled(world)
    assert digests(world) == before


@pytest.mark.slow
def test_rows_that_were_pruned_stay_in_the_tables(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.settings = world.settings.model_copy(update={"inbox_keep_days": 0.0})
    world.at("2024-01-05")
    many = [prediction(f"p{i:06d}", features={"size": i % 7, "speed": 1.0, "colour": None})
            for i in range(SEGMENT_ROWS - 10)]  # fmt: skip
    put(world.settings, [*many, refused("r"), feedback("f", "p000001"), shadow("p000001")])
    put(world.settings, [prediction(f"q{i}") for i in range(20)])
    settled(world)
    before = digests(world)
    assert rows_waiting(world.settings) == SEGMENT_ROWS + 13
    world.materialize(TABLES, [DAY])  # whose receipts come after the segment was full
    put(world.settings, [prediction("z")])
    prune(world.settings)
    assert rows_waiting(world.settings) < 100
    settled(world)
    world.materialize(TABLES, [DAY])
    assert len(world.frame("prediction_log")) == SEGMENT_ROWS + 11
    assert len(world.frame("prediction_log_quarantine")) == 1
    assert len(world.frame("serving_log")) == SEGMENT_ROWS + 12
    assert digests(world)["feedback_events"] == before["feedback_events"]
    put(world.settings, [prediction("p000001")])  # whose id the inbox has forgotten
    settled(world)
    assert len(world.frame("serving_log")) == SEGMENT_ROWS + 12
    assert "duplicate id" in set(world.frame("prediction_log_quarantine")["reason"])


def rows_waiting(settings: Settings) -> int:
    from feedback_assets.capture.inbox.open import open_reader

    reader = open_reader(settings)
    assert reader is not None
    streams: tuple[Stream, ...] = ("predictions", "feedback", "shadow", "refused_predictions")
    try:
        return sum(sum(reader.hours(s, "tiny", 0, reader.head()).values()) for s in streams)
    finally:
        reader.close()


def prune(settings: Settings) -> None:
    from feedback_assets.capture.inbox.open import prune_now

    assert prune_now(settings) > 0


def test_days_after_the_end_wait_until_the_end_is_taken_away(tmp_path: Path) -> None:
    ended = World(tmp_path, partitions={"start": "2024-01-01", "end": DAY})
    ended.at("2024-01-05")
    put(ended.settings, [prediction("a"), prediction("b", "2024-01-03T10:00")])
    settled(ended)
    assert list(ended.frame("prediction_log")["prediction_id"]) == ["a"]
    cursors = dict(ended.ticker.cursors)
    world = World(tmp_path, instance=ended.instance)
    world.at("2024-01-05")
    world.ticker.cursors.update(cursors)
    settled(world)
    assert list(world.frame("prediction_log")["prediction_id"]) == ["a", "b"]
