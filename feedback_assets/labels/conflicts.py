"""Rows with equal features and different labels: one of them is wrong, or a feature is missing."""

from collections.abc import Sequence

from feedback_assets.config.schema import Config
from feedback_assets.sqltext import ident, literal, number

FAR = 1.0
"""Numbers differ where they lie farther apart than so many standard deviations of all labels."""
SHOWN_IDS = 10


def conflicts_sql(config: Config, relation: str, columns: Sequence[str] = ()) -> str:
    """SQL (DuckDB) of one row a group of conflicting rows, the largest groups first.

    Args:
        config: The loop's.
        relation: Text for FROM: rows with `prediction_id`, `label` and the features.
        columns: Features that must be equal; all declared ones if empty.

    Returns:
        `ids` (the first ten, sorted), `said` (labels with their rows, in words), `features` (in
        words), `rows`, `labels` (different ones).
    """
    names = list(columns) or config.features
    same = ", ".join(ident(name) for name in names)
    told = ", ".join(f"{literal(f'{name} ')} || COALESCE({_text(name)}, 'null')" for name in names)
    differ = "COUNT(DISTINCT label) > 1"
    if config.label.kind == "regression":
        limit = f"{number(FAR)} * (SELECT STDDEV_SAMP(label) FROM {relation} AS every)"
        differ = f"MAX(label) - MIN(label) > {limit}"
    return f"""
WITH groups AS (
  SELECT {same}, COUNT(*) AS rows, COUNT(DISTINCT label) AS labels,
         LIST(prediction_id ORDER BY prediction_id) AS ids, HISTOGRAM(CAST(label AS VARCHAR)) AS held
  FROM {relation} AS labelled WHERE label IS NOT NULL
  GROUP BY ALL HAVING COUNT(*) > 1 AND {differ}
)
SELECT ids[1:{SHOWN_IDS}] AS ids,
       ARRAY_TO_STRING(LIST_TRANSFORM(MAP_ENTRIES(held), LAMBDA e: CONCAT(e.key, ': ', e.value)), ', ')
         AS said,
       CONCAT_WS(', ', {told}) AS features, rows, labels
FROM groups ORDER BY rows DESC, ids[1]
""".strip()


def twin_share_sql(config: Config, relation: str) -> str:
    """SQL (DuckDB) of one number: share of rows whose features another row has too.

    Where it is large, features are few or coarse, and different labels for equal ones are no fault.
    """
    same = ", ".join(ident(name) for name in config.features)
    return f"""
SELECT COALESCE(SUM(CASE WHEN rows > 1 THEN rows END), 0) / GREATEST(SUM(rows), 1) FROM (
  SELECT COUNT(*) AS rows FROM {relation} AS labelled WHERE label IS NOT NULL GROUP BY {same}
) AS groups
""".strip()


def _text(name: str) -> str:
    return f"CAST({ident(name)} AS VARCHAR)"
