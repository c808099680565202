"""Times as clients state them: ISO 8601 or microseconds since 1970."""

import calendar
import datetime as dt
import re
import time

from feedback_assets.config.schema import Config

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
NO_TIME = "must be a time: ISO 8601 (UTC without a zone) or microseconds since 1970"
_MICROSECOND = dt.timedelta(microseconds=1)


def wall_us() -> int:
    """The present in microseconds since 1970, UTC."""
    return time.time_ns() // 1_000


def micros(said: object) -> int | None:
    """Microseconds since 1970 of a stated time; None when it is none.

    >>> micros("1970-01-01T01:00:00.5+01:00"), micros(7), micros("now"), micros(True)
    (500000, 7, None, None)
    """
    if type(said) is int:
        return said
    if not isinstance(said, str) or not ISO.match(said):
        return None
    try:
        moment = dt.datetime.fromisoformat(said.upper())
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - EPOCH) // _MICROSECOND


def iso(us: int) -> str:
    """A time as an answer tells it."""
    return (EPOCH + dt.timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


class Moments:
    """The times that a loop takes."""

    def __init__(self, config: Config) -> None:
        self.earliest = calendar.timegm(config.partitions.start.timetuple()) * 1_000_000
        self.ahead = int(config.serve.limits.future_seconds * 1_000_000)
        self._start = config.partitions.start

    def fault(self, us: int | None, now: int) -> str | None:
        """What is wrong with a stated time; None when it may stand."""
        if us is None:
            return NO_TIME
        if us < self.earliest:
            return f"lies before the loop's first partition, {self._start}"
        if us > now + self.ahead:
            return f"lies more than {self.ahead / 1e6:g} seconds ahead of the service's clock"
        return None
