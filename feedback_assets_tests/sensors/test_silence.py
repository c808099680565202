"""Time that passes while the sources are silent is no reason to train."""

import datetime as dt

import pytest

from feedback_assets.assets.evidence import present
from feedback_assets.assets.ledger import decisions
from feedback_assets_tests.worlds import World, moment


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A first model on January 12, four days of traffic after it, and then a year of nothing."""
    made = World(
        tmp_path_factory.mktemp("silence"),
        trigger={"when": {"any": [{"new_labels": 10_000}, {"every_days": 7}]}},
    )
    made.first_model()
    made.live("2024-01-12", 4)
    made.at("2024-01-18")
    made.dataflow("2024-01-12", 6)
    made.at("2025-01-18")
    return made


def test_a_year_of_silence_is_not_a_year_without_retrain(world: World) -> None:
    tick = world.tick("retrain")
    assert not tick.run_requests
    assert "labels" in str(tick.skip_message)


def test_days_count_up_to_the_newest_row(world: World) -> None:
    retrained = decisions(world.space, "retrain")[-1].time
    now = present(world.space, world.clock.now(), retrained)
    assert moment("2024-01-16") <= now <= moment("2024-01-19")


def test_a_short_silence_is_none(world: World) -> None:
    retrained = decisions(world.space, "retrain")[-1].time
    now = moment("2024-01-19")
    assert present(world.space, now, retrained) == now


def test_old_rows_that_arrive_after_a_retrain_do_not_stop_the_clock(world: World) -> None:
    now = world.clock.now()
    assert present(world.space, now, now - dt.timedelta(days=10)) == now
