import datetime as dt

import duckdb
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.capture.contract import feedback_schema, prediction_schema
from feedback_assets.capture.screen import failure_cases, rules_of
from feedback_assets.errors import ConfigError, ContractError
from feedback_assets_tests.capture.conftest import make_config

CONFIG = make_config(
    columns={
        "numeric": ["distance", "level"],
        "segments": ["region"],
        "rules": {
            "distance": {"min": -1.5, "max": 10, "required": True},
            "level": {"allowed": ["1", "2.5"]},
            "carrier": {"allowed": ["UA", "O'Hare"], "required": True},
        },
    }
)
SCHEMA = prediction_schema(CONFIG)

FLOATS = st.sampled_from([None, float("nan"), -2.0, -1.5, 0.0, 0.5, 1.0, 1.5, 2.5, 10.0, 11.0])
TEXTS = st.sampled_from([None, "", "UA", "O'Hare", "served", "boss", "x"])
TIMES = st.sampled_from([None, dt.datetime(2013, 2, 1, tzinfo=dt.UTC)])
OF = {"float64": FLOATS, "string": TEXTS, "Int64": st.sampled_from([None, 0, 1, 2])}
SQL = {"float64": "DOUBLE", "string": "VARCHAR", "Int64": "BIGINT"}


def strategy_of(dtype: str):
    return OF.get(dtype.split("[")[0], TIMES)


@st.composite
def frames(draw):
    count = draw(st.integers(1, 6))
    columns = {
        name: draw(st.lists(strategy_of(str(column.dtype)), min_size=count, max_size=count))
        for name, column in SCHEMA.columns.items()
    }
    columns["prediction_id"] = draw(
        st.lists(
            st.sampled_from([None, "a", "b", "c", "d", "e", "f"]), min_size=count, max_size=count
        )
    )
    return columns


def by_pandera(columns: dict[str, list]) -> set[tuple[int, str, str]]:
    frame = pd.DataFrame({
        name: pd.Series(
            pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")
            if str(SCHEMA.columns[name].dtype).startswith("datetime")
            else pd.array(values, dtype=str(SCHEMA.columns[name].dtype))
            if str(SCHEMA.columns[name].dtype) != "float64"
            else pd.Series(values, dtype="float64")
        )
        for name, values in columns.items()
    })  # fmt: skip
    try:
        SCHEMA.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        names = cases["check"].str.replace(r"\(.*", "", regex=True)
        return {
            (int(i), c, n)
            for i, c, n in zip(cases["index"], cases["column"], names, strict=True)
            if n != "field_uniqueness"
        }
    return set()


def by_sql(columns: dict[str, list]) -> set[tuple[int, str, str]]:
    types = {
        n: SQL.get(str(c.dtype).split("[")[0], "TIMESTAMPTZ") for n, c in SCHEMA.columns.items()
    }
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            "CREATE TABLE t (" + ", ".join(f'"{n}" {t}' for n, t in types.items()) + ", i INT)"
        )
        marks = ", ".join("?" * (len(types) + 1))
        for i, row in enumerate(zip(*columns.values(), strict=True)):
            con.execute(f"INSERT INTO t VALUES ({marks})", [*row, i])
        return {
            (i, rule.column, rule.check)
            for rule in rules_of(SCHEMA)
            for (i,) in con.execute(f"SELECT i FROM t WHERE {rule.breaks}").fetchall()
        }


@settings(max_examples=60, deadline=None)
@given(columns=frames())
def test_sql_and_pandera_refuse_the_same_values_of_the_same_rows(columns):
    assert by_sql(columns) == by_pandera(columns)


def test_every_kind_of_rule_is_tried_above():
    assert {rule.check for rule in rules_of(SCHEMA)} == {
        "not_nullable", "isin", "greater_than", "greater_than_or_equal_to", "less_than_or_equal_to",
    }  # fmt: skip


def test_a_rule_without_a_translation_is_an_error():
    schema = pa.DataFrameSchema({"a": pa.Column("string", pa.Check.str_startswith("x"))})
    with pytest.raises(ContractError, match="a: check 'str_startswith' has no SQL"):
        rules_of(schema)


def test_the_cases_of_a_stored_relation(con):
    con.execute(
        "CREATE TABLE t AS SELECT i::VARCHAR AS event_id, 'p' AS prediction_id, "
        "CASE WHEN i = 3 THEN 'gossip' ELSE 'label' END AS kind, '1' AS value, now() AS event_time, "
        "now() AS received_time, NULL AS source, i / 4 AS confidence, 'f' AS source_file, "
        "'2013-02-01' AS partition_key FROM range(8) r(i) UNION ALL BY NAME "
        "SELECT '1' AS event_id, 'p' AS prediction_id, 'label' AS kind, now() AS event_time, "
        "now() AS received_time, 1.0 AS confidence, 'f' AS source_file, '2013-02-01' AS partition_key"
    )

    found = failure_cases(con, "t", feedback_schema(CONFIG), limit=2)

    shown = found[["column", "check", "failures", "row_id", "value"]].values.tolist()
    assert shown == [
        ["kind", "isin", 1, "3", "gossip"],
        ["confidence", "less_than_or_equal_to", 3, "5", "1.25"],
        ["confidence", "less_than_or_equal_to", 3, "6", "1.5"],
        ["event_id", "unique", 1, "1", "1"],
        ["event_id", "unique", 1, "1", "1"],
    ]
    assert failure_cases(
        con, "(SELECT * FROM t WHERE event_id = '0')", feedback_schema(CONFIG)
    ).empty


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"carrier": {"min": 1}}, "columns.rules.carrier: min and max fit numeric columns only"),
        ({"distance": {"allowed": ["far"]}}, "columns.rules.distance.allowed: .*'far'"),
    ],
)
def test_a_rule_that_does_not_fit_its_column_is_a_config_error(rules, words):
    with pytest.raises(ConfigError, match=words):
        prediction_schema(make_config(columns={"rules": rules}))
