"""The newest look at a version on trial or on watch, from the table `canary_report`."""

from typing import Any, Literal

from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.lineage import plain
from feedback_assets.sqltext import idents
from feedback_assets.tables.connection import connect

SHOWN = (
    "trial", "stage", "champion", "since", "as_of", "labels", "gain", "gain_low", "gain_high",
    "verdict", "rule", "reason",
)  # fmt: skip


def newest_look(
    space: LoopSpace, version: str, kind: Literal["trial", "watch"]
) -> dict[str, Any] | None:
    """What the evidence said when it was last looked at, as JSON values; None before any look."""
    snapshot = space.table("canary_report").snapshot()
    if not snapshot.columns():
        return None
    with connect(space.settings) as con:
        row = con.execute(
            f"""SELECT {idents(SHOWN)} FROM {snapshot.relation()}
                WHERE challenger = ? AND kind = ? ORDER BY as_of DESC LIMIT 1""",
            [version, kind],
        ).fetchone()
    return dict(zip(SHOWN, map(plain, row), strict=True)) if row else None
