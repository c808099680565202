"""YAML that remembers where each value stands, so that an error can point at it."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from feedback_assets.errors import ConfigError

Path = tuple[str | int, ...]
"""Field names and list positions from the top of the file, as in `("drift", "alpha")`."""


@dataclass(frozen=True)
class Place:
    """A position in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Document:
    """A parsed file: plain data, and the place of each of its values (of its key, if it has one).

    `repeated` lists the paths that the file gives twice.
    """

    data: Any
    places: dict[Path, Place]
    repeated: tuple[Path, ...] = ()

    def place(self, path: Path) -> Place:
        """Return where `path` stands, or the nearest section around it that the file has."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))


class _Loader(yaml.SafeLoader):
    """YAML 1.2's scalars: `no` is a text, `1e-4` a number, a date a text for the schema to read."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
)
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """Read an integer in base ten, also with leading zeros (YAML 1.1 reads 010 as eight)."""
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


def parse(text: str, name: str) -> Document:
    """Parse one YAML text.

    Args:
        text: The text of the file.
        name: How to call the file in an error.

    Raises:
        ConfigError: The text is not YAML; the message names line and column.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{name}{_at(error)}: not YAML: {_told(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not YAML: {error}") from error
    finally:
        loader.dispose()
    places: dict[Path, Place] = {}
    repeated: list[Path] = []
    if node is not None:
        _walk(node, (), places, repeated)
    return Document(data, places, tuple(repeated))


def parse_scalar(text: str) -> Any:
    """Read one value as it would be read in a file; a text that is not YAML stays a text."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError:
        return text
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: Path, places: dict[Path, Place], repeated: list[Path]) -> None:
    places.setdefault(path, _place(node))
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            _walk(child, (*path, position), places, repeated)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            below = (*path, str(key.value))
            if str(key.value) in seen:
                repeated.append(below)
            seen.add(str(key.value))
            places[below] = _place(key)
            _walk(child, below, places, repeated)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _at(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return "" if mark is None else f":{mark.line + 1}:{mark.column + 1}"


def _told(error: yaml.MarkedYAMLError) -> str:
    if error.problem and "'\\t'" in error.problem:
        return "a tab at the start of a line; indent with spaces"
    return ", ".join(part for part in (error.context, error.problem) if part)
