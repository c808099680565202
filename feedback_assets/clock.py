"""Time as a resource: the same assets and sensors run on today and on a replayed year."""

import datetime as dt


class Clock:
    """The system's time in UTC."""

    def now(self) -> dt.datetime:
        """The present, aware and in UTC."""
        return dt.datetime.now(dt.UTC)


class SimulatedClock(Clock):
    """A clock that stands still until it is set; it never runs backwards."""

    def __init__(self, start: dt.datetime) -> None:
        self._now = start.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        """The simulated present."""
        return self._now

    def advance(self, to: dt.datetime) -> None:
        """Set the clock.

        Raises:
            ValueError: `to` lies before the clock's present.
        """
        if to < self._now:
            raise ValueError(f"a clock cannot go back from {self._now} to {to}")
        self._now = to.astimezone(dt.UTC)
