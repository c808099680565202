"""New files start the dataflow for exactly the days they hold, once."""

import json

import pytest

from feedback_assets.assets.space import DATAFLOW
from feedback_assets.sensors.arrivals import pack, unpack
from feedback_assets_tests.sensors.scenes import asked, causes, keys
from feedback_assets_tests.worlds import World

DAY, NEXT = "2024-01-01", "2024-01-02"
OF_PREDICTIONS = " ".join(DATAFLOW)
OF_BOTH = f"feedback_events {OF_PREDICTIONS}"


def started(world: World) -> str:
    """A tick that has seen the files of two days at both sources; its cursor."""
    world.live(DAY, 2)
    tick = world.tick("arrivals")
    assert asked(tick) == [(OF_BOTH, DAY, "2024-01-04")]
    return tick.cursor or ""


def test_the_first_files_ask_for_their_days_in_one_run(world: World) -> None:
    world.live(DAY, 2)
    tick = world.tick("arrivals")
    assert asked(tick) == [(OF_BOTH, DAY, "2024-01-04")]
    assert causes(tick) == ["arrival"]
    (request,) = tick.run_requests or ()
    evidence = json.loads(request.tags["feedback_assets/evidence"])
    assert evidence == {"files": 4, "partitions": "2024-01-01..2024-01-04"}


def test_nothing_is_judged_again_for_feedback_that_reaches_back(world: World) -> None:
    cursor = started(world)
    world.predict(world.rows("2024-01-05"), "p5")
    rows = world.rows("2024-01-05")
    known = [f"2024-01-{3 + number % 4:02d}T01:00:00Z" for number in range(len(rows))]
    world.feed(rows, "f5", received_time=known)
    assert asked(world.tick("arrivals", cursor)) == [
        ("feedback_events", "2024-01-03", "2024-01-04"),
        (OF_BOTH, "2024-01-05", "2024-01-06"),
    ]


def test_nothing_at_all_is_skipped(world: World) -> None:
    tick = world.tick("arrivals")
    assert asked(tick) == []
    assert tick.skip_message == "no new file among 0 at the sources"


def test_nothing_new_is_skipped_with_the_number_of_files(world: World) -> None:
    cursor = started(world)
    tick = world.tick("arrivals", cursor)
    assert asked(tick) == []
    assert tick.skip_message == "no new file among 4 at the sources"


def test_new_predictions_alone_leave_feedback_alone(world: World) -> None:
    cursor = started(world)
    world.predict(world.rows("2024-01-06"), "p6")
    assert asked(world.tick("arrivals", cursor)) == [(OF_PREDICTIONS, "2024-01-06", "2024-01-06")]


def test_new_feedback_alone_leaves_predictions_alone(world: World) -> None:
    cursor = started(world)
    world.feed(world.rows("2024-01-06", n=1), "f6")
    ((assets, first, last),) = asked(world.tick("arrivals", cursor))
    assert assets == "feedback_events"
    assert first == last == "2024-01-07"


def test_both_on_the_same_day_are_one_run_and_distant_days_are_two(world: World) -> None:
    cursor = started(world)
    world.predict(world.rows("2024-01-06"), "p6")
    world.predict(world.rows("2024-01-10"), "p10")
    world.feed(world.rows("2024-01-04", n=1), "f4", received_time="2024-01-06T01:00:00Z")
    assert asked(world.tick("arrivals", cursor)) == [
        (OF_BOTH, "2024-01-06", "2024-01-06"),
        (OF_PREDICTIONS, "2024-01-10", "2024-01-10"),
    ]


def test_a_backfill_between_two_ticks_is_seen_whole(world: World) -> None:
    cursor = started(world)
    for day in world.days("2024-02-01", 40):
        world.predict(world.rows(day, n=2), day)
    runs = asked(world.tick("arrivals", cursor))
    assert runs == [
        (OF_PREDICTIONS, "2024-02-01", "2024-03-02"),
        (OF_PREDICTIONS, "2024-03-03", "2024-03-11"),
    ]


def test_a_lost_cursor_runs_nothing_again(world: World) -> None:
    started(world)
    world.at("2024-01-06")
    world.dataflow(DAY, 4)
    tick = world.tick("arrivals", None)
    assert asked(tick) == []
    assert tick.skip_message == "no new file among 4 at the sources"
    world.predict(world.rows("2024-01-06"), "p6")
    assert asked(world.tick("arrivals", tick.cursor)) == [
        (OF_PREDICTIONS, "2024-01-06", "2024-01-06")
    ]


def test_a_tick_that_is_repeated_asks_under_the_same_key(world: World) -> None:
    world.live(DAY, 2)
    assert keys(world.tick("arrivals")) == keys(world.tick("arrivals"))


def test_keys_are_made_of_the_files_not_of_the_days(world: World) -> None:
    cursor = started(world)
    path = world.predict(world.rows("2024-01-06"), "p6")
    first = world.tick("arrivals", cursor)
    path.unlink()
    world.predict(world.rows("2024-01-06", n=41), "p6")
    second = world.tick("arrivals", first.cursor)
    assert asked(first) == asked(second)
    assert keys(first) != keys(second)


def test_a_file_still_being_written_is_left_alone(world: World) -> None:
    cursor = started(world)
    path = world.predict(world.rows("2024-01-06"), "p6")
    path.rename(path.with_name("p6.parquet.tmp"))
    assert asked(world.tick("arrivals", cursor)) == []


def test_rows_of_days_that_no_run_can_take_are_told(world: World) -> None:
    world.predict(world.rows("2023-12-30"), "too-old")
    tick = world.tick("arrivals")
    assert asked(tick) == []
    assert "left out" in (tick.skip_message or "")
    assert "2023-12-30 (2024-01-01 to" in (tick.skip_message or "")
    world.predict(world.rows("2023-12-31"), "also-too-old")
    world.predict(world.rows(DAY), "good")
    assert asked(world.tick("arrivals", tick.cursor)) == [(OF_PREDICTIONS, DAY, DAY)]


@pytest.mark.parametrize("fingerprints", [set(), {"00" * 8}, {"0123456789abcdef", "ff" * 8}])
def test_cursors_are_unpacked_as_packed(fingerprints: set[str]) -> None:
    cursor = pack(fingerprints)
    assert cursor
    assert unpack(cursor) == fingerprints


def test_a_file_that_holds_later_hours_is_read_again_when_the_day_is_over(world: World) -> None:
    rows = world.rows(DAY)
    world.predict(rows, "p")
    world.at(f"{DAY}T12:00")
    list(world.ticker.settle())
    stored = len(world.frame("prediction_log"))
    assert 0 < stored < len(rows)
    assert world.metadata("prediction_log", DAY)["future"] == len(rows) - stored
    assert list(world.ticker.settle()) == []
    world.at(NEXT)
    assert len(list(world.ticker.settle())) == 1
    assert len(world.frame("prediction_log")) == len(rows)
    assert list(world.ticker.settle()) == []
