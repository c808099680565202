import datetime as dt
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.grain import (
    partition_end,
    partition_key_of,
    partition_key_sql,
    partition_range,
    partition_start,
)

GRAINS = ("hourly", "daily", "weekly")
MOMENTS = st.datetimes(  # the bounds are naive, the zones are drawn
    dt.datetime(1950, 1, 1),  # noqa: DTZ001
    dt.datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.timezones(),
).filter(lambda moment: moment.utcoffset() is not None)


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


@pytest.mark.parametrize("grain", GRAINS)
@settings(max_examples=60, deadline=None)
@given(moment=MOMENTS)
def test_the_key_in_sql_is_the_key_in_python(con, grain, moment):
    sql = f"SELECT {partition_key_sql(grain, 'CAST(? AS TIMESTAMPTZ)')}"
    naive = f"SELECT {partition_key_sql(grain, 'CAST(? AS TIMESTAMP)')}"
    utc = moment.astimezone(dt.UTC)

    key = partition_key_of(grain, moment)

    assert con.execute(sql, [utc.isoformat()]).fetchone() == (key,)
    assert con.execute(naive, [utc.replace(tzinfo=None).isoformat()]).fetchone() == (key,)
    assert partition_start(grain, key) <= moment < partition_end(grain, key)


def test_keys_read_as_people_write_them():
    moment = dt.datetime(2013, 2, 6, 14, 59, tzinfo=dt.UTC)

    keys = [partition_key_of(grain, moment) for grain in GRAINS]

    assert keys == ["2013-02-06T14", "2013-02-06", "2013-02-04"]


@pytest.mark.parametrize(
    ("grain", "first", "last", "count"),
    [
        ("daily", "2013-01-01", "2013-12-31", 365),
        ("hourly", "2013-03-09T00", "2013-03-11T23", 72),
        ("weekly", "2012-12-31", "2013-01-14", 3),
        ("daily", "2013-01-02", "2013-01-01", 0),
    ],
)
def test_a_range_is_complete_ordered_and_touches(grain, first, last, count):
    keys = partition_range(grain, first, last)

    assert len(keys) == count
    assert keys == sorted(keys)
    assert all(partition_end(grain, a) == partition_start(grain, b) for a, b in pairwise(keys))
    assert (keys[0], keys[-1]) == (first, last) if count else keys == []


@pytest.mark.parametrize(
    ("grain", "key"),
    [("weekly", "2013-02-05"), ("daily", "2013-02-30"), ("daily", "2013-2-3"), ("hourly", "x")],
)
def test_a_key_of_another_grain_is_refused(grain, key):
    with pytest.raises(ValueError, match=f"'{key}' is not a {grain} partition key like 2013-02-04"):
        partition_start(grain, key)


def test_a_naive_moment_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        partition_key_of("daily", dt.datetime(2013, 1, 1))  # noqa: DTZ001
