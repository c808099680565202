"""Single values in the types of the landed columns, by the same rules as the files' staging."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

from feedback_assets.capture.convert import MISSING
from feedback_assets.capture.importers.records import UnexpectedError


def number(value: Any, name: str) -> float | None:
    """Return a value as a number; None for none, for NaN and for texts such as "NA".

    Raises:
        UnexpectedError: if it is no finite number; the message has the column's name.
    """
    found: float | None
    if type(value) is float:
        found = value
    elif value is None:
        return None
    elif isinstance(value, int | float | Decimal):
        try:
            found = float(value)
        except (OverflowError, ValueError):
            raise UnexpectedError(f"{name} is not a number") from None
    elif isinstance(value, str):
        found = _of_text(value, name)
    else:
        raise UnexpectedError(f"{name} is not a number")
    if found is None or found != found:  # NaN means "no value"
        return None
    if math.isinf(found):
        raise UnexpectedError(f"{name} is infinite")
    return found


def _of_text(text: str, name: str) -> float | None:
    try:
        if "_" not in text and text.isascii():
            return float(text)
    except ValueError:
        if text.strip().lower() in MISSING:
            return None
    raise UnexpectedError(f"{name} is not a number")


def parse_number(text: str) -> int | float | None:
    """Return the number that a text is; None if it is none. Whole numbers stay whole.

    >>> parse_number("1"), parse_number("0.5"), parse_number("1_0")
    (1, 0.5, None)
    """
    text = text.strip()
    if "_" in text or not text.isascii() or len(text) > 400:
        return None
    try:
        if text.lstrip("+-").isdigit() and len(text) < 19:
            return int(text)
        return float(text)
    except ValueError:
        return None


def text(value: Any, name: str) -> str | None:
    """Return a value as a text: 1.0 and 1 are one category, whatever wrote the log.

    Raises:
        UnexpectedError: if it is a list or an object.
    """
    if value is None or type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) < 10**100:
            return str(value)
        raise UnexpectedError(f"{name} is not a text")
    if isinstance(value, float):
        if not math.isfinite(value):
            return None if math.isnan(value) else str(value)
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, str | dt.date | Decimal):
        return str(value)
    raise UnexpectedError(f"{name} is {'a list' if isinstance(value, list) else 'no text'}")
