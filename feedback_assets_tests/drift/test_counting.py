"""A table's rows land in the cells that counting a column alone gives, whatever the values are."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.binning import tally
from feedback_assets.drift.counting import PROFILE_COLUMNS
from feedback_assets.drift.profile import ReferenceProfile, build
from feedback_assets.drift.profiling import profile_rows
from feedback_assets.drift.stretch import stretch

KINDS = {"x": "numeric", "c": "categorical", "t": "text", "label": "categorical"}
SEGMENTS = {"place": ["north", "south"]}
NASTY = ["a", "b", "", " ", "it's", '"x"', "<script>alert(1)</script>", "über", "3", "3.0"]


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows).round(2).astype(object)
    x[rng.random(rows) < 0.05] = None
    return pd.DataFrame(
        {
            "partition_key": rng.choice(["2024-01-01", "2024-01-02"], rows),
            "model_version": rng.choice(np.array(["1", "2", None], dtype=object), rows),
            "x": x,
            "c": rng.choice(np.array([*NASTY, None], dtype=object), rows),
            "t": rng.choice(np.array(["hello world", " x ", "", "   ", None], dtype=object), rows),
            "label": rng.choice(np.array([0, 1, None], dtype=object), rows),
            "place": rng.choice(np.array(["north", "south", "west", None], dtype=object), rows),
        }
    )


def table(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> None:
    # Arrow tells null from NaN, pandas does not.
    arrays = {name: pa.array(rows[name].tolist(), from_pandas=False) for name in rows}
    con.register("given", pa.table(arrays))
    con.execute(
        """CREATE OR REPLACE TABLE t AS SELECT partition_key, model_version,
           CAST(x AS DOUBLE) AS x, CAST(c AS VARCHAR) AS c, CAST(t AS VARCHAR) AS t,
           CAST(label AS BIGINT) AS label, CAST(place AS VARCHAR) AS place FROM given"""
    )


def reference(rows: pd.DataFrame, **policy: int) -> ReferenceProfile:
    data = {name: rows[name] for name in KINDS}
    return build(
        data, KINDS, Drift(**policy), {"label": "label"}, rows["partition_key"],
        segments={"place": rows["place"]},
    )  # fmt: skip


def counted(profile: ReferenceProfile, rows: pd.DataFrame, kept: int = 10) -> pd.DataFrame:
    with duckdb.connect() as con:
        table(con, rows)
        return profile_rows(con, list(profile.columns.values()), "t", SEGMENTS, 7, kept)


@pytest.mark.parametrize("name", list(KINDS))
def test_a_profile_counts_what_a_tally_counts(name):
    profile, rows = reference(frame(400)), frame(900, seed=1)
    found = counted(profile, rows)
    assert list(found.columns) == list(PROFILE_COLUMNS)
    column = profile.columns[name]
    values = rows[name] if column.role == "feature" else rows[name].dropna()
    want = tally(values.to_numpy(), column.bins)
    here = found[(found["column_name"] == name) & (found["segment"] == "")]
    size = column.bins.size
    assert np.bincount(here["bin"], here["rows"], size).tolist() == want.counts[0].tolist()
    np.testing.assert_allclose(np.bincount(here["bin"], here["total"], size), want.sums[0])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
        min_size=1,
        max_size=60,
    )
)
def test_no_number_falls_outside_the_cells(numbers):
    profile = reference(frame(200))
    rows = frame(len(numbers)).assign(x=pd.Series(numbers, dtype=object))
    here = counted(profile, rows)
    here = here[(here["column_name"] == "x") & (here["segment"] == "")]
    assert here["rows"].sum() == len(numbers)
    masked = np.ma.masked_array(
        [0.0 if n is None else n for n in numbers], [n is None for n in numbers]
    )
    want = tally(masked, profile.columns["x"].bins).counts[0]
    size = profile.columns["x"].bins.size
    assert np.bincount(here["bin"], here["rows"], size).tolist() == want.tolist()


def test_slices_versions_and_days_add_up_to_the_whole():
    profile, rows = reference(frame(400)), frame(700, seed=2)
    found = counted(profile, rows)
    whole = found[found["segment"] == ""].groupby(["column_name", "bin"])["rows"].sum()
    parts = found[found["segment"] == "place"].groupby(["column_name", "bin"])["rows"].sum()
    pd.testing.assert_series_equal(whole, parts)
    assert set(found.loc[found["segment"] == "place", "segment_value"]) == {
        "north", "south", "null", "other values",
    }  # fmt: skip
    halves = [counted(profile, part) for part in (rows[:300], rows[300:])]
    both = pd.concat(halves).groupby(["column_name", "segment_value", "bin"])["rows"].sum()
    once = found.groupby(["column_name", "segment_value", "bin"])["rows"].sum()
    pd.testing.assert_series_equal(once, both)


def test_unseen_categories_keep_their_names_most_frequent_first():
    profile = reference(frame(300))
    rows = frame(300, seed=3)
    rows.loc[:49, "c"], rows.loc[50:69, "c"], rows.loc[70:74, "c"] = "new", "rare", "rarest"
    here = counted(profile, rows.assign(partition_key="d", model_version="1"), kept=2)
    named = here[(here["column_name"] == "c") & (here["value"] != "")]
    assert dict(zip(named["value"], named["rows"], strict=True)) == {"new": 50, "rare": 20}
    unseen = here[(here["bin"] == profile.columns["c"].bins.unknown) & (here["segment"] == "")]
    assert unseen[unseen["column_name"] == "c"]["rows"].sum() == 75


def test_a_profile_reads_back_as_the_tallies_it_was_counted_from():
    profile, rows = reference(frame(400)), frame(600, seed=4)
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    with duckdb.connect() as con:
        con.register("profiles", counted(profile, rows))
        back = stretch(con, "profiles", profile, days, 7)
        assert not any(tally.counts.any() for tally in stretch(con, "profiles", profile, days, 8)[
            ("", "")
        ].values())  # fmt: skip
    groups = np.array([days.index(day) for day in rows["partition_key"]])
    want = tally(rows["c"].to_numpy(), profile.columns["c"].bins, groups, len(days))
    assert back["", ""]["c"].counts.tolist() == want.counts.tolist()
    north = rows[rows["place"] == "north"]
    assert back["place", "north"]["c"].counts.sum() == len(north)


def test_answers_are_of_the_version_itself_where_it_answered():
    rows = frame(500, seed=5).assign(score=0.5)
    with_score = build(
        {"score": rows["score"]}, {"score": "numeric"}, Drift(), {"score": "score"}
    )  # fmt: skip
    with duckdb.connect() as con:
        table(con, rows)
        con.execute("CREATE TABLE s AS SELECT *, 0.5::DOUBLE AS score FROM t")
        con.register(
            "profiles", profile_rows(con, list(with_score.columns.values()), "s", {}, 2, 0)
        )
        own = stretch(con, "profiles", with_score, ["2024-01-01", "2024-01-02"], 2)
    assert own["", ""]["score"].counts.sum() == (rows["model_version"] == "2").sum()
