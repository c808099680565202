"""The one spelling of what people say: labels and their own names."""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from feedback_assets.capture.convert import FALSE, TRUE
from feedback_assets.config.schema import Label
from feedback_assets.errors import ReviewError

PRINCIPAL = "person:"
NAME_LENGTH = 100
NO_WORDS: Mapping[str, str] = MappingProxyType({})


def spelled(label: Label, value: object, words: Mapping[str, str] = NO_WORDS) -> str:
    """Return the label that a person said, in the one spelling that the tables use.

    Nothing is guessed: of a binary label only what surely means one of the two is taken, though the
    intake of logs takes every text but the positive one for negative.

    Args:
        label: What the truth is.
        value: What the person said, of whatever type.
        words: Label to what people read instead (`review.words`), taken as well.

    Returns:
        Binary: 1 or 0; multiclass: a class; regression: the shortest text of the number.

    Raises:
        ReviewError: It is no such label.
    """
    text = _text(label, value)
    read = {shown.strip().lower(): one for one, shown in words.items()}
    match label.kind:
        case "regression":
            found = _number(text)
        case "multiclass":
            found = _class(label, text) or read.get(text.lower())
        case _:
            found = read.get(text.lower()) or _sure(label.positive.strip().lower(), text.lower())
    if found is None:
        raise ReviewError(f"the label {text[:80]!r} is not {_wanted(label)}")
    return found


def recorded(label: Label, value: object) -> str:
    """Return a label that a file records in the one spelling, as the feedback's intake would.

    Raises:
        ReviewError: It is no such label.
    """
    text = _text(label, value)
    if label.kind != "binary":
        return spelled(label, text)
    own, low = label.positive.strip().lower(), text.lower()
    if own in TRUE:
        return spelled(label, text)
    yes = {own} if _number(own) is not None else {own, *TRUE}
    return "1" if low in yes else "0"


def named(annotator: str) -> str:
    """Return a person's name without blanks around it.

    Raises:
        ReviewError: It is empty, too long, has unprintable characters or the prefix of principals.
    """
    name = annotator.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable() or name.startswith(PRINCIPAL):
        raise ReviewError(
            f"annotator {annotator[:80]!r}: give a name of 1 to {NAME_LENGTH} printable characters, "
            f"without `{PRINCIPAL}` before it"
        )
    return name


def _text(label: Label, value: object) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    text = str(int(value)) if isinstance(value, bool) else str(value).strip()
    if missing or not text:
        raise ReviewError(f"the label is missing: {_wanted(label)}")
    return text


def _class(label: Label, text: str) -> str | None:
    whole = re.sub(r"[.]0+$", "", text)
    return next((one for one in (text, whole) if one in label.classes), None)


def _number(text: str) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return repr(number + 0.0) if math.isfinite(number) else None


def _sure(own: str, text: str) -> str | None:
    """The one spelling goes before the label's own word: 1 is positive, whatever that is."""
    if text in TRUE or text in FALSE:
        return "1" if text in TRUE else "0"
    return {own: "1", f"not {own}": "0"}.get(text)


def _wanted(label: Label) -> str:
    match label.kind:
        case "regression":
            return "a finite number"
        case "multiclass":
            return f"one of {', '.join(label.classes)}"
        case _:
            return f"1 or 0, nor `{label.positive}` or `not {label.positive}`"
