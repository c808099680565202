"""Clocks may be set while ages are measured; unknown keys cost nothing."""

from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.capture.inbox.seen import BITS, Seen
from feedback_assets.capture.inbox.steady import DOWNTIME_US, SteadyClock

SECOND = 1_000_000
YEAR = 365 * 86_400 * SECOND


class Clocks:
    def __init__(self):
        self.wall, self.monotonic = 10 * YEAR, 0

    def start(self, saved=None) -> SteadyClock:
        return SteadyClock(saved, lambda: self.wall, lambda: self.monotonic)

    def step(self, us: int) -> None:
        self.wall += us
        self.monotonic += us


def test_setting_the_wall_clock_changes_no_age():
    clocks = Clocks()
    clock = clocks.start()
    before = clock.now()
    clocks.step(5 * SECOND)
    clocks.wall += YEAR
    assert clock.now() == before + 5 * SECOND
    clocks.wall -= 3 * YEAR
    assert clock.now() == before + 5 * SECOND


def test_a_restart_with_a_clock_set_forward_lets_an_hour_pass_at_most():
    clocks = Clocks()
    saved = clocks.start().now_and_wall()
    clocks.wall += YEAR
    assert clocks.start(saved).now() == saved[0] + DOWNTIME_US


def test_a_restart_counts_a_short_time_between():
    clocks = Clocks()
    saved = clocks.start().now_and_wall()
    clocks.wall += 90 * SECOND
    assert clocks.start(saved).now() == saved[0] + 90 * SECOND


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(-YEAR, YEAR), st.booleans())))
def test_ages_never_shrink_and_grow_with_time_spent_running(steps):
    clocks = Clocks()
    clock = clocks.start()
    for run, jump, restart in steps:
        before = clock.now()
        clocks.step(run)
        clocks.wall += jump
        assert clock.now() == before + run
        if restart:
            saved = clock.now_and_wall()
            clocks.wall += jump
            clock = clocks.start(saved)
            assert 0 <= clock.now() - saved[0] <= DOWNTIME_US


def test_added_keys_are_known_for_their_life_and_most_others_are_not():
    now = [0.0]
    seen = Seen(100, lambda: now[0])
    for number in range(1_000):
        seen.add("anna", f"k{number}")
    assert all(seen.may_know("anna", f"k{number}") for number in range(1_000))
    assert sum(seen.may_know("bert", f"k{number}") for number in range(1_000)) < 5
    now[0] = 101
    seen.add("anna", "new")
    assert all(seen.may_know("anna", f"k{number}") for number in range(1_000))
    now[0] = 203
    seen.add("anna", "newer")
    assert seen.may_know("anna", "new")
    assert sum(seen.may_know("anna", f"k{number}") for number in range(1_000)) < 5
    assert len(seen._young) == BITS // 8
