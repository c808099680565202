"""Where a model's bytes come from: kept copies, the models folder, the MLflow registry."""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from feedback_assets.errors import ServingError
from feedback_assets.serving.manifest import (
    Manifest,
    Published,
    parse_manifest,
    write_atomically,
)
from feedback_assets.serving.remote import Registry
from feedback_assets.settings import Settings

_COPY = re.compile(r"([0-9a-f]{64})\.(onnx|golden\.json)")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model's files, the first with the right digest."""

    content: bytes
    golden: bytes | None
    note: str = ""
    """What is not as it should be, though the model can answer."""


class Store:
    """One loop's files; the copies are enough when all else is gone."""

    def __init__(self, settings: Settings, loop: str, registry: Registry) -> None:
        self._root = settings.root
        self._folder = settings.serving / loop
        self._blobs = self._folder / "blobs"
        self._loop = loop
        self._registry = registry

    def fetch(self, model: Published, remote: bool = True) -> Fetched:
        """A model's bytes and golden rows.

        Args:
            model: What the manifest says.
            remote: Whether MLflow may be asked, which takes seconds.

        Raises:
            ServingError: No place has the file with the digest; the message says what each had.
        """
        problems: list[str] = []
        for place, read in self._places(model, remote):
            try:
                content = read()
            except OSError as error:
                problems.append(f"{place}: {error.strerror}")
                continue
            except ServingError as error:
                problems.append(str(error))
                continue
            if hashlib.sha256(content).hexdigest() != model.digest:
                problems.append(f"{place} holds another file than the published one")
                continue
            return Fetched(content, *self._golden(model, remote))
        raise ServingError(
            f"version {model.version} cannot be loaded: {'; '.join(problems)}. Restore "
            f"{model.file}, or publish another version"
        )

    def keep(self, digest: str, fetched: Fetched) -> str:
        """Keep copies of a model that passed its checks; what went wrong, if so.

        A disk that is full must not stop a model: it answers, and the problem is told.
        """
        files = {f"{digest}.onnx": fetched.content, f"{digest}.golden.json": fetched.golden}
        told = [self._keep_file(self._blobs / n, c) for n, c in files.items() if c is not None]
        return next(filter(None, told), "")

    def remember(self, manifest: Manifest, content: bytes) -> str:
        """Keep a manifest that was loaded, and only its models' copies; what went wrong, if so."""
        wrong = self._keep_file(self._folder / "loaded.json", content)
        models = (manifest.champion, manifest.previous, manifest.challenger)
        needed = {model.digest for model in models if model}
        try:
            for path in self._blobs.glob("*"):
                name = _COPY.fullmatch(path.name)
                if name and name[1] not in needed:
                    path.unlink(missing_ok=True)
        except OSError as error:
            return f"old copies cannot be removed: {error.strerror}"
        return wrong

    def remembered(self) -> Manifest | None:
        """The manifest that was loaded last; None if there is no such."""
        path = self._folder / "loaded.json"
        try:
            return parse_manifest(path.read_bytes(), self._loop, str(path))
        except (OSError, ServingError):
            return None

    def _places(self, model: Published, remote: bool) -> Iterator[tuple[str, Callable[[], bytes]]]:
        for path in (self._blobs / f"{model.digest}.onnx", self._root / model.file):
            yield str(path), path.read_bytes
        stated = model.mlflow
        if stated and remote:
            yield f"MLflow's {stated.artifact}", lambda: self._registry.model(stated)

    def _golden(self, model: Published, remote: bool) -> tuple[bytes | None, str]:
        if model.golden is None:
            return None, ""
        lost = f"version {model.version} answers unchecked: its golden rows are lost"
        for path in (self._blobs / f"{model.digest}.golden.json", self._root / model.golden):
            with suppress(OSError):
                return path.read_bytes(), ""
        if model.mlflow is None or not remote:
            return None, lost
        try:
            return self._registry.golden(model.mlflow), ""
        except ServingError:
            return None, lost

    def _keep_file(self, path: Path, content: bytes) -> str:
        try:
            if not path.exists() or path.read_bytes() != content:
                write_atomically(path, content)
        except OSError as error:
            return f"no copy could be kept as {path}: {error.strerror}"
        return ""
