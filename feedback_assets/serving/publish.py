"""Saying which models answer: assets and commands publish, services pick it up within a second."""

import datetime as dt
import fcntl
import hashlib
import json
import re
from typing import Literal

import msgspec

from feedback_assets.errors import ServingError
from feedback_assets.serving.manifest import (
    SCHEMA,
    Manifest,
    Published,
    Remote,
    manifest_path,
    write_atomically,
)
from feedback_assets.settings import Settings

GOLDEN = "golden.json"
_GENERATION = re.compile(rb'"generation"\s*:\s*(\d{1,15})')


def publish(
    settings: Settings,
    loop: str,
    champion: Published | None,
    previous: Published | None = None,
    challenger: Published | None = None,
    decision_id: str | None = None,
) -> int:
    """Replace the loop's manifest; a service that runs swaps its models without a lost request.

    Args:
        settings: Where the home is.
        loop: The loop.
        champion: Who answers; None when nobody may, then the fallbacks do.
        previous: The champion before it, first of the fallbacks.
        challenger: Who is tried, with its stage.
        decision_id: The decision that led to this.

    Returns:
        The new generation.

    Raises:
        ServingError: The challenger has no stage.
    """
    if challenger is not None and challenger.stage is None:
        raise ServingError("challenger.stage must be shadow or canary")
    path = manifest_path(settings, loop)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        generation = _newest(path.read_bytes() if path.exists() else b"") + 1
        manifest = Manifest(
            schema=SCHEMA,
            loop=loop,
            generation=generation,
            published_at=dt.datetime.now(dt.UTC).isoformat(),
            decision_id=decision_id,
            champion=champion,
            previous=previous,
            challenger=challenger,
        )
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        write_atomically(path, content + b"\n")
    return generation


def published(
    settings: Settings, loop: str, version: int, stage: Literal["shadow", "canary"] | None = None
) -> Published:
    """What a manifest says about a version that lies in the models folder.

    Args:
        settings: Where the home is.
        loop: The loop.
        version: The version.
        stage: Of a challenger.

    Raises:
        ServingError: The version is not there, or its file is not the one that was registered.
    """
    folder = settings.models / loop / str(version)
    try:
        about = json.loads((folder / "manifest.json").read_text("utf-8"))
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise ServingError(f"{loop} has no usable version {version}: {error}") from error
    if digest != about.get("onnx_digest"):
        raise ServingError(
            f"{folder / 'model.onnx'} is not the registered file: restore it from MLflow"
        )
    run, model = about.get("mlflow_run_id"), about.get("mlflow_model")
    below = folder.relative_to(settings.root).as_posix()
    return Published(
        version=version,
        digest=digest,
        file=f"{below}/model.onnx",
        golden=f"{below}/{GOLDEN}" if (folder / GOLDEN).exists() else None,
        mlflow=Remote(run, model) if run and model else None,
        stage=stage,
    )


def _newest(content: bytes) -> int:
    """The generation that a manifest states, were it damaged."""
    found = _GENERATION.search(content)
    return int(found[1]) if found else 0
