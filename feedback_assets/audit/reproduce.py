"""Training a version again from what it pinned, and judging it again by its record."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

import duckdb

from feedback_assets import __version__
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.training import git_commit, lock_digest
from feedback_assets.audit.facts import folder_of, must_be_known
from feedback_assets.audit.judged_again import judged_again
from feedback_assets.audit.onnx_difference import onnx_differences
from feedback_assets.audit.pinned import Pinned, pinned_rows
from feedback_assets.audit.story import Story
from feedback_assets.errors import AuditError, FeedbackAssetsError
from feedback_assets.labels.pool import holdout_sql
from feedback_assets.tables.connection import connect
from feedback_assets.training.fit import train
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets.training.sample_weights import weights_of

Json = dict[str, Any]
Tell = Callable[[str], None]
SCHEMA = 1


def reproduce(space: LoopSpace, version: str, tell: Tell) -> Json:
    """Train a version again and ask its gates again.

    Args:
        space: The loop.
        version: The version.
        tell: Is told what is done now.

    Returns:
        JSON values: `same_model`, `same_gate` (null where no gate was recorded), `model`, `gate`,
        `environment` [{what, then, now}] where now differs from then, and `differences` in words.

    Raises:
        AuditError: There is no such version, or its folder is gone.
    """
    known = decisions(space)
    must_be_known(space, version, known)
    model = folder_of(space, version)
    if model is None:
        raise AuditError(
            f"{space.models / version} is gone: fetch it from MLflow (models:/{space.name}/{version})"
        )
    pinned = Pinned(space, model)
    changed = environment(model, pinned)
    with connect(space.settings) as con:
        tell("computing the digests of the pinned rows again")
        broken, unreadable = pinned_rows(space, model)
        tell("training again")
        again = trained_again(pinned, con)
        tell("judging again")
        gate = judged_again(pinned, Story.of(known, version), con, tell)
    return {
        "schema": SCHEMA,
        "question": "reproduce",
        "loop": space.name,
        "title": space.config.title,
        "version": version,
        "same_model": again["digest"] == model.digest,
        "same_gate": gate["same"] if gate else None,
        "model": {
            "recorded": model.digest,
            **again,
            "broken_partitions": broken,
            "unreadable": unreadable,
        },
        "gate": gate,
        "environment": changed,
        "differences": differences(broken, unreadable, again, gate, changed),
    }


def trained_again(pinned: Pinned, con: duckdb.DuckDBPyConnection) -> Json:
    """Fit on the pinned rows with the configuration of then: digest, rows, and what is not alike."""
    try:
        rows = con.execute(pinned.training).df()
        made = train(rows, rows["label"], pinned.config, weights_of(rows))
    except (FeedbackAssetsError, duckdb.Error) as error:
        return {"digest": None, "rows": None, "problem": str(error), "unlike": []}
    recorded = pinned.model.manifest["train_rows"]
    unlike = [] if made.rows == recorded else [f"{made.rows:,} training rows, then {recorded:,}"]
    if made.digest != pinned.model.digest:
        held = con.execute(holdout_sql(pinned.snapshot.relation())).df()
        kept = (pinned.model.folder / "model.onnx").read_bytes()
        unlike += onnx_differences(OnnxModel.load(kept), made.model, held)
    return {"digest": made.digest, "rows": made.rows, "problem": None, "unlike": unlike}


def environment(model: ModelVersion, pinned: Pinned) -> list[Json]:
    """What a training depends on beside rows, where it is not as it was then."""
    manifest: Mapping[str, Any] = model.manifest
    then: dict[str, Any] = {**manifest.get("libraries", {})}
    now: dict[str, Any] = {name: version_of(name) for name in then}
    then |= {
        "feedback-assets": manifest.get("code_version"),
        "git commit": manifest.get("git_commit"),
        "requirements.lock": manifest.get("lock_digest"),
        "configuration": manifest.get("config_digest"),
    }
    now |= {
        "feedback-assets": __version__,
        "git commit": git_commit(),
        "requirements.lock": lock_digest(),
        "configuration": pinned.config_digest,
    }
    return [
        {"what": name, "then": then[name], "now": now[name]}
        for name in then
        if then[name] is not None and then[name] != now[name]
    ]


def version_of(library: str) -> str | None:
    """The version of a library that is installed now."""
    try:
        return installed(library)
    except PackageNotFoundError:
        return None


def differences(
    broken: list[str], unreadable: str, again: Json, gate: Json | None, changed: list[Json]
) -> list[str]:
    """What is not as it was, in words; what matters most first."""
    said = [f"the pinned rows cannot be read: {unreadable}"] if unreadable else []
    if broken:
        said.append(f"the pinned rows changed in {len(broken)} partitions: {', '.join(broken[:5])}")
    if again["problem"]:
        said.append(f"it cannot be trained again: {again['problem']}")
    said += again["unlike"]
    said += gate["differences"] if gate else []
    said += [f"{d['what']}: then {d['then']}, now {d['now'] or 'not there'}" for d in changed]
    return said
