"""What an importer speaks of: halves of a prediction, events of feedback, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec

Kind = Literal["predictions", "feedback"]
Row = dict[str, Any] | list[Any]
"""The inputs of one prediction: by name, or by position over the loop's features."""

REQUEST, RESPONSE, WHOLE = 1, 2, 3
HALVES = {REQUEST: "request", RESPONSE: "response"}


class UnexpectedError(ValueError):
    """A record is not what its format says; the message is what was expected, without values."""


ODD = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What code that reads foreign records may stumble over; an import goes on and refuses the record."""


class Part(msgspec.Struct, array_like=True):
    """A request, a response, or both, of one call of a model."""

    id: str
    half: int
    """REQUEST, RESPONSE or WHOLE."""
    time_us: int | None
    """Microseconds UTC; None where the record states no time."""
    inputs: list[Any] | None = None
    """Rows as they came: dicts by name or lists by position."""
    outputs: Any = None
    """The decoded answer of the model, whatever its shape."""
    version: str | None = None
    """The platform's name for the model's version."""
    key: str | None = None
    """What tells this record from others; the id where None."""


class Event(NamedTuple):
    """One piece of feedback."""

    prediction_id: str
    kind: str
    value: str | None
    event_id: str | None = None
    event_us: int | None = None
    received_us: int | None = None
    source: str | None = None
    confidence: float | None = None


@dataclass
class Landed:
    """What one call of `land_new` did.

    `records == landed + refused + unpaired + repeated`, all in records of the files. `rows` and
    `refused_rows` count rows of the landed files, where one record may hold many.
    """

    files: int = 0
    """Files that were new or had changed."""
    records: int = 0
    """Records read of them."""
    landed: int = 0
    """Records of which at least one row is good; both halves of a pair count."""
    rows: int = 0
    """Good rows."""
    refused: int = 0
    """Records without a good row."""
    refused_rows: int = 0
    """Rows with a reason in `#broken`."""
    unpaired: int = 0
    """Halves that now wait for their other half."""
    paired_late: int = 0
    """Halves of earlier calls whose other half came."""
    expired: int = 0
    """Halves of earlier calls that waited too long and were landed as refused."""
    repeated: int = 0
    """Records that had landed, or wait, already."""
    unfinished: int = 0
    """Files that are looked at again: the last line is still being written, or the system did
    not let them be read."""
    waiting: int = 0
    """Halves that wait in all."""
    oldest_us: int | None = None
    """Since when the oldest of them has waited, microseconds UTC."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Refused rows by reason; at most REASONS of them by name."""

    def refuse(self, reason: str, rows: int = 1) -> None:
        """Count refused rows under their reason."""
        known = reason in self.reasons or len(self.reasons) < REASONS
        name = reason if known else "other reasons"
        self.reasons[name] = self.reasons.get(name, 0) + rows
        self.refused_rows += rows


REASONS = 50
"""Reasons that are counted apart."""


def needed(record: Mapping[str, Any], *path: str) -> Any:
    """Return the value at a path of objects.

    Raises:
        UnexpectedError: if there is none.
    """
    value: Any = record
    for i, name in enumerate(path):
        value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            raise UnexpectedError(f"{'.'.join(path[: i + 1])} is missing")
    return value


def identity(value: Any, name: str) -> str:
    """Return a record's id as text.

    Raises:
        UnexpectedError: if it is no text or whole number, empty, or longer than 500 characters.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**40 else ""
    elif (isinstance(value, float) and value.is_integer() and abs(value) < 1e15) or (
        isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 10**40
    ):
        value = str(int(value))
    if not isinstance(value, str) or not value or len(value) > 500:
        raise UnexpectedError(f"{name} must be a text of 1 to 500 characters or a whole number")
    return value
