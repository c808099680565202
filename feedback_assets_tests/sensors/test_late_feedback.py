"""Late feedback brings exactly the days it is about up to date, once."""

from pathlib import Path

import pandas as pd
import pytest

from feedback_assets.sensors import late_feedback
from feedback_assets_tests.sensors.scenes import asked, causes, keys, labels, tell
from feedback_assets_tests.worlds import World

RUN = " ".join(late_feedback.FOLLOWING)
FIRST, SECOND, FAR = "2024-01-01", "2024-01-02", "2024-01-06"


def joined(world: World) -> tuple[pd.DataFrame, str]:
    """Eight days joined with what is known of them, seen by a tick; their rows and its cursor."""
    rows = labels(world)
    tick = world.tick("late_feedback")
    assert asked(tick) == []
    return rows, tick.cursor or ""


def late(world: World, rows: pd.DataFrame, name: str, *days: str) -> None:
    """A correction of one row of each day, received on the newest possible day, and taken in."""
    about = rows[rows["prediction_id"].str.endswith("-0039")]
    about = about[about["prediction_id"].str[:10].isin(days)]
    received = about["event_time"] + pd.Timedelta(hours=60)
    world.feed(about, name, kind="correction", received_time=received.to_numpy())
    world.materialize(["feedback_events"], sorted({f"{t:%Y-%m-%d}" for t in received}))


def test_the_first_feedback_asks_for_the_days_it_is_about(world: World) -> None:
    world.live(FIRST, 3)
    world.at("2024-01-08")
    world.materialize(["prediction_log"], world.days(FIRST, 3))
    world.materialize(["feedback_events"], world.days(FIRST, 6))
    tick = world.tick("late_feedback")
    assert asked(tick) == [(RUN, FIRST, "2024-01-03")]
    assert causes(tick) == ["late_feedback"]


def test_no_feedback_is_skipped(world: World) -> None:
    tick = world.tick("late_feedback")
    assert (asked(tick), tick.skip_message) == ([], "no feedback since the last look")


def test_feedback_that_is_joined_already_is_skipped_with_the_number_of_days(world: World) -> None:
    labels(world)
    tick = world.tick("late_feedback")
    assert asked(tick) == []
    assert tick.skip_message == "feedback for 8 partitions, all joined already"


def test_nothing_new_is_skipped(world: World) -> None:
    _, cursor = joined(world)
    assert world.tick("late_feedback", cursor).skip_message == "no feedback since the last look"


def test_one_late_day_is_one_run_over_that_day(world: World) -> None:
    rows, cursor = joined(world)
    late(world, rows, "one", SECOND)
    assert asked(world.tick("late_feedback", cursor)) == [(RUN, SECOND, SECOND)]


def test_neighbours_are_one_run_and_distant_days_are_two(world: World) -> None:
    rows, cursor = joined(world)
    late(world, rows, "both", FIRST, SECOND, FAR)
    assert asked(world.tick("late_feedback", cursor)) == [
        (RUN, FIRST, SECOND),
        (RUN, FAR, FAR),
    ]


def test_several_materializations_between_two_ticks_are_all_seen(world: World) -> None:
    rows, cursor = joined(world)
    late(world, rows, "a", FIRST)
    late(world, rows, "b", FAR)
    late(world, rows, "c", "2024-01-08")
    days = [first for _, first, _ in asked(world.tick("late_feedback", cursor))]
    assert days == [FIRST, FAR, "2024-01-08"]


def test_more_than_one_tick_can_take_is_seen_in_the_next_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.live(FIRST, 3)
    world.at("2024-01-08")
    world.materialize(["prediction_log"], world.days(FIRST, 3))
    world.materialize(["feedback_events"], world.days(FIRST, 6))
    monkeypatch.setattr(late_feedback, "EVENTS_PER_TICK", 2)
    cursor, days = None, set[str]()
    for _ in range(3):
        tick = world.tick("late_feedback", cursor)
        cursor = tick.cursor
        for _, first, last in asked(tick):
            days |= {day for day in world.days(FIRST, 8) if first <= day <= last}
    assert days == set(world.days(FIRST, 3))
    assert world.tick("late_feedback", cursor).skip_message == "no feedback since the last look"


def test_a_lost_cursor_asks_only_for_what_is_behind(world: World) -> None:
    rows, _ = joined(world)
    late(world, rows, "one", SECOND)
    assert asked(world.tick("late_feedback", None)) == [(RUN, SECOND, SECOND)]
    world.materialize(["feedback_table"], [SECOND])
    assert asked(world.tick("late_feedback", None)) == []


def test_the_same_evidence_has_the_same_key_and_more_of_it_another(world: World) -> None:
    rows, cursor = joined(world)
    late(world, rows, "one", SECOND)
    first = keys(world.tick("late_feedback", cursor))
    assert first == keys(world.tick("late_feedback", cursor))
    late(world, rows, "two", SECOND)
    assert keys(world.tick("late_feedback", cursor)) != first


def test_days_that_were_never_logged_are_not_asked_for(world: World) -> None:
    tell(
        world,
        "feedback_events",
        FIRST,
        affected_partitions=f'["{FAR}"]',
        table_version=0,
    )
    assert asked(world.tick("late_feedback")) == []


def test_its_run_joins_exactly_those_days(tmp_path: Path) -> None:
    world = World(tmp_path, trigger={"when": {"new_labels": 10_000}})
    rows, _ = joined(world)
    list(world.ticker.settle())
    before = world.space.table("feedback_table").snapshot().partitions()
    late(world, rows, "one", SECOND)
    done = [f for f in world.ticker.settle() if f.sensor == "tiny_late_feedback"]
    assert [(f.success, f.cause) for f in done] == [(True, "late_feedback")]
    after = world.space.table("feedback_table").snapshot().partitions()
    assert [day for day in before if before[day].digest != after[day].digest] == [SECOND]
