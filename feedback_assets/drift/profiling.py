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

BATCH_ROWS = 131_072


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
    read = [
        "g",
        *(f"t{i}.s AS s{i}" for i in range(len(values))),
        *(f"{number_sql(c.bins, c.name)} AS v{i}" for i, c in enumerate(columns)),
    ]
    group, version = (f"COALESCE(CAST({ident(name)} AS STRING), '')" for name in GROUPS)
    try:
        reader = con.sql(
            f"SELECT {', '.join(read)} FROM {relation} AS rows_of "
            f"JOIN fa_groups ON k = {group} AND m = {version}{joins}"
        ).to_arrow_reader(BATCH_ROWS)
        counted = [Column(c.name, c.bins, c.role == "feature") for c in columns]
        return count(reader, counted, groups, values)
    finally:
        con.unregister("fa_groups")
        for i in range(len(values)):
            con.unregister(f"fa_values_{i}")
