"""Each new candidate is judged once, whatever happens between ticks."""

from feedback_assets_tests.sensors.scenes import asked, causes, decide, keys, tell
from feedback_assets_tests.worlds import World

RUN = ("promoted_model", "", "")


def candidate(world: World, version: int) -> None:
    tell(world, "candidate_model", model_version=version, onnx_digest=f"d{version}")


def seen(world: World) -> str:
    """Version 1 was judged; the cursor of a tick that knows."""
    candidate(world, 1)
    decide(world, "promote", 1, "2024-01-05")
    return world.tick("promotion").cursor or ""


def test_the_first_candidate_is_to_be_judged(world: World) -> None:
    candidate(world, 1)
    tick = world.tick("promotion")
    assert (asked(tick), causes(tick)) == ([RUN], ["candidate"])
    assert keys(tick) == ["tiny:promotion:1:d1"]
    (request,) = tick.run_requests or ()
    assert request.tags["feedback_assets/candidate"] == "1"


def test_nothing_new_is_skipped(world: World) -> None:
    assert world.tick("promotion").skip_message == "no candidate since the last look"
    assert asked(world.tick("promotion", seen(world))) == []


def test_a_new_candidate_is_to_be_judged(world: World) -> None:
    cursor = seen(world)
    candidate(world, 2)
    assert keys(world.tick("promotion", cursor)) == ["tiny:promotion:2:d2"]


def test_a_candidate_that_was_judged_by_hand_is_skipped_by_name(world: World) -> None:
    cursor = seen(world)
    candidate(world, 2)
    decide(world, "refuse", 2, "2024-01-06")
    tick = world.tick("promotion", cursor)
    assert (asked(tick), tick.skip_message) == ([], "candidates 2: judged already")


def test_of_both_only_the_one_that_was_not_judged(world: World) -> None:
    cursor = seen(world)
    for version in (2, 3):
        candidate(world, version)
    decide(world, "refuse", 2, "2024-01-06")
    assert keys(world.tick("promotion", cursor)) == ["tiny:promotion:3:d3"]


def test_several_between_two_ticks_are_all_judged(world: World) -> None:
    cursor = seen(world)
    for version in (2, 3, 4):
        candidate(world, version)
    assert keys(world.tick("promotion", cursor)) == [f"tiny:promotion:{v}:d{v}" for v in (2, 3, 4)]


def test_one_candidate_told_twice_is_judged_once(world: World) -> None:
    cursor = seen(world)
    candidate(world, 2)
    candidate(world, 2)
    assert keys(world.tick("promotion", cursor)) == ["tiny:promotion:2:d2"]


def test_a_lost_cursor_asks_only_for_what_was_not_judged(world: World) -> None:
    seen(world)
    assert asked(world.tick("promotion", None)) == []
    candidate(world, 2)
    assert keys(world.tick("promotion", None)) == ["tiny:promotion:2:d2"]
