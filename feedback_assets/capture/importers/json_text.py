"""JSON as it is found in logs, and what of it may be shown."""

import json
import re
from typing import Any

import msgspec

from feedback_assets.capture.importers.records import UnexpectedError

LINE_CHARACTERS = 500
_decode = msgspec.json.Decoder().decode
_PRIVATE = re.compile(
    r"headers?\b|metadata|annotations|authorization|bearer|cookie|customattributes|requester"
    r"|api[-_]?key|secret|password|\bx-|traceparent",
    re.IGNORECASE,
)


def decode(text: bytes | str, what: str) -> Any:
    """Return the value of a JSON text; NaN and Infinity are read too, as Python writes them.

    Raises:
        UnexpectedError: if it is none.
    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        pass
    try:
        value = json.loads(text)
        # What msgspec refuses may hold half a surrogate pair, which is no text anywhere else.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise UnexpectedError(f"{what} is not JSON") from None
    return value


def shown(line: bytes | Any) -> str:
    """Return the first 500 characters of a record, without headers and request metadata."""
    if isinstance(line, bytes | bytearray):
        head = bytes(line[: 4 * LINE_CHARACTERS])
        if not _PRIVATE.search(head.decode("utf-8", errors="replace")):
            return head.decode("utf-8", errors="replace")[:LINE_CHARACTERS]
        try:
            record = decode(bytes(line), "the line")
        except UnexpectedError:
            return _before_private(head.decode("utf-8", errors="replace"))
    else:
        record = line
    try:
        text = json.dumps(_public(record, 0), ensure_ascii=False, default=str)
    except (ValueError, RecursionError, TypeError):
        return ""
    return text.encode("utf-8", errors="replace").decode()[:LINE_CHARACTERS]


def _before_private(text: str) -> str:
    found = _PRIVATE.search(text)
    return (text[: found.start()] + "…" if found else text)[:LINE_CHARACTERS]


def _public(value: Any, depth: int) -> Any:
    if depth > 4:
        return "…"
    if isinstance(value, dict):
        return {
            str(key): _public(item, depth + 1)
            for key, item in list(value.items())[:100]
            if not _PRIVATE.search(str(key))
        }
    if isinstance(value, list | tuple):
        return [_public(item, depth + 1) for item in value[:100]]
    if isinstance(value, str) and _PRIVATE.search(value):
        return _before_private(value)
    return value
