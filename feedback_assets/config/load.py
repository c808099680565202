"""Reading `configs/loops/<loop>.yaml` into a `Config`, with overrides from the environment."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from feedback_assets.config.env import merged, overrides_of
from feedback_assets.config.lines import Document, parse
from feedback_assets.config.problems import InvalidLoopError, Problem, problems_of
from feedback_assets.config.schema import Config
from feedback_assets.config.shape import nearest
from feedback_assets.config.triggers import trigger_problems
from feedback_assets.errors import ConfigError
from feedback_assets.settings import Settings

ENDINGS = (".yaml", ".yml")


def load_loop(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read one loop.

    Args:
        path: The loop's YAML file; its stem is the loop's name.
        environ: Where overrides are looked up; the process environment when absent.

    Raises:
        ConfigError: The file cannot be read, or is wrong; the message lists every problem with
            line, column, field, value, what is allowed and what was probably meant.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return loop_from_text(text, str(path), path.stem, os.environ if environ is None else environ)


def loop_from_text(text: str, name: str, loop: str, environ: Mapping[str, str]) -> Config:
    """Read one loop from the text of its file.

    Args:
        text: YAML.
        name: How to call the file in errors.
        loop: The loop's name as its file's name says it.
        environ: Where overrides are looked up.

    Raises:
        ConfigError: As in `load_loop`.
    """
    document = parse(text, name)
    if not isinstance(document.data, dict):
        raise InvalidLoopError((Problem(f"{name}:1:1", "", "must hold fields such as `name:`"),))
    overrides, misspelt = overrides_of(loop, document.data, environ)
    problems = [Problem(bad.variable, "", bad.message) for bad in misspelt]
    problems += _repeated(document, name)
    try:
        config = Config.model_validate(merged(document.data, overrides))
    except ValidationError as error:
        variables = {override.path: override.variable for override in overrides}
        problems += problems_of(error, document, name, variables)
        raise InvalidLoopError(tuple(problems)) from error
    problems += _across_fields(config, document, name, loop)
    if problems:
        raise InvalidLoopError(tuple(problems))
    return config


def loop_files(settings: Settings) -> list[Path]:
    """Return the files of all loops, by name."""
    folder = settings.configs / "loops"
    found = (path for ending in ENDINGS for path in folder.glob(f"[!.]*{ending}"))
    return sorted(path for path in found if path.is_file())


def load_loops(
    settings: Settings, environ: Mapping[str, str] | None = None
) -> dict[str, Config | ConfigError]:
    """Read every loop; a broken file becomes its own error and never stops the others."""
    loops: dict[str, Config | ConfigError] = {}
    for path in loop_files(settings):
        if path.stem in loops:
            loops[path.stem] = ConfigError(f"{path}: a second file for the loop; remove one")
            continue
        try:
            loops[path.stem] = load_loop(path, environ)
        except ConfigError as error:
            loops[path.stem] = error
    return loops


def config_digest(config: Config) -> str:
    """Return the sha256 of a loop's config, independent of the order and the look of its file."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _repeated(document: Document, name: str) -> Iterator[Problem]:
    for path in document.repeated:
        place = document.place(path)
        field = ".".join(map(str, path))
        yield Problem(f"{name}:{place.line}:{place.column}", field, "is given twice; keep one")


def _across_fields(config: Config, document: Document, name: str, loop: str) -> Iterator[Problem]:
    def problem(message: str, *path: str | int) -> Problem:
        place = document.place(path)
        field = ".".join(map(str, path))
        return Problem(f"{name}:{place.line}:{place.column}", field, message)

    if config.name != loop:
        yield problem(f"is {config.name}, but the file is named {loop}: make them equal", "name")
    if "__" in config.name:
        yield problem("must not hold two underscores: environment overrides split there", "name")
    columns = [*config.columns.features, *config.columns.carried, "score", "prediction", "label"]
    for position, column in enumerate(config.drift.ignore):
        if column not in columns:
            meant = nearest(column, columns)
            hint = f"; did you mean {meant}?" if meant else ""
            yield problem(f"no column {column} is declared{hint}", "drift", "ignore", position)
    for path, message in trigger_problems(config):
        yield problem(message, *path)
