"""Which predictions the audit drew, asked about for it or for another reason before."""

import duckdb

from feedback_assets.assets.space import LoopSpace


def audited_ids(space: LoopSpace, con: duckdb.DuckDBPyConnection) -> set[str]:
    """Ids of the predictions with any row of strategy `audit` in `review_queue`."""
    queue = space.table("review_queue").snapshot()
    if queue.version < 0:
        return set()
    relation = queue.relation(None, ["prediction_id", "strategy"])
    found = con.execute(
        f"SELECT DISTINCT prediction_id FROM {relation} WHERE strategy = 'audit'"
    ).fetchall()
    return {str(name) for (name,) in found}
