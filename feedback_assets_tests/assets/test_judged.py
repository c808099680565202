"""Those who measure see no label that may not judge."""

from pathlib import Path

import pytest

from feedback_assets.assets.judged import judged_rows
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause, Table
from feedback_assets_tests.promotion.loops import loop_config

ROWS = """SELECT * FROM (VALUES
  ('a', 1, 'accepted', 'audit', 'person:ann'), ('b', 0, 'accepted', 'review', 'person:ann'),
  ('c', NULL, 'rejected', NULL, NULL), ('d', NULL, 'pending', NULL, NULL),
  ('e', 1, 'accepted', 'web', 'token:web')
) AS t(prediction_id, label, label_status, label_source, label_principal),
(SELECT TIMESTAMPTZ '2024-01-01' AS label_received_time, '2024-01-01' AS partition_key)"""


@pytest.mark.parametrize(
    ("judges", "columns", "known"),
    [([], "*", "ae"), (["person:*"], "*", "a"), (["web"], "* EXCLUDE (label_principal)", "e")],
)
def test_labels_that_may_not_judge_are_pending(
    tmp_path: Path, judges: list[str], columns: str, known: str
) -> None:
    table = Table(tmp_path, "toy/feedback_table", ("prediction_id",))
    config = loop_config(trust={"judges": judges})
    with connect() as con:
        query = f"SELECT {columns} FROM ({ROWS})"
        snapshot = table.replace(con, query, ["2024-01-01"], Cause("r", "a", {}))
        for names in (None, ["prediction_id", "label_status"]):
            rows = con.execute(
                f"""SELECT prediction_id, label, label_status, label_received_time IS NOT NULL
                    FROM {judged_rows(config, snapshot, None, names)} ORDER BY 1"""
            ).fetchall()
            assert "".join(row[0] for row in rows if row[1] is not None) == known
            assert {row[0]: row[2] for row in rows} == {
                name: "rejected" if name == "c" else "accepted" if name in known else "pending"
                for name in "abcde"
            }
            assert "".join(row[0] for row in rows if row[3] and row[0] not in "cd") == known
