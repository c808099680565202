"""What each field of a loop's file means: the text below it where the section is defined.

Read only where a person asks, since it costs as much as all of pydantic's own work at import.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache


def field_docs(section: type) -> dict[str, str]:
    """Return the meaning of a section's fields, inherited ones included."""
    docs: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if kind.__module__.startswith(__package__):
            docs.update(_documented(kind.__module__).get(kind.__name__, {}))
    return docs


@cache
def _documented(module: str) -> Mapping[str, Mapping[str, str]]:
    body = ast.parse(inspect.getsource(sys.modules[module])).body
    classes = (node for node in body if isinstance(node, ast.ClassDef))
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
