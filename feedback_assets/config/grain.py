"""How time is cut into partitions: their keys, bounds and the SQL that names them.

Keys sort as text in the order of time: `2013-02-01` (daily), `2013-02-01T14` (hourly) and the
Monday `2013-02-04` (weekly). All times are UTC.
"""

import datetime as dt
from typing import Literal

Grain = Literal["hourly", "daily", "weekly"]

_FORMATS: dict[str, str] = {"hourly": "%Y-%m-%dT%H", "daily": "%Y-%m-%d", "weekly": "%Y-%m-%d"}
_LENGTHS: dict[str, dt.timedelta] = {
    "hourly": dt.timedelta(hours=1),
    "daily": dt.timedelta(days=1),
    "weekly": dt.timedelta(days=7),
}


def partition_key_sql(grain: Grain, expr: str) -> str:
    """Return SQL, for DuckDB and Spark in a UTC session, of the key of the timestamp `expr`.

    >>> partition_key_sql("daily", "event_time")
    'CAST(CAST(event_time AS DATE) AS STRING)'
    """
    if grain == "hourly":
        return f"REPLACE(SUBSTR(CAST({expr} AS STRING), 1, 13), ' ', 'T')"
    if grain == "weekly":
        return f"CAST(CAST(DATE_TRUNC('week', {expr}) AS DATE) AS STRING)"
    return f"CAST(CAST({expr} AS DATE) AS STRING)"


def partition_format(grain: Grain) -> str:
    """Return the strftime format of a grain's keys."""
    return _FORMATS[grain]


def partition_key_of(grain: Grain, moment: dt.datetime) -> str:
    """Return the key of the partition that holds an aware `moment`.

    Raises:
        ValueError: if `moment` has no time zone.

    >>> partition_key_of("weekly", dt.datetime(2013, 2, 6, 23, tzinfo=dt.UTC))
    '2013-02-04'
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: partitions are cut in UTC")
    moment = moment.astimezone(dt.UTC)
    if grain == "weekly":
        moment -= dt.timedelta(days=moment.weekday())
    return moment.strftime(_FORMATS[grain])


def partition_start(grain: Grain, key: str) -> dt.datetime:
    """Return the first moment of the partition `key`.

    Raises:
        ValueError: if `key` is not a key of this grain (a weekly one is a Monday).
    """
    try:
        start = dt.datetime.strptime(key, _FORMATS[grain]).replace(tzinfo=dt.UTC)
    except ValueError as error:
        raise ValueError(
            f"{key!r} is not a {grain} partition key like {_example(grain)}"
        ) from error
    if partition_key_of(grain, start) != key:
        raise ValueError(f"{key!r} is not a {grain} partition key like {_example(grain)}")
    return start


def partition_end(grain: Grain, key: str) -> dt.datetime:
    """Return the first moment after the partition `key`."""
    return partition_start(grain, key) + _LENGTHS[grain]


def partition_range(grain: Grain, first: str, last: str) -> list[str]:
    """Return every key from `first` to `last`, both included; empty when `last` is earlier.

    >>> partition_range("daily", "2013-02-27", "2013-03-01")
    ['2013-02-27', '2013-02-28', '2013-03-01']
    """
    start, end = partition_start(grain, first), partition_start(grain, last)
    count = (end - start) // _LENGTHS[grain] + 1
    return [partition_key_of(grain, start + i * _LENGTHS[grain]) for i in range(count)]


def _example(grain: Grain) -> str:
    return partition_key_of(grain, dt.datetime(2013, 2, 4, 14, tzinfo=dt.UTC))
