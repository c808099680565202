"""A profile of rows that SQL can read: all columns counted, numbers and categories."""

from collections.abc import Collection, Mapping, Sequence

import duckdb
import pandas as pd

from feedback_assets.drift.counting import (
    GROUPS,
    PROFILE_COLUMNS,
    categories_sql,
    number_sql,
    segment_text,
)
from feedback_assets.drift.numbers import Column, count
from feedback_assets.drift.profile import NULL_VALUE, OTHER_VALUES, ReferenceColumn
from feedback_assets.sqltext import ident

AT_ONCE = 5
"""Numeric columns that are read together: a file's rows take memory by the column."""
BATCH_ROWS = 32_768
"""Small enough for the processor's cache: all columns of a batch are in memory at once."""


def profile_rows(
    con: duckdb.DuckDBPyConnection,
    columns: Sequence[ReferenceColumn],
    relation: str,
    segments: Mapping[str, Sequence[str]],
    against: int,
    unseen_kept: int,
    floats: Collection[str] = (),
) -> pd.DataFrame:
    """One row per partition, model version, column, slice and occupied cell.

    Args:
        con: A connection; a batch of rows is in memory at a time.
        columns: What is counted; their bins give the cells.
        relation: Text for FROM, with the columns, `partition_key` and `model_version`.
        segments: Segment column to the values that are counted apart; the rest is "other values".
        against: The version whose training data the cells are from.
        unseen_kept: Unseen categories kept by name, of everything together.
        floats: Columns of the relation that hold floats: as a category 3.0 is "3".

    Returns:
        The columns of `PROFILE_COLUMNS`.
    """
    slices = {name: segment_text(name, kept, name in floats) for name, kept in segments.items()}
    named = [c for c in columns if c.bins.kind == "categorical"]
    parts = [_numbers(con, [c for c in columns if c not in named], relation, segments, slices)]
    if named:
        sql = categories_sql(named, relation, slices, unseen_kept, floats)
        parts.append(con.execute(sql).df())
    found = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)
    return found.assign(against=against).reindex(columns=list(PROFILE_COLUMNS))


def _numbers(
    con: duckdb.DuckDBPyConnection,
    columns: Sequence[ReferenceColumn],
    relation: str,
    segments: Mapping[str, Sequence[str]],
    slices: Mapping[str, str],
) -> pd.DataFrame:
    keys = ", ".join(f"COALESCE(CAST({name} AS STRING), '')" for name in GROUPS)
    groups = con.execute(f"SELECT DISTINCT {keys} FROM {relation} AS r ORDER BY ALL").fetchall()
    if not columns or not groups:
        return pd.DataFrame(columns=[c for c in PROFILE_COLUMNS if c != "against"])
    values = {name: [*kept, NULL_VALUE, OTHER_VALUES] for name, kept in segments.items()}
    con.register("fa_groups", pd.DataFrame(groups, columns=["k", "m"]).reset_index(names="g"))
    for i, known in enumerate(values.values()):
        con.register(f"fa_values_{i}", pd.DataFrame({"v": known, "s": range(len(known))}))
    joins = "".join(
        f" JOIN fa_values_{i} AS t{i} ON t{i}.v = {sql}" for i, sql in enumerate(slices.values())
    )
    group, version = (f"COALESCE(CAST({ident(name)} AS STRING), '')" for name in GROUPS)
    source = f"{relation} AS rows_of JOIN fa_groups ON k = {group} AND m = {version}{joins}"
    keys_read = ", ".join(["g", *(f"t{i}.s AS s{i}" for i in range(len(values)))])
    parts = []
    try:
        for start in range(0, len(columns), AT_ONCE):
            some = columns[start : start + AT_ONCE]
            read = ", ".join(f"{number_sql(c.bins, c.name)} AS v{i}" for i, c in enumerate(some))
            reader = con.sql(f"SELECT {keys_read}, {read} FROM {source}").to_arrow_reader(
                BATCH_ROWS
            )
            counted = [Column(c.name, c.bins, c.role == "feature") for c in some]
            parts.append(count(reader, counted, groups, values))
        return pd.concat(parts, ignore_index=True)
    finally:
        con.unregister("fa_groups")
        for i in range(len(values)):
            con.unregister(f"fa_values_{i}")
