"""Moments as logs write them."""

import datetime as dt
import math
from typing import Any

from feedback_assets.capture.importers.records import UnexpectedError

_SCALES = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0), (1e20, 0.001))
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_LAST = 253_402_300_800_000_000  # the year 10000
_FIRST = -62_135_596_800_000_000  # the year 1


def micros(value: Any, name: str) -> int | None:
    """Return a moment in microseconds since 1970 UTC; None for none.

    Read are ISO 8601 texts (UTC where they name no zone; BigQuery's " UTC" too), datetimes, dates,
    and numbers: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size.

    Raises:
        UnexpectedError: if the value is there and no moment; the message has `name`.

    >>> micros("2024-05-01T00:00:01Z", "time"), micros(1714521601000, "time")
    (1714521601000000, 1714521601000000)
    """
    if value is None or value == "":
        return None
    found: int | None = None
    if isinstance(value, str):
        found = _of_text(value.strip())
    elif isinstance(value, dt.datetime):
        found = _of_datetime(value)
    elif isinstance(value, dt.date):
        found = _of_datetime(dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = _of_number(value)
    if found is None or not _FIRST <= found < _LAST:
        raise UnexpectedError(f"{name} cannot be read as a time (ISO 8601 or a number since 1970)")
    return found


def _of_text(text: str) -> int | None:
    if text[:1].isdigit() and text.replace(".", "", 1).isdigit() and len(text) > 8:
        return _of_number(float(text))
    try:
        return _of_datetime(dt.datetime.fromisoformat(text.removesuffix(" UTC")))
    except (ValueError, OverflowError):
        return None


def _of_datetime(moment: dt.datetime) -> int | None:
    try:
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return (aware - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError, TypeError):
        return None


def _of_number(number: float) -> int | None:
    if isinstance(number, float) and not math.isfinite(number):
        return None
    size = abs(number)
    scale = next((scale for limit, scale in _SCALES if size < limit), None)
    if scale is None:
        return None
    if isinstance(number, int):  # a float of today's microseconds has no room for all digits
        return number * int(scale) if scale >= 1 else number // 1000
    return round(number * scale)
