"""JSON as the standard has it: UTF-8, no name twice, no NaN, no lone surrogates, not too deep."""

import json
from typing import Any

from feedback_assets.door.limits import too_deep
from feedback_assets.door.problems import NAME, Problem, malformed


def strict(body: bytes, max_depth: int) -> Any:
    """Parse a body; numbers may still be infinite, as 1e999 is.

    Raises:
        Problem: 400, says what is no JSON.
    """
    if not body.strip():
        raise malformed("the body is empty")
    if too_deep(body, max_depth):
        raise malformed(f"the body nests deeper than {max_depth} levels")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise malformed("the body is not UTF-8") from None
    try:
        tree = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise malformed(
            f"the body is not JSON: line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError):
        raise malformed(
            "the body is not JSON: a number is too long, or it nests too deep"
        ) from None
    if "\\u" in text:
        _refuse_surrogates(tree)
    return tree


def _no_constant(_word: str) -> Any:
    raise malformed("the body is not JSON: it has no NaN and no Infinity; send null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        rest = dict.fromkeys(found, 0)
        twice = next(name for name, _ in pairs if name not in rest or rest.pop(name))
        said = f": {twice}" if NAME.match(twice) else ""
        raise Problem(400, "malformed", f"an object has the same name twice{said}")
    return found


def _refuse_surrogates(tree: Any) -> None:
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise malformed("a text holds half a surrogate pair, which is no character") from None
