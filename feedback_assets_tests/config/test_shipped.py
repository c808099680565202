import json
from pathlib import Path

import pytest

from feedback_assets.config.jsonschema import SCHEMA_LINE, schema_text, write_json_schema
from feedback_assets.config.load import load_loop

CONFIGS = Path(__file__).parents[2] / "configs"
LOOPS = sorted((CONFIGS / "loops").glob("*.yaml"))


@pytest.mark.parametrize("path", LOOPS, ids=lambda path: path.stem)
def test_a_shipped_loop_loads(path):
    assert load_loop(path, {}).name == path.stem
    assert path.read_text().splitlines()[0] == SCHEMA_LINE


def test_there_are_shipped_loops():
    assert "energy" in [path.stem for path in LOOPS]


def test_the_schema_file_is_current():
    kept = (CONFIGS / "schema" / "loop.schema.json").read_text(encoding="utf-8")
    assert kept == schema_text(), "run: feedback-assets schema"


def test_the_schema_explains_every_field_and_forbids_others(tmp_path):
    write_json_schema(tmp_path / "new" / "s.json")
    schema = json.loads((tmp_path / "new" / "s.json").read_text())
    sections = [schema, *schema["$defs"].values()]
    objects = [s for s in sections if s.get("type") == "object"]
    assert len(objects) > 15
    for section in objects:
        assert section["additionalProperties"] is False
        assert section["description"]
        for name, field in section["properties"].items():
            assert field.get("description") or "$ref" in field, name
