"""Tables written before a column was known, read as if it had always been null there."""

from collections.abc import Collection, Mapping

from feedback_assets.sqltext import ident

EVENT = {"principal": "STRING", "confidence": "DOUBLE"}
"""Columns of feedback events that older tables lack, with their types."""
SAID = {"label_source": "STRING", "label_principal": "STRING", "label_confidence": "DOUBLE"}
"""The same of the feedback table and of what is made of it: who said the label, and how surely."""
WEIGHT = {"weight": "DOUBLE"}
"""The same of the labeled pool."""


def with_columns(relation: str, have: Collection[str], wanted: Mapping[str, str]) -> str:
    """A relation that has the wanted columns, those it lacks as nulls.

    Args:
        relation: Text for FROM.
        have: Its columns.
        wanted: Column to its portable SQL type.

    >>> with_columns("t", ["a"], {"a": "BIGINT", "b": "STRING"})
    '(SELECT older.*, CAST(NULL AS STRING) AS "b" FROM t AS older)'
    >>> with_columns("t", ["a"], {"a": "BIGINT"})
    't'
    """
    added = [
        f"CAST(NULL AS {kind}) AS {ident(name)}"
        for name, kind in wanted.items()
        if name not in have
    ]
    return f"(SELECT older.*, {', '.join(added)} FROM {relation} AS older)" if added else relation
