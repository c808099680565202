"""Which models of a loop answer: `<home>/serving/<loop>/manifest.json`, whole or not at all."""

import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec

from feedback_assets.errors import ServingError
from feedback_assets.settings import Settings

SCHEMA = 1
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Remote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where MLflow has a model."""

    run_id: str
    """The run that trained it; `golden.json` is looked for among its artifacts."""
    artifact: Annotated[str, msgspec.Meta(pattern="^(models|runs):/[^?#]+$")]
    """Address of the MLflow model, as in `models:/flights/3`; the file in it is `model.onnx`."""


class Published(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model that may answer."""

    version: Positive
    digest: Digest
    """sha256 of the ONNX file."""
    file: str
    """The ONNX file, below the home."""
    golden: str | None = None
    """Its golden rows, below the home; a model without them is not checked by them."""
    mlflow: Remote | None = None
    stage: Literal["shadow", "canary"] | None = None
    """Of a challenger."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `manifest.json` says."""

    schema: int
    loop: str
    generation: Positive
    """Grows by one with each publication."""
    published_at: str
    """ISO 8601, UTC."""
    decision_id: str | None
    """The decision that led to it."""
    champion: Published | None
    previous: Published | None
    challenger: Published | None


class _Head(msgspec.Struct):
    schema: int = 0


def manifest_path(settings: Settings, loop: str) -> Path:
    """Where the manifest of a loop is."""
    return settings.serving / loop / "manifest.json"


def read_manifest(settings: Settings, loop: str) -> Manifest:
    """Read and check.

    Raises:
        ServingError: There is none, or it is damaged, of another release, or names files outside
            the home.
    """
    path = manifest_path(settings, loop)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ServingError(f"{path} does not exist: no model of {loop} was published yet") from None
    except OSError as error:
        raise ServingError(f"{path} cannot be read: {error.strerror}") from error
    return parse_manifest(content, loop, str(path))


def parse_manifest(content: bytes, loop: str, name: str) -> Manifest:
    """Check the bytes of a manifest.

    Args:
        content: JSON.
        loop: The loop that it must be of.
        name: How to call the file in errors.

    Raises:
        ServingError: As in `read_manifest`.
    """
    try:
        head = msgspec.json.decode(content, type=_Head)
        if head.schema != SCHEMA:
            raise ServingError(
                f"{name} has schema {head.schema}, this release reads {SCHEMA}: publish again "
                "(materialize promoted_model)"
            )
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServingError(
            f"{name} is damaged ({error}): publish again (materialize promoted_model)"
        ) from None
    if found.loop != loop:
        raise ServingError(f"{name} is of the loop {found.loop}, not of {loop}")
    for model in (found.champion, found.previous, found.challenger):
        _check(model, name)
    if found.challenger and found.challenger.stage is None:
        raise ServingError(f"{name}: challenger.stage must be shadow or canary")
    return found


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a crash leaves the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with making.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(model: Published | None, name: str) -> None:
    for path in (model.file, model.golden) if model else ():
        if path is not None and (PurePosixPath(path).is_absolute() or ".." in path.split("/")):
            raise ServingError(f"{name} names a file outside the home")
