"""A person reads any table by SQL, now or as it was, and writes none."""

import datetime as dt
from pathlib import Path

import pytest

from feedback_assets.errors import TableError
from feedback_assets.settings import Settings
from feedback_assets.tables.catalog import query, tables_of
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause, Table


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    with connect(settings) as con:
        for name in ("flights/log", "flights/pool", "order/log"):
            for value in (1, 2):
                Table(settings.tables, name, ["id"]).replace(
                    con,
                    f"SELECT {value} AS id, TIMESTAMPTZ '2013-02-01 06:00Z' AS event_time,"
                    " '2013-02-01' AS partition_key",
                    ["2013-02-01"],
                    Cause("run", name, {}),
                )
    return settings


def ids(settings: Settings, sql: str, **options: object) -> list[int]:
    """The result's ids."""
    return query(settings, sql, **options).column("id").to_pylist()


def test_lists_tables(settings: Settings) -> None:
    assert list(tables_of(settings.root)) == ["flights.log", "flights.pool", "order.log"]
    assert list(tables_of(settings.root, "order")) == ["order.log"]
    assert tables_of(settings.root / "none") == {}


@pytest.mark.parametrize(
    "sql",
    [
        "select id from flights.log",
        'FROM "flights"."log"',
        "with log as (from Flights.Log) select * from log",
        "select l.id from flights.log l join flights.pool p using (id)",
        'from "order".log',
        "from flights . log -- a comment",
    ],
)
def test_reads(settings: Settings, sql: str) -> None:
    assert ids(settings, sql) == [2]


def test_reads_a_version_and_a_time(settings: Settings) -> None:
    assert ids(settings, "from flights.log", version=0) == [1]
    first = tables_of(settings.root)["flights.log"].history()[-1].timestamp
    newest = dt.datetime.now(dt.UTC)
    assert ids(settings, "from flights.log", at=newest) == [2]
    with pytest.raises(TableError, match=r"flights\.log was not there yet"):
        query(settings, "from flights.log", at=first - dt.timedelta(days=1))


def test_times_are_utc(settings: Settings) -> None:
    (time,) = query(settings, "from flights.log").column("event_time").to_pylist()
    assert time == dt.datetime(2013, 2, 1, 6, tzinfo=dt.UTC)
    assert time.utcoffset() == dt.timedelta(0)


def test_a_limit(settings: Settings) -> None:
    assert query(settings, "from range(500_000)", limit=3).num_rows == 3
    assert query(settings, "from range(500_000)").num_rows == 500_000
    assert query(settings, "from flights.log where id > 5", limit=3).column_names[0] == "id"


@pytest.mark.parametrize("sql", ["describe flights.log", "summarize flights.log"])
def test_describes(settings: Settings, sql: str) -> None:
    assert query(settings, sql).column("column_name").to_pylist()[0] == "id"


def test_explains(settings: Settings) -> None:
    assert query(settings, "explain from flights.log").num_rows == 1


@pytest.mark.parametrize(
    ("sql", "options", "message"),
    [
        ("from flights.logs", {}, r"Tables: flights\.log, flights\.pool, order\.log"),
        ("from logs", {}, r"Tables: flights\.log"),
        ("select x from flights.log", {}, "Referenced column"),
        ("selec 1", {}, "syntax error"),
        ("", {}, "found: nothing"),
        ("select 1; select 2", {}, "found: SELECT, SELECT"),
        ("copy flights.log to 'x.csv'", {}, "found: COPY"),
        ("drop view flights.log", {}, "found: DROP"),
        ("insert into flights.log values (1)", {}, "found: INSERT"),
        ("from flights.log", {"version": 9}, "has no version 9"),
        ("from flights.log, flights.pool", {"version": 0}, "names 2"),
        ("select 1", {"version": 0}, "names 0"),
        ("select 'x'::int from flights.log", {}, "Could not convert"),
    ],
)
def test_says_what_is_wrong(settings: Settings, sql: str, options, message: str) -> None:
    with pytest.raises(TableError, match=message):
        query(settings, sql, **options)
