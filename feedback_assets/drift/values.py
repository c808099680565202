"""Raw columns as they come (numpy, pandas, Arrow, lists) in the form that is counted."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bins import Floats

Mask = npt.NDArray[np.bool_]


def numeric(values: Any) -> tuple[Floats, Mask]:
    """Values as float64, and which of them are null; both of shape [rows].

    A masked array (DuckDB's `fetchnumpy`) tells null (masked) from NaN (a value that is not a
    number). Elsewhere NaN is how a null arrives. What cannot be read as a number at all becomes
    infinite, so that it is counted as "not a finite number" and never lost.
    """
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(values.filled(np.nan), np.float64), np.ma.getmaskarray(values)
    raw = np.asarray(values)
    if raw.dtype.kind in "fiub":
        numbers = raw.astype(np.float64, copy=False)
    else:
        try:
            numbers = raw.astype(np.float64)
        except (TypeError, ValueError):
            numbers = np.fromiter((_number(v) for v in raw), np.float64, len(raw))
    return numbers, np.isnan(numbers)


def texts(values: Any) -> list[str | None]:
    """Values as text, None for null (None, NaN, NA, NaT); whole numbers without a fraction."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        return [None if m else text(v) for v, m in zip(values.data.tolist(), mask, strict=True)]
    raw = np.asarray(values, dtype=object).tolist()
    return [v if type(v) is str else text(v) for v in raw]


def tally_categories(values: Any) -> dict[str | None, int]:
    """Count by category; null is counted under None."""
    return dict(Counter(texts(values)))


def text(value: Any) -> str | None:
    """One value as a category: None if null, "3" for 3 and 3.0, "true" for True."""
    if value is None or is_null(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and np.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)


def is_null(value: Any) -> bool:
    """Whether a value is NaN or pandas' NA or NaT."""
    if isinstance(value, float | np.floating):
        return bool(value != value)
    return type(value).__name__ in {"NAType", "NaTType"}


def _number(value: Any) -> float:
    if value is None or is_null(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.inf
