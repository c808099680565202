"""The JSON Schema of a loop's file, by which editors complete and check it."""

import json
from pathlib import Path
from typing import Any

from feedback_assets.config.fields import field_docs
from feedback_assets.config.schema import Config
from feedback_assets.config.section import Strict

SCHEMA_LINE = "# yaml-language-server: $schema=../schema/loop.schema.json"
"""The first line of a loop's file: it tells an editor where the schema is."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a loop's file."""
    found = Config.model_json_schema()
    sections = {section.__name__: section for section in Strict.sections()}
    for name, section in {**found["$defs"], "Config": found}.items():
        docs = field_docs(sections[name])
        section["properties"] = {
            field: dict(sorted({**said, "description": docs[field]}.items()))
            for field, said in section["properties"].items()
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def schema_text() -> str:
    """Return the JSON Schema as it is kept in `configs/schema/loop.schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def write_json_schema(path: Path) -> None:
    """Write the JSON Schema to `path` (`configs/schema/loop.schema.json`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(), encoding="utf-8")
