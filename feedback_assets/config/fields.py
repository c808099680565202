"""What each field of a loop's file means: the text below it in `schema.py`.

Read only where a person asks, since it costs as much as all of pydantic's own work at import.
"""

import ast
import inspect
from collections.abc import Mapping
from functools import cache

from feedback_assets.config import schema


def field_docs(section: type) -> dict[str, str]:
    """Return the meaning of a section's fields, inherited ones included."""
    docs: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        docs.update(_documented().get(kind.__name__, {}))
    return docs


@cache
def _documented() -> Mapping[str, Mapping[str, str]]:
    classes = (n for n in ast.parse(inspect.getsource(schema)).body if isinstance(n, ast.ClassDef))
    return {node.name: _texts_below(node) for node in classes}


def _texts_below(section: ast.ClassDef) -> dict[str, str]:
    docs: dict[str, str] = {}
    for field, below in zip(section.body, section.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = inspect.cleandoc(text)
    return docs
