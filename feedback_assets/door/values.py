"""Whether a feedback value fits the loop's label, and how the inbox spells it.

What a text means is as the importing of files has it (capture/convert.py).
"""

import math
from collections.abc import Callable
from typing import Any

from feedback_assets.capture.convert import FALSE, TRUE
from feedback_assets.config.schema import Label

Scalar = bool | int | float | str
Check = Callable[[Scalar], str | None]
"""What is wrong with a value; None when it fits."""
WHOLE = 1e15


def spelled(value: Scalar) -> str:
    """A JSON scalar as text; 1 and 1.0 are one value.

    >>> spelled(True), spelled(1.0), spelled(1.5), spelled("late")
    ('true', '1', '1.5', 'late')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE:
        return str(int(value))
    return repr(value)


def check_of(kind: str | None, label: Label) -> Check:
    """The check of the values of a kind of feedback."""
    if kind in ("rating", "reward"):
        return number_fault
    if kind == "click":
        return click_fault
    if kind == "rejection":
        return reason_fault
    if label.kind == "regression":
        return number_fault
    if label.kind == "multiclass":
        classes = frozenset(label.classes)
        return lambda value: None if spelled(value) in classes else "is not one of the classes"
    return _binary(label.positive.strip().lower())


def number_fault(value: Scalar) -> str | None:
    """Ratings, rewards and the labels of regressions."""
    if isinstance(value, bool | str):
        return "must be a number"
    return None if _finite(value) else "is too large for a number"


def click_fault(value: Scalar) -> str | None:
    """Clicks."""
    return None if not isinstance(value, str) and value in (0, 1) else "must be 0 or 1"


def reason_fault(value: Scalar) -> str | None:
    """Rejections say why, or nothing."""
    return _text_fault(value)


def _binary(positive: str) -> Check:
    if positive in TRUE:
        known = frozenset((*TRUE, *FALSE))

        def fault(value: Scalar) -> str | None:
            if spelled(value).strip(" ").lower() in known:
                return None
            return "must be 0, 1, true or false"

        return fault

    def own(value: Scalar) -> str | None:
        empty = isinstance(value, str) and not value.strip(" ")
        return "must not be empty" if empty else _text_fault(value)

    return own


def _text_fault(value: Scalar) -> str | None:
    if isinstance(value, str):
        return "must not hold the character NUL" if "\x00" in value else None
    return None if _finite(value) else "is too large for a number"


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
