"""A clock for ages that setting the wall clock does not disturb."""

import time
from collections.abc import Callable

DOWNTIME_US = 3_600_000_000
"""The most that passes while nothing runs: no one can tell longer from a clock that was set. Rows
are kept a little longer for it."""


def _wall_us() -> int:
    return time.time_ns() // 1_000


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1_000


class SteadyClock:
    """Microseconds that only grow: time measured while running, and a bounded time between."""

    def __init__(
        self,
        saved: tuple[int, int] | None,
        wall: Callable[[], int] = _wall_us,
        monotonic: Callable[[], int] = _monotonic_us,
    ) -> None:
        """Go on from what `now_and_wall` gave last, or from the wall clock."""
        self._wall = wall
        self._monotonic = monotonic
        at = wall()
        if saved is None:
            self._start = at
        else:
            steady, before = saved
            self._start = steady + min(max(at - before, 0), DOWNTIME_US)
        self._begun = monotonic()

    def now(self) -> int:
        """Microseconds; near to UTC as long as nobody sets the clock."""
        return self._start + self._monotonic() - self._begun

    def now_and_wall(self) -> tuple[int, int]:
        """What to save, to go on from there."""
        return self.now(), self._wall()
