"""Rows and events as JSON, in requests that the service takes."""

import datetime as dt
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ENCODER = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=lambda value: plain(value)
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Neighbouring items of a call that go in one request."""

    before: int
    """Items of the call before these."""
    items: tuple[bytes, ...]

    def body(self, name: str) -> bytes:
        """The object `{name: [items]}`."""
        return b'{"%s":[%s]}' % (name.encode(), b",".join(self.items))


def batches(items: Iterable[Mapping[str, Any]], max_items: int, max_bytes: int) -> Iterator[Batch]:
    """Cut a call into requests of at most so many items and, if one item allows it, bytes."""
    held: list[bytes] = []
    before = size = 0
    for number, item in enumerate(items):
        text = encode(item, f"item {number}, ")
        if held and (len(held) == max_items or size + len(text) > max_bytes):
            yield Batch(before, tuple(held))
            before, held, size = number, [], 0
        held.append(text)
        size += len(text) + 1
    if held:
        yield Batch(before, tuple(held))


def encode(item: Mapping[str, Any], where: str = "") -> bytes:
    """One row or event as JSON.

    Datetimes without a zone are UTC; numpy's and pandas' scalars are taken.

    Raises:
        ValueError: A field holds what JSON has no word for; the message names it.
    """
    try:
        return ENCODER.encode(dict(item)).encode()
    except (TypeError, ValueError):
        raise ValueError(f"{where}{_wrong_field(item)}") from None


def plain(value: Any) -> Any:
    """What JSON says for a value that is no JSON scalar itself.

    Raises:
        TypeError: It says nothing for it.
    """
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return aware.astimezone(dt.UTC).isoformat(timespec="microseconds")
    if hasattr(value, "item"):
        return value.item()
    raise TypeError


def _wrong_field(item: Mapping[str, Any]) -> str:
    for name, value in item.items():
        try:
            ENCODER.encode(value).encode()
        except (TypeError, ValueError):
            if isinstance(value, float) and not math.isfinite(value):
                return f"field {name} is not a finite number: say None where there is no value"
            return (
                f"field {name} holds a {type(value).__name__} that JSON cannot say: "
                "give a number, a text, None or a datetime"
            )
    return "a field name is no text"
