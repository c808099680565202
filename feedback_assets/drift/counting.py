"""SQL that counts categories in a reference's cells, and reads numbers for `numbers.count`.

One statement counts all categorical columns: each is one SELECT over its own values, grouped by
GROUPING SETS, everything together and each segment's values. Values are counted first and given
their cells after, since there are fewer values than rows. Numbers have no such values: finding a
cell is a binary search, which as nested CASE took twice the time of numpy's and, with 128 cells a
column, a third of a second to plan; so they are read in batches and counted there.
"""

from collections.abc import Collection, Mapping, Sequence

from feedback_assets.drift.bins import ColumnBins
from feedback_assets.drift.profile import NULL_VALUE, OTHER_VALUES, ReferenceColumn
from feedback_assets.sqltext import ident, idents, literal

PROFILE_COLUMNS: Mapping[str, str] = {
    "partition_key": "VARCHAR", "against": "BIGINT", "model_version": "VARCHAR",
    "column_name": "VARCHAR", "segment": "VARCHAR", "segment_value": "VARCHAR", "bin": "BIGINT",
    "value": "VARCHAR", "rows": "BIGINT", "total": "DOUBLE",
}  # fmt: skip
"""Column to type of the `profiles` table.

`total` is the sum of the values in the cell; `value` names an unseen category that is kept by name.
"""
GROUPS = ("partition_key", "model_version")


def categories_sql(
    columns: Sequence[ReferenceColumn],
    relation: str,
    slices: Mapping[str, str],
    unseen_kept: int,
    floats: Collection[str] = (),
) -> str:
    """SQL of a profile of categorical columns: a row per occupied cell, day, version and slice.

    Args:
        columns: What is counted, at least one; their bins give the cells.
        relation: Text for FROM, with the columns, `partition_key` and `model_version`.
        slices: Segment column to the SQL of its value (`segment_text`).
        unseen_kept: Unseen categories kept by name, of everything together.
        floats: Columns of the relation that hold floats: as a category 3.0 is "3".

    Returns:
        SQL text with the columns of `PROFILE_COLUMNS` but `against`; rows without a value in a
        column that is no feature (a label that has not come) are not there.
    """
    parts = [_column(c, relation, slices, unseen_kept, c.name in floats) for c in columns]
    return "\nUNION ALL\n".join(parts)


def segment_text(column: str, values: Sequence[str], is_float: bool = False) -> str:
    """SQL of a segment's value as the profile names it: itself, `null`, or `other values`."""
    text = category_text(column, is_float)
    known = ", ".join(literal(v) for v in values)
    kept = f"WHEN {text} IN ({known}) THEN {text} " if values else ""
    return (
        f"CASE WHEN {ident(column)} IS NULL THEN {literal(NULL_VALUE)} {kept}"
        f"ELSE {literal(OTHER_VALUES)} END"
    )


def category_text(column: str, is_float: bool = False) -> str:
    """SQL of a value as a category; whole numbers have no fraction, as in `values.text`."""
    text = f"CAST({ident(column)} AS STRING)"
    if not is_float:
        return text
    return f"CASE WHEN {text} LIKE '%.0' THEN SUBSTR({text}, 1, LENGTH({text}) - 2) ELSE {text} END"


def number_sql(bins: ColumnBins, column: str) -> str:
    """SQL of the number by which a numeric or text column is counted."""
    if bins.kind == "text":
        return f"CAST(LENGTH(TRIM({ident(column)})) AS DOUBLE)"
    return f"CAST({ident(column)} AS DOUBLE)"


def _column(
    column: ReferenceColumn,
    relation: str,
    segments: Mapping[str, str],
    unseen_kept: int,
    is_float: bool,
) -> str:
    slices = {f"s{i}": sql for i, sql in enumerate(segments.values())}
    keys = [f"COALESCE(CAST({name} AS STRING), '') AS {name}" for name in GROUPS]
    there = "TRUE" if column.role == "feature" else f"{ident(column.name)} IS NOT NULL"
    read = ", ".join(
        [
            *keys,
            *(f"{sql} AS {name}" for name, sql in slices.items()),
            f"{category_text(column.name, is_float)} AS v",
        ]
    )
    source = f"SELECT {read} FROM {relation} AS rows_of WHERE {there}"
    segment = " ".join(
        f"WHEN GROUPING({alias}) = 0 THEN {literal(name)}"
        for alias, name in zip(slices, segments, strict=True)
    )
    named = (
        f"CASE {segment} ELSE '' END AS segment, COALESCE({', '.join(slices)}, '') AS segment_value"
        if slices
        else "'' AS segment, '' AS segment_value"
    )
    return _celled(column, source, list(slices), named, unseen_kept)


def _celled(
    column: ReferenceColumn, source: str, slices: Sequence[str], named: str, unseen_kept: int
) -> str:
    bins = column.bins
    known = ", ".join(
        f"({literal(value)}, {cell})" for value, cell in bins.index.items() if value is not None
    )
    cells = f"(VALUES {known})" if known else "(SELECT '', 0 WHERE FALSE)"
    kept = f"segment = '' AND place <= {unseen_kept}" if not bins.open_ended else "FALSE"
    return f"""SELECT partition_key, model_version, {literal(column.name)} AS column_name,
  segment, segment_value, CAST(bin AS BIGINT) AS bin, value,
  CAST(SUM(n) AS BIGINT) AS rows, 0e0 AS total
FROM (
  SELECT partition_key, model_version, segment, segment_value, n,
    CASE WHEN v IS NULL THEN {bins.null} WHEN strange THEN {bins.unknown} ELSE cell END AS bin,
    CASE WHEN strange AND {kept} THEN v ELSE '' END AS value
  FROM (
    SELECT joined.*, ROW_NUMBER() OVER (
      PARTITION BY partition_key, model_version, segment, strange ORDER BY n DESC, v
    ) AS place
    FROM (
      SELECT counted.*, cell, v IS NOT NULL AND cell IS NULL AS strange
      FROM (
        SELECT {idents(GROUPS)}, v, {named}, COUNT(*) AS n
        FROM ({source}) AS typed GROUP BY GROUPING SETS ({_sets(slices)})
      ) AS counted
      LEFT JOIN {cells} AS known(known_value, cell) ON known_value = v
    ) AS joined
  ) AS placed
) AS celled
GROUP BY partition_key, model_version, segment, segment_value, bin, value"""


def _sets(slices: Sequence[str]) -> str:
    whole = f"({idents(GROUPS)}, v)"
    return ", ".join([whole, *(f"({idents(GROUPS)}, v, {s})" for s in slices)])
