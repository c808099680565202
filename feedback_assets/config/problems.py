"""Every problem of a loop's file at once, each with its place, its value and the way out."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from feedback_assets.config.fields import field_docs
from feedback_assets.config.lines import Document, Path
from feedback_assets.config.shape import choices_at, dotted, names_at, nearest, type_at
from feedback_assets.errors import ConfigError

_PATTERNS = {
    "name": "small letters, digits and underscores, a letter first",
    "owners": "an e-mail address, or team:name",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where it stands and what to do."""

    where: str
    """`file:line:column`, or the name of an environment variable."""
    field: str
    """Path of the field, as in `drift.alpha`; empty for the whole file."""
    message: str
    """What is wrong, what is allowed, what was probably meant."""

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return f"{self.where}: {field}{self.message}"


class InvalidLoopError(ConfigError):
    """A loop's file, or an override of it, is wrong; lists every problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def problems_of(
    error: ValidationError, document: Document, name: str, variables: dict[Path, str]
) -> tuple[Problem, ...]:
    """Translate what the schema said.

    Args:
        error: What pydantic raised.
        document: The parsed file.
        name: How to call the file.
        variables: Environment variable by the field it has overridden.
    """
    found = []
    for details in error.errors(include_url=False):
        path = tuple(details["loc"])
        place = document.place(path)
        where = variables.get(path) or f"{name}:{place.line}:{place.column}"
        found.append(Problem(where, dotted(path), explain(details)))
    return tuple(found)


def explain(details: ErrorDetails) -> str:
    """Say in words what one error of the schema means and how to mend it."""
    path, kind = tuple(details["loc"]), details["type"]
    if kind == "extra_forbidden":
        return unknown_field(path)
    if kind == "missing":
        return f"is missing{_purpose(path)}"
    if kind == "value_error":
        return str(details["ctx"]["error"])
    return f"{_allowed(path, details)}, but is {shown(details['input'])}{_hint(path, details)}"


def unknown_field(path: Path) -> str:
    """Say that the last name of `path` is no field, which are, and which was probably meant."""
    names = names_at(path[:-1])
    name = str(path[-1])
    below = next((each for each in names if name in names_at((*path[:-1], each))), None)
    meant = dotted((*path[:-1], below, name)) if below else nearest(name, names)
    hint = f"; did you mean {meant}?" if meant else ";"
    return f"unknown field{hint} Allowed: {', '.join(names)}"


def shown(value: Any) -> str:
    """Return a value as it can be shown in one line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _purpose(path: Path) -> str:
    parent = type_at(path[:-1])
    text = field_docs(parent).get(str(path[-1]), "") if isinstance(parent, type) else ""
    return f" ({text.rstrip('.')})" if text else ""


def _allowed(path: Path, details: ErrorDetails) -> str:
    if details["type"] == "string_pattern_mismatch" and path[0] in _PATTERNS:
        return f"must be {_PATTERNS[str(path[0])]}"
    if details["type"] == "literal_error":
        return f"must be one of {', '.join(choices_at(path))}"
    return details["msg"].replace("Input should be", "must be").replace("should", "must")


def _hint(path: Path, details: ErrorDetails) -> str:
    value = details["input"]
    if details["type"] == "string_type" and isinstance(value, bool | int | float):
        return f'; write it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if details["type"] == "list_type" and isinstance(value, str):
        return f"; write a list: [{value}]"
    if details["type"] == "literal_error":
        meant = nearest(str(value), choices_at(path))
        return f"; did you mean {meant}?" if meant else ""
    return ""
