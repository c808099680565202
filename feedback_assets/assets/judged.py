"""Rows of the feedback table as those see them who measure: labels that may not judge are unknown."""

from collections.abc import Sequence

from feedback_assets.config.schema import Config
from feedback_assets.labels.judges import may_judge_sql
from feedback_assets.labels.older import SAID, with_columns
from feedback_assets.tables.table import Snapshot

WHO = ("label_source", "label_principal")
TRUTH = ("label", "label_status", "label_received_time")


def judged_rows(
    config: Config,
    source: Snapshot,
    keys: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> str:
    """A relation of the table's rows in which only labels that may judge are known.

    A row whose label may not is pending, as if it had none.

    Args:
        config: The loop.
        source: The feedback table.
        keys: Partitions; all if absent.
        names: Columns that are read; all if absent. Those of who said the label come with them.
    """
    have = source.columns()
    read = (
        None if names is None else [n for n in dict.fromkeys([*names, *TRUTH, *WHO]) if n in have]
    )
    rows = source.relation(keys, read)
    may = may_judge_sql(config)
    truth = {
        "label": f"CASE WHEN {may} THEN label END",
        "label_status": f"CASE WHEN label_status = 'accepted' AND NOT {may} "
        "THEN 'pending' ELSE label_status END",
        "label_received_time": f"CASE WHEN {may} THEN label_received_time END",
    }
    replaced = ", ".join(f"{sql} AS {name}" for name, sql in truth.items() if name in have)
    wanted = {name: SAID[name] for name in WHO}
    return f"(SELECT * REPLACE ({replaced}) FROM {with_columns(rows, have, wanted)} AS said)"
