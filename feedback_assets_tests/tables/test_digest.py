"""The digest tells content apart and nothing else."""

import math
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.errors import TableError
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import combine, digest_of

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("number", pa.float64()),
        ("text", pa.string()),
        ("flag", pa.bool_()),
        ("time", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
    ]
)
ROW = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(),
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        "flag": st.none() | st.booleans(),
        "time": st.none() | st.integers(0, 2**40),
        "day": st.none() | st.integers(0, 20_000),
    }
)
ROWS = st.lists(ROW, min_size=1, max_size=12)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Number the rows and give them the schema."""
    return pa.Table.from_pylist([{"id": n, **row} for n, row in enumerate(rows)], SCHEMA)


def digest(table: pa.Table) -> str:
    """Digest an Arrow table through DuckDB, as a table's rows are."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("given_rows", table)
        try:
            return digest_of(con, "given_rows", ["id"])
        finally:
            con.unregister("given_rows")


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, data=st.data())
def test_order_of_rows_and_columns_does_not_matter(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    table = table_of(rows)
    order = data.draw(st.permutations(range(len(rows))))
    names = data.draw(st.permutations(SCHEMA.names))
    assert digest(table.take(pa.array(order, pa.int64())).select(names)) == digest(table)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, data=st.data())
def test_any_changed_value_changes_the_digest(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(SCHEMA.names[1:]))
    other = data.draw(ROW)[name]
    changed = [dict(values) for values in rows]
    changed[row][name] = other
    old = rows[row][name]
    same = old == other or (isinstance(old, float) and old != old and other != other)
    assert (digest(table_of(changed)) == digest(table_of(rows))) == same


def test_a_row_more_changes_the_digest_even_without_values() -> None:
    one = pa.table({"id": pa.array([1]), "x": pa.array([None], pa.float64())})
    two = pa.table({"id": pa.array([1, None]), "x": pa.array([None, None], pa.float64())})
    assert digest(one) != digest(two)


@pytest.mark.parametrize("row_group", [2, 37, 2048, 100_000])
def test_file_layout_does_not_matter(tmp_path: Path, row_group: int) -> None:
    size = 5000
    table = pa.table(
        {
            "id": pa.array(range(size)),
            "text": pa.array([None if n % 7 == 0 else "é" * (n % 5) for n in range(size)]),
            "number": pa.array([None if n % 3 == 0 else n / 3 for n in range(size)]),
        }
    )
    path = tmp_path / "rows.parquet"
    pq.write_table(table.take(pa.array(range(size - 1, -1, -1))), path, row_group_size=row_group)
    with connect(Settings(home=tmp_path)) as con:
        assert digest_of(con, f"read_parquet('{path}')", ["id"]) == digest(table)


def test_every_nan_and_both_zeros_are_one() -> None:
    other_nan = math.copysign(math.nan, -1)
    plain = pa.table({"id": [1, 2], "x": [math.nan, 0.0]})
    assert digest(pa.table({"id": [1, 2], "x": [other_nan, -0.0]})) == digest(plain)


def test_null_is_neither_nan_nor_zero_nor_empty_text() -> None:
    def one(value: object, kind: pa.DataType) -> str:
        return digest(pa.table({"id": [1, 2], "x": pa.array([value, None], kind)}))

    number, text = pa.float64(), pa.string()
    assert len({one(None, number), one(math.nan, number), one(0.0, number)}) == 3
    assert one(None, text) != one("", text)


def test_texts_are_not_glued_together() -> None:
    assert digest(pa.table({"id": [1, 2], "x": ["ab", "c"]})) != digest(
        pa.table({"id": [1, 2], "x": ["a", "bc"]})
    )


def test_type_and_name_count() -> None:
    plain = digest(pa.table({"id": [1], "x": pa.array([1], pa.int64())}))
    assert digest(pa.table({"id": [1], "x": pa.array([1], pa.int32())})) != plain
    assert digest(pa.table({"id": [1], "y": pa.array([1], pa.int64())})) != plain


def test_a_column_without_values_counts_as_absent() -> None:
    plain = pa.table({"id": [1, 2]})
    added = plain.append_column("new", pa.array([None, None], pa.string()))
    assert digest(added) == digest(plain)


def test_a_key_that_occurs_twice_is_refused_even_across_batches(tmp_path: Path) -> None:
    with (
        connect(Settings(home=tmp_path)) as con,
        pytest.raises(TableError, match=r"two rows have the key .*131071"),
    ):
        digest_of(con, "(SELECT least(range, 131071) AS id FROM range(131073))", ["id"])


def test_null_keys_are_equal_to_each_other() -> None:
    with pytest.raises(TableError, match="two rows have the key"):
        digest(pa.table({"id": pa.array([None, None], pa.int64()), "x": [1, 2]}))


def test_a_type_that_tables_do_not_hold_is_named(tmp_path: Path) -> None:
    with (
        connect(Settings(home=tmp_path)) as con,
        pytest.raises(TableError, match=r"column total .* CAST it"),
    ):
        digest_of(con, "(SELECT 1 AS id, sum(range) AS total FROM range(3))", ["id"])


def test_combined_digests_depend_on_names_and_not_on_order() -> None:
    assert combine({"a": "1", "b": "2"}) == combine({"b": "2", "a": "1"})
    assert combine({"a": "1", "b": "2"}) != combine({"a": "2", "b": "1"})
