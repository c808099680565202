"""The evaluation that a version was judged by, as it lies in its folder."""

import json
from typing import Any

from feedback_assets.assets.models import ModelVersion
from feedback_assets.audit.story import Story

Json = dict[str, Any]
SCHEMA = 1


def suite_of(model: ModelVersion, story: Story) -> Json | None:
    """The suite that the newest record names, else the newest in the folder; None where none is.

    A suite of a schema that this release does not read counts as none.
    """
    named = (story.detail("suite") or {}).get("file", "").rpartition("/")[2]
    known = sorted(
        model.folder.glob("evaluation-against-*.json"), key=lambda p: p.stat().st_mtime_ns
    )
    found = [path for path in known if path.name == named] or known[-1:]
    if not found:
        return None
    suite: Json = json.loads(found[0].read_text("utf-8"))
    return suite if suite.get("schema") == SCHEMA else None
