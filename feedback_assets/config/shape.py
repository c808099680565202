"""What the schema allows at each place of a loop's file."""

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from feedback_assets.config.lines import Path
from feedback_assets.config.schema import Config


def type_at(path: Path) -> Any:
    """Return the declared type at `path`, without `None`; None where the schema knows nothing.

    >>> type_at(("drift", "alpha"))
    <class 'float'>
    """
    here: Any = Config
    for part in path:
        here = _step(here, part)
        if here is None or here is Any:
            return None
    return here


def names_at(path: Path) -> list[str]:
    """Return the field names that are allowed inside `path`; none where any are.

    >>> names_at(("source",))
    ['predictions', 'feedback']
    """
    here = type_at(path)
    return list(here.model_fields) if _is_model(here) else []


def choices_at(path: Path) -> list[str]:
    """Return the values that are allowed at `path` where they can be listed."""
    here = type_at(path)
    return [str(value) for value in get_args(here)] if get_origin(here) is Literal else []


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name that `name` was probably meant to be.

    >>> nearest("alhpa", ["alpha", "bins"])
    'alpha'
    """
    by_case = {str(each).casefold(): each for each in names}
    found = difflib.get_close_matches(str(name).casefold(), list(by_case), n=1, cutoff=0.6)
    return by_case[found[0]] if found else None


def dotted(path: Path) -> str:
    """Return `path` as a person writes it.

    >>> dotted(("columns", "numeric", 2))
    'columns.numeric[2]'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".")


def _step(here: Any, part: str | int) -> Any:
    if _is_model(here):
        field = here.model_fields.get(part)
        return None if field is None else _bare(field.annotation)
    inner = get_args(here)
    if get_origin(here) is dict:
        return _bare(inner[1])
    return _bare(inner[0]) if get_origin(here) is list else None


def _bare(annotation: Any) -> Any:
    """Strip `Annotated` and `None` from a declared type."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            some = [each for each in get_args(annotation) if each is not type(None)]
            annotation = some[0]
        else:
            return annotation


def _is_model(here: Any) -> bool:
    return isinstance(here, type) and issubclass(here, BaseModel)
