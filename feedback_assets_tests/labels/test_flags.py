"""What a joined row itself tells of why somebody should look at it."""

import pandas as pd
import pytest

from feedback_assets.labels.flags import OF_ROW, WORDS, row_flags_sql
from feedback_assets.tables.connection import connect, registered
from feedback_assets_tests.promotion.loops import loop_config

QUIET = {
    "score": 0.95, "prediction": 1, "label": None, "label_conflict": False, "rating": None,
    "corrected": False, "label_status": "pending",
}  # fmt: skip


def flags_of(config, *rows):
    frame = pd.DataFrame([{**QUIET, **row} for row in rows])
    frame["label"] = frame["label"].astype("object" if config.label.kind == "multiclass" else float)
    frame["rating"] = frame["rating"].astype(float)
    with connect() as con, registered(con, "rows", frame):
        return [f for (f,) in con.execute(f"SELECT {row_flags_sql(config)} FROM rows").fetchall()]


@pytest.mark.parametrize(
    ("row", "flags"),
    [
        ({}, None),
        ({"score": 0.55}, "low_confidence"),
        ({"score": 0.45, "prediction": 0}, "low_confidence"),
        ({"score": None}, None),
        ({"label": 1, "label_status": "accepted"}, None),
        ({"label": 0, "label_status": "accepted"}, "error"),
        ({"label_conflict": True}, "disputed"),
        ({"corrected": True}, "correction"),
        ({"rating": 5}, "rating"),
        ({"label_status": "rejected"}, "rejection"),
        ({"score": 0.5, "label": 0, "corrected": True}, "low_confidence,error,correction"),
    ],
)
def test_binary(row, flags) -> None:
    assert flags_of(loop_config("binary"), row) == [flags]


def test_confidence_is_measured_from_the_threshold() -> None:
    config = loop_config("binary", label={"kind": "binary", "threshold": 0.3})
    near = [{"score": 0.31}, {"score": 0.29, "prediction": 0}]
    sure = [{"score": 0.6}, {"score": 0.05, "prediction": 0}]
    assert flags_of(config, *near, *sure) == ["low_confidence"] * 2 + [None] * 2


def test_only_bad_ratings_where_the_file_says_which() -> None:
    config = loop_config("binary", flags={"rating_below": 3})
    assert flags_of(config, {"rating": 2}, {"rating": 3}) == ["rating", None]


def test_a_number_is_wrong_by_so_much() -> None:
    config = loop_config("regression", flags={"error": 2})
    rows = [{"score": 10.0, "label": 12.5}, {"score": 10.0, "label": 11.5}]
    assert flags_of(config, *rows) == ["error", None]
    silent = loop_config("regression")
    assert flags_of(silent, rows[0]) == [None]


def test_every_code_has_words() -> None:
    assert set(OF_ROW) <= set(WORDS)
