"""Which rows a slice speaks of, from its words: "origin = EWR and temp over 9.1"."""

import re
from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.causes.cells import MISSING

Mask = npt.NDArray[np.bool_]
_NUMBER = r"([-+0-9.e]+|[-+]?inf)"
_BETWEEN = re.compile(rf"over {_NUMBER} up to {_NUMBER}")
_OVER = re.compile(rf"over {_NUMBER}")
_UP_TO = re.compile(rf"up to {_NUMBER}")


def rows_in(subject: str, frame: pd.DataFrame, columns: Collection[str]) -> Mask | None:
    """The rows [n] that meet a slice's conditions (`WeakSlice.subject`).

    Numbers are told with four digits, so a row at the very edge may fall on the other side. A cell of
    "none of its most frequent values" cannot be found again.

    Args:
        subject: One or two conditions.
        frame: Rows with `columns`.
        columns: Names that a condition can begin with.

    Returns:
        None where the words cannot be told from others.
    """
    masks = (_all(conditions, frame) for conditions in _readings(subject, columns))
    return next((mask for mask in masks if mask is not None), None)


def _readings(subject: str, columns: Collection[str]) -> list[list[tuple[str, str]]]:
    """Every way to read the words, as two conditions first: names and values may hold " and "."""
    pairs: list[list[tuple[str, str]]] = []
    readings: list[list[tuple[str, str]]] = []
    for name in columns:
        if not subject.startswith(f"{name} "):
            continue
        rest = subject[len(name) + 1 :]
        readings.append([(name, rest)])
        for other in columns:
            what, split, second = rest.rpartition(f" and {other} ")
            if split:
                pairs.append([(name, what), (other, second)])
    return pairs + readings


def _all(conditions: list[tuple[str, str]], frame: pd.DataFrame) -> Mask | None:
    masks = [_one(frame[name], what) for name, what in conditions]
    if any(mask is None for mask in masks):
        return None
    return np.logical_and.reduce([mask for mask in masks if mask is not None])


def _one(values: pd.Series, what: str) -> Mask | None:
    if what == MISSING:
        return values.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return _number(values.to_numpy(np.float64, na_value=np.nan), what)
    if what.startswith("= "):
        text = values.astype("string")
        return (text == what[2:]).fillna(False).to_numpy(np.bool_)
    return None


def _number(values: npt.NDArray[np.float64], what: str) -> Mask | None:
    if what.startswith("= "):
        try:
            return np.isclose(values, float(what[2:]), rtol=1e-3, atol=1e-12)
        except ValueError:
            return None
    if between := _BETWEEN.fullmatch(what):
        return (values > float(between[1])) & (values <= float(between[2]))
    if over := _OVER.fullmatch(what):
        return values > float(over[1])
    if up_to := _UP_TO.fullmatch(what):
        return values <= float(up_to[1])
    return None
