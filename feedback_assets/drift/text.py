"""What is counted of a text beside its length: how many words, and how many are new.

Words are what blanks separate, in lower case. The vocabulary is the reference's words that occur
in it more than once, so that a word seen once is as unknown in the reference as it is on a new day.
"""

from collections.abc import Sequence

from feedback_assets.sqltext import ident, idents, literal

MAX_WORDS = 50_000
"""Words of a column's vocabulary, most frequent first."""
VOCABULARY = ("column_name", "word")
"""Columns of a vocabulary."""


def words_name(column: str) -> str:
    """Name of the derived column: number of words."""
    return f"{column}: words"


def unknown_name(column: str) -> str:
    """Name of the derived column: share of the words that the vocabulary does not have."""
    return f"{column}: share of new words"


def derived_names(columns: Sequence[str]) -> list[str]:
    """Names of the derived columns of these text columns, all numeric."""
    return [make(column) for column in columns for make in (words_name, unknown_name)]


def vocabulary_sql(relation: str, columns: Sequence[str]) -> str:
    """SQL of the vocabulary of text columns: `column_name`, `word`.

    Args:
        relation: Text for FROM, with the columns and `prediction_id`.
        columns: Text columns, at least one.
    """
    parts = [
        f"""(SELECT {literal(column)} AS column_name, word FROM ({_words(relation, column)}) AS words
  GROUP BY word HAVING COUNT(*) > 1 ORDER BY COUNT(*) DESC, word LIMIT {MAX_WORDS})"""
        for column in columns
    ]
    return "\nUNION ALL\n".join(parts)


def text_relation(
    relation: str, columns: Sequence[str], vocabulary: str, names: Sequence[str]
) -> str:
    """The relation with the derived columns beside its own, as text for FROM.

    Args:
        relation: Text for FROM, with `prediction_id` (unique).
        columns: Text columns; the relation itself is returned where there are none.
        vocabulary: Relation with the columns of `VOCABULARY`.
        names: The relation's own columns that are kept.
    """
    if not columns:
        return relation
    derived, joins = [], []
    for i, column in enumerate(columns):
        trimmed = f"TRIM(own.{ident(column)})"
        blanks = f"LENGTH({trimmed}) - LENGTH(REPLACE({trimmed}, ' ', ''))"
        derived.append(
            f"CASE WHEN LENGTH({trimmed}) > 0 THEN CAST({blanks} + 1 AS DOUBLE) END "
            f"AS {ident(words_name(column))}, "
            f"unknown_{i}.share AS {ident(unknown_name(column))}"
        )
        joins.append(f"""LEFT JOIN (
  SELECT words.prediction_id, AVG(CASE WHEN known.word IS NULL THEN 1e0 ELSE 0e0 END) AS share
  FROM ({_words(relation, column)}) AS words
  LEFT JOIN (SELECT word FROM {vocabulary} AS v WHERE column_name = {literal(column)}) AS known
    ON known.word = words.word
  GROUP BY words.prediction_id
) AS unknown_{i} ON unknown_{i}.prediction_id = own.prediction_id""")
    kept = ", ".join(f"own.{ident(name)}" for name in names)
    return f"(SELECT {kept}, {', '.join(derived)} FROM {relation} AS own {' '.join(joins)})"


def _words(relation: str, column: str) -> str:
    """One row a word: `prediction_id`, `word`."""
    return f"""SELECT prediction_id, word FROM (
    SELECT prediction_id, UNNEST(STRING_SPLIT(LOWER(TRIM({ident(column)})), ' ')) AS word
    FROM (SELECT {idents(["prediction_id", column])} FROM {relation} AS texts) AS lower_case
  ) AS split WHERE word <> ''"""
