"""Environment variables that override one value of one loop.

`FEEDBACK_ASSETS__FLIGHTS__DRIFT__ALPHA=0.01` sets `drift.alpha` of the loop `flights`.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from feedback_assets.config.lines import Path, parse_scalar
from feedback_assets.config.shape import choices_at, names_at, nearest, type_at

PREFIX = "FEEDBACK_ASSETS__"


@dataclass(frozen=True)
class Override:
    """One variable, the field it sets, and its value."""

    variable: str
    path: Path
    value: Any


@dataclass(frozen=True)
class BadOverride:
    """A variable that names no field of the loop."""

    variable: str
    message: str


def overrides_of(
    loop: str, data: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[list[Override], list[BadOverride]]:
    """Read the overrides of one loop.

    Args:
        loop: The loop's name.
        data: The loop's file, to find keys that people chose themselves (a parameter, a column).
        environ: The environment.
    """
    good: list[Override] = []
    bad: list[BadOverride] = []
    prefix = f"{PREFIX}{loop.upper()}__"
    for variable in sorted(name for name in environ if name.upper().startswith(prefix)):
        parts = variable[len(prefix) :].lower().split("__")
        path, problem = _path(parts, data)
        if problem is None:
            good.append(Override(variable, path, _value(path, environ[variable])))
        else:
            bad.append(BadOverride(variable, problem))
    return good, bad


def stray_overrides(loops: Iterable[str], environ: Mapping[str, str]) -> list[BadOverride]:
    """Return the overrides that name a loop which does not exist, with the nearest that does."""
    loops = list(loops)
    prefixes = tuple(f"{PREFIX}{loop.upper()}__" for loop in loops)
    stray = []
    for variable in sorted(name for name in environ if name.upper().startswith(PREFIX)):
        if variable.upper().startswith(prefixes):
            continue
        named = variable[len(PREFIX) :].split("__")[0].lower()
        meant = nearest(named, loops)
        hint = f"; did you mean {meant}?" if meant else ""
        known = ", ".join(loops) or "none"
        stray.append(BadOverride(variable, f"there is no loop {named}{hint} Loops: {known}"))
    return stray


def merged(data: Mapping[str, Any], overrides: Iterable[Override]) -> dict[str, Any]:
    """Return a copy of `data` with each override in its place."""
    result: dict[str, Any] = copy.deepcopy(dict(data))
    for override in overrides:
        here = result
        for part in override.path[:-1]:
            if not isinstance(here.get(str(part)), dict):
                here[str(part)] = {}
            here = here[str(part)]
        here[str(override.path[-1])] = override.value
    return result


def _path(parts: list[str], data: Any) -> tuple[Path, str | None]:
    path: tuple[str, ...] = ()
    for part in parts:
        names = names_at(path)
        if names and part not in names:
            meant = nearest(part, names)
            hint = f"did you mean {meant.upper()}? " if meant else ""
            allowed = ", ".join(name.upper() for name in names)
            return path, f"unknown field {part.upper()}; {hint}Allowed: {allowed}"
        if not names and not _open(path):
            return path, f"{'.'.join(path)} has no fields inside it"
        key = part if names else _own_key(part, data)
        data = data.get(key) if isinstance(data, Mapping) else None
        path = (*path, key)
    if names_at(path):
        inside = ", ".join(name.upper() for name in names_at(path))
        return path, f"name a field inside it: {inside}"
    return path, None


def _open(path: tuple[str, ...]) -> bool:
    """Whether people choose the keys inside `path` themselves."""
    here = type_at(path)
    return here is None or get_origin(here) is dict


def _own_key(part: str, data: Any) -> str:
    keys = list(data) if isinstance(data, Mapping) else []
    return next((str(key) for key in keys if str(key).casefold() == part), part)


def _value(path: Path, text: str) -> Any:
    here = type_at(path)
    if here is str or choices_at(path):
        return None if text in ("", "null", "~") else text
    value = parse_scalar(text)
    if get_origin(here) is list and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
