"""JSON read strictly, and judged: what is one number, one identifier, one nesting."""

import json
import math
import re
from enum import IntEnum
from typing import Any

SURE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Verdict(IntEnum):
    """The worst of several decides."""

    GOOD = 0
    OPEN = 1
    BAD = 2


GOOD, OPEN, BAD = Verdict.GOOD, Verdict.OPEN, Verdict.BAD


class Doubled(dict[str, Any]):
    """An object that states a name twice; the last one stands."""

    others: list[tuple[str, Any]]


def refuse(text: str) -> Any:
    raise ValueError(text)


def pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = Doubled(pairs)
    if len(made) == len(pairs):
        return dict(pairs)
    made.others = pairs
    return made


def walk(value: Any) -> Any:
    yield value
    if isinstance(value, dict):
        for k, v in value.items():
            yield k
            yield from walk(v)
    elif isinstance(value, list):
        for v in value:
            yield from walk(v)


def has_doubles(value: Any) -> bool:
    return any(isinstance(v, Doubled) for v in walk(value))


def encodable(value: Any) -> bool:
    return not any(
        "\ud800" <= ch <= "\udfff" for v in walk(value) if isinstance(v, str) for ch in v
    )


def depth(body: bytes) -> int:
    deepest = depth = 0
    quoted = escaped = False
    for byte in body:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def plain(text: str) -> bool:
    return all(ch >= " " and ch != "\x7f" for ch in text)


def identifier(value: Any) -> Verdict:
    if not isinstance(value, str):
        return BAD
    # Which further signs an id may have is the service's choice; these it must take.
    return GOOD if SURE_ID.fullmatch(value) else OPEN


def flat(data: Any) -> Any:
    if isinstance(data, list):
        for item in data:
            yield from flat(item)
    else:
        yield data


def count(tensor: dict[str, Any]) -> int | None:
    """Return the rows of a tensor; None if shape and data do not fit."""
    shape, data = tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not isinstance(data, list):
        return None
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in shape) or not shape:
        return None
    items = len(list(flat(data)))
    return items if math.prod(shape) == items else None


def decoded(body: bytes) -> Any:
    """Return the value of a body.

    Raises:
        ValueError: It is no JSON, or holds what no text can hold.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse, object_pairs_hook=pairs)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not encodable(value):
        raise ValueError("half a surrogate pair")
    return value
