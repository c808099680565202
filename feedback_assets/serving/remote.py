"""Bytes from the MLflow registry: asked only when the disk has lost them, never waited for long."""

import tempfile
import threading
from pathlib import Path

from feedback_assets.errors import ServingError
from feedback_assets.serving.breaker import Breaker
from feedback_assets.serving.manifest import Remote
from feedback_assets.settings import Settings

TIMEOUT = 30.0
"""Seconds to wait for a file; the first one waits for MLflow's import too."""
FAILURES = 3
SECONDS = 60.0


class Registry:
    """The MLflow registry of the home, behind a circuit breaker."""

    def __init__(self, settings: Settings, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self.breaker = Breaker("MLflow", FAILURES, SECONDS)

    def model(self, remote: Remote) -> bytes:
        """The ONNX file.

        Raises:
            ServingError: MLflow does not have it, failed, took too long, or is left alone.
        """
        return self._fetch(f"{remote.artifact.rstrip('/')}/model.onnx")

    def golden(self, remote: Remote) -> bytes:
        """The golden rows, where training logged them with its run.

        Raises:
            ServingError: As in `model`.
        """
        return self._fetch(f"runs:/{remote.run_id}/golden.json")

    def _fetch(self, address: str) -> bytes:
        if not (self._settings.mlflow / "mlflow.db").exists():
            raise ServingError(f"MLflow has no database in {self._settings.mlflow}")
        return self.breaker.call(lambda: self._in_time(address))

    def _in_time(self, address: str) -> bytes:
        """Download in a thread of its own, which is left behind when it takes too long."""
        found: list[bytes] = []
        failed: list[str] = []

        def work() -> None:
            try:
                found.append(_download(self._settings, address))
            except ServingError as error:
                failed.append(str(error))

        # not a pool's: a pool waits for its threads when the process ends
        worker = threading.Thread(target=work, name="mlflow", daemon=True)
        worker.start()
        worker.join(self._timeout)
        if not found:
            why = failed[0] if failed else f"no answer within {self._timeout:g} seconds"
            raise ServingError(f"MLflow could not give {address}: {why}")
        return found[0]


def _download(settings: Settings, address: str) -> bytes:
    from feedback_assets.training.registry import registry_client

    try:
        with registry_client(settings), tempfile.TemporaryDirectory() as folder:
            from mlflow.artifacts import download_artifacts

            path = download_artifacts(artifact_uri=address, dst_path=folder)
            return Path(path).read_bytes()
    except Exception as error:  # whatever MLflow, its database or its files raise
        raise ServingError(type(error).__name__) from error
