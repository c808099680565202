"""What a column is good for: a numeric, categorical or text feature, or none, and why."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from feedback_assets.config.inference.names import is_code, is_count
from feedback_assets.config.inference.times import is_integer, is_number
from feedback_assets.config.schema import RESERVED_COLUMNS, FeatureKind

MOST_CATEGORIES = 500
"""A column of short texts with more values is an identifier rather than a category."""
_ROWS_EACH = 20
"""A category is seen at least so often, on average; below this, more than `_FEW` values name rows."""
_FEW = 50
NUMBERS_AMONG_TEXTS = 0.98
"""A column of texts of which at least this share are numbers holds numbers and a few mistakes."""
FEW_CODES = 8
"""A small integer with at most so many values is read as a code, unless its name says it counts."""


@dataclass(frozen=True)
class Verdict:
    """The kind of a column, or None and the reason why it is left out; `note` explains a guess."""

    kind: FeatureKind | None
    note: str = ""


def kind_of(values: pd.Series, duck_type: str) -> Verdict:
    """Tell the kind of one column.

    Args:
        values: The column in a sample; its name is the column's name.
        duck_type: Its DuckDB type.
    """
    name = str(values.name)
    if name.casefold() in RESERVED_COLUMNS:
        return Verdict(None, "the tables have a column of this name; rename it to use it")
    present = values.dropna()
    if len(present) == 0:
        return Verdict(None, "is always empty")
    if duck_type.endswith("]") or duck_type.startswith(("STRUCT", "MAP", "BLOB", "UNION", "LIST")):
        return Verdict(None, f"is a {duck_type.split('(')[0]}, which no model reads")
    distinct = int(present.nunique())
    if distinct == 1:
        return Verdict(None, f"is always {str(present.iloc[0])[:40]}")
    if len(present) < 0.01 * len(values):
        return Verdict(None, f"is empty in {1 - len(present) / len(values):.1%} of the rows")
    if duck_type == "BOOLEAN":
        return Verdict("categorical")
    if is_number(duck_type):
        return _number(present, duck_type, distinct, name)
    if duck_type == "VARCHAR" or duck_type.startswith("ENUM"):
        return _text(present.astype(str), distinct)
    return Verdict(None, f"is a {duck_type.lower()}, which no model reads")


def _number(present: pd.Series, duck_type: str, distinct: int, name: str) -> Verdict:
    numbers = present.to_numpy(dtype=float)
    whole = bool(np.all(np.isfinite(numbers)) and np.all(numbers == np.floor(numbers)))
    if whole and np.abs(numbers).max() > 2**53:
        return Verdict(None, "holds numbers too big to be anything but identifiers")
    if whole and is_code(name) and not is_count(name):
        if _too_many(distinct, len(present)):
            return Verdict(None, f"is an identifier with {distinct:,} different values")
        return Verdict("categorical", "a number that names something")
    if whole and distinct > 0.95 * len(present) and distinct > 1000 and is_integer(duck_type):
        return Verdict(None, "is different in nearly every row: an identifier")
    small = whole and numbers.min() >= 0 and numbers.max() <= 100
    if is_integer(duck_type) and small and distinct <= FEW_CODES and not is_count(name):
        return Verdict("categorical", f"a small number with {distinct} values")
    return Verdict("numeric")


def _too_many(distinct: int, rows: int) -> bool:
    return distinct > MOST_CATEGORIES or distinct > max(_FEW, rows / _ROWS_EACH)


def _text(present: pd.Series, distinct: int) -> Verdict:
    spaces = float(present.str.count(r"\s+").mean())
    length = float(present.str.len().mean())
    if distinct > 50 and length >= 20 and spaces >= 2:
        return Verdict("text", f"{length:.0f} characters on average")
    if _too_many(distinct, len(present)):
        return Verdict(None, f"has {distinct:,} different values: an identifier")
    return Verdict("categorical")


def numbers_in(values: pd.Series) -> pd.Series | None:
    """Return a column of texts as numbers if nearly all of them are; None if not."""
    present = values.dropna().astype(str)
    numbers = pd.to_numeric(present, errors="coerce")
    if len(present) == 0 or numbers.notna().mean() < NUMBERS_AMONG_TEXTS:
        return None
    if present.str.match(r"0\d").any():  # leading zeros belong to codes
        return None
    return numbers.reindex(values.index)


def good_segments(frame: pd.DataFrame, categorical: list[str], named: list[str]) -> list[str]:
    """Return up to three columns by which it is worth to look at performance apart.

    Args:
        frame: A sample.
        categorical: Candidates.
        named: Candidates in the order in which their names speak for them, best first.
    """
    found: list[tuple[int, float, str]] = []
    for column in categorical:
        shares = frame[column].value_counts(normalize=True)
        if 2 <= len(shares) <= 20 and shares.iloc[1] >= 0.05:
            entropy = float(-(shares * np.log(shares.clip(lower=1e-12))).sum())
            order = named.index(column) if column in named else len(named)
            found.append((order, -entropy, column))
    return [column for *_, column in sorted(found)[:3]]
