"""JSON written with what JSON cannot say."""

import json
from typing import Any


class Raw(str):
    """Bytes (as Latin-1 text) that stand in a body as they are."""

    __slots__ = ()


class Doubles(list[tuple[str, Any]]):
    """An object whose names may come twice."""


def written(tree: Any) -> bytes:
    """Write a tree as JSON, with what JSON cannot say."""
    match tree:
        case Raw():
            return tree.encode("latin-1")
        case Doubles():
            return b"{" + b",".join(_name(k) + b":" + written(v) for k, v in tree) + b"}"
        case dict():
            return b"{" + b",".join(_name(k) + b":" + written(v) for k, v in tree.items()) + b"}"
        case list():
            return b"[" + b",".join(written(v) for v in tree) + b"]"
        case _:
            return json.dumps(tree, ensure_ascii=False).encode("utf-8")


def _name(name: str) -> bytes:
    return json.dumps(name).encode()


def places(tree: Any) -> Any:
    if isinstance(tree, dict) and not isinstance(tree, Doubles):
        keys: Any = list(tree)
    elif isinstance(tree, list) and not isinstance(tree, Doubles):
        keys = range(len(tree))
    else:
        return
    for key in keys:
        yield tree, key
        yield from places(tree[key])
