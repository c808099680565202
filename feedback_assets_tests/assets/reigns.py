"""A loop whose models served one after the other, made without training: for rollbacks and drills."""

import datetime as dt
import hashlib
import json
from pathlib import Path

from feedback_assets.assets.ledger import record
from feedback_assets.assets.models import champion
from feedback_assets.assets.published import publish_models
from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.decisions import Decision

BEGIN = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def model_file(space: LoopSpace, version: int) -> Path:
    """A version's folder with a file that is the registered one, though no model."""
    folder = space.models / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    content = f"model {version}".encode()
    (folder / "model.onnx").write_bytes(content)
    about = {"version": version, "onnx_digest": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
    return folder / "model.onnx"


def promote(space: LoopSpace, version: int) -> Decision:
    """Record that a version that lies on disk was promoted, a day a version, and publish it."""
    before = champion(space)
    decision = Decision(
        loop=space.name,
        kind="promote",
        time=BEGIN + dt.timedelta(days=version),
        version=str(version),
        previous_version=str(before.version) if before else None,
        actor="sensor:test",
        cause="drift",
        rule="better",
        reason="it is better",
        evidence={"candidate": version},
    )
    record(space, decision)
    publish_models(space)
    return decision


def reign_of(space: LoopSpace, *versions: int) -> list[Decision]:
    """Versions made and promoted one after the other."""
    for version in versions:
        model_file(space, version)
    return [promote(space, version) for version in versions]
