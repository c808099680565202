"""Words and new words of texts."""

import duckdb
import pandas as pd

from feedback_assets.drift.text import derived_names, text_relation, vocabulary_sql

TEXTS = pd.DataFrame(
    {
        "prediction_id": ["a", "b", "c", "d", "e"],
        "t": ["Buy now now", "hello buy", None, "  ", "never seen words <b>"],
    }
)


def test_words_are_counted_and_new_ones_told_by_what_occurred_twice():
    with duckdb.connect() as con:
        con.register("texts", TEXTS)
        con.execute(f"CREATE TABLE known AS {vocabulary_sql('texts', ['t'])}")
        words = con.execute("SELECT word FROM known ORDER BY word").fetchall()
        assert words == [("buy",), ("now",)]
        relation = text_relation("texts", ["t"], "known", ["prediction_id", "t"])
        found = con.execute(f"SELECT * FROM {relation} AS r").df().set_index("prediction_id")
    count, new = derived_names(["t"])
    assert found[count].dropna().to_dict() == {"a": 3, "b": 2, "e": 4}
    assert found[new].dropna().to_dict() == {"a": 0.0, "b": 0.5, "e": 1.0}


def test_without_text_columns_the_relation_stays_as_it_is():
    assert text_relation("r", [], "known", ["x"]) == "r"
