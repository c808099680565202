"""Finding the label: which column, of which kind, and what counts as positive."""

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.config.inference.datafile import DataFile, quoted
from feedback_assets.config.inference.names import LABEL, is_count, rank, words
from feedback_assets.config.inference.times import is_number
from feedback_assets.config.schema import LabelKind
from feedback_assets.errors import ConfigError

_MOST_CLASSES = 20
_POSITIVE = (
    "1", "1.0", "true", "t", "yes", "y", "positive", "pos", "spam", "fraud", "fraudulent", "toxic",
    "churn", "churned", "canceled", "cancelled", "late", "delayed", "default", "bad", "attack",
    "malicious", "hate", "offensive", "abusive", "flagged", "removed", "reject", "rejected", "up",
    "approved", "won", "success", "purchase", "click", ">50k", ">50k.", "2",
)  # fmt: skip


@dataclass(frozen=True)
class LabelGuess:
    """The label's column and kind; `positive` and `classes` as the loop's file says them."""

    column: str
    kind: LabelKind
    why: str
    positive: str = "1"
    classes: tuple[str, ...] = ()
    positive_share: float = 0.5


def find_label(data: DataFile, frame: pd.DataFrame, taken: set[str]) -> tuple[str, str]:
    """Return the column that is probably the label, and why.

    Args:
        data: The file.
        frame: A sample of it.
        taken: Columns that are something else already: ids, times, answers of a model.

    Raises:
        ConfigError: No column can be the label.
    """
    free = [c for c in data.columns if c not in taken and _distinct(frame[c]) > 1]
    named = [c for c in free if rank(c, LABEL)]
    if named:
        best = max(named, key=lambda c: rank(c, LABEL))
        others = [c for c in named if c != best]
        return best, "by its name" + (
            f"; {', '.join(others[:3])} sounded likely too" if others else ""
        )
    flags = [c for c in free if words(c)[:1] in (["is"], ["has"]) and _distinct(frame[c]) == 2]
    if flags:
        return flags[0], "the first yes-or-no column named is_ or has_"
    last = [c for c in free if c == list(data.columns)[-1]]
    if last and (_distinct(frame[last[0]]) <= _MOST_CLASSES or is_number(data.columns[last[0]])):
        return last[0], "only because it is the last column"
    raise ConfigError(
        f"{data.path}: no column looks like the label; name it with --label."
        f" Columns: {', '.join(data.columns)}"
    )


def describe_label(
    con: duckdb.DuckDBPyConnection, data: DataFile, column: str, why: str
) -> LabelGuess:
    """Tell the kind of the label, its positive value and its classes.

    Raises:
        ConfigError: The column cannot be a label.
    """
    name = quoted(column)
    counts = con.execute(
        f"SELECT {name}, count(*) FROM {data.relation} WHERE {name} IS NOT NULL"
        f" GROUP BY ALL ORDER BY count(*) DESC LIMIT {_MOST_CLASSES + 1}"
    ).fetchall()
    values = [str(value).lower() if isinstance(value, bool) else str(value) for value, _ in counts]
    if len(values) < 2:
        held = f"only {values[0]}" if values else "nothing"
        raise ConfigError(
            f"{data.path}: the label {column} holds {held}; name another with --label"
        )
    if len(values) == 2:
        positive = _positive(values)
        share = counts[values.index(positive)][1] / (counts[0][1] + counts[1][1])
        return LabelGuess(column, "binary", why, _plain(positive), positive_share=share)
    if is_number(data.columns[column]):
        numbers = np.array([float(value) for value, _ in counts])
        fractions = bool(np.any(numbers != np.floor(numbers)))
        if fractions or len(values) > _MOST_CLASSES or is_count(column):
            return LabelGuess(column, "regression", why)
    elif len(values) > _MOST_CLASSES:
        raise ConfigError(
            f"{data.path}: the label {column} has more than {_MOST_CLASSES} different texts;"
            " name another with --label"
        )
    return LabelGuess(column, "multiclass", why, classes=tuple(sorted(map(_plain, values))))


def _positive(values: list[str]) -> str:
    """Choose the positive of two values: by its word, else the rarer (the second)."""
    known = [v for v in values if v.strip().casefold() in _POSITIVE]
    if known:
        return min(known, key=lambda v: _POSITIVE.index(v.strip().casefold()))
    negated = [v for v in values if v.casefold().startswith(("no", "not ", "non", "un", "<"))]
    return next((v for v in values if v not in negated), values[1]) if negated else values[1]


def _plain(value: str) -> str:
    """Write a whole number without its `.0`."""
    return value[:-2] if value.endswith(".0") and value[:-2].lstrip("-").isdigit() else value


def _distinct(values: pd.Series) -> int:
    try:
        return int(values.nunique())
    except TypeError:  # lists and structs
        return 0
