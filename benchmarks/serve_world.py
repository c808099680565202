"""A home with two trained versions of one loop, ready to be served; gone at the end."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serve_stack import config_path
from benchmarks.world import CONFIG, predictions
from feedback_assets.config.schema import Config
from feedback_assets.door.tokens import TokenFile
from feedback_assets.serving.golden import golden_rows
from feedback_assets.serving.publish import publish, published
from feedback_assets.settings import Settings
from feedback_assets.training.fit import Trained, train

TRAINED_ROWS = 20_000
UNLIMITED = {"requests_per_second": 1e9, "burst": 1_000_000_000}
"""What is measured is the service, not its patience."""


@dataclass(frozen=True)
class ServeWorld:
    """The loop, its home, its token and its champion."""

    config: Config
    settings: Settings
    token: str
    champion: Trained

    def row(self) -> dict[str, Any]:
        """One row's features and carried columns, as a client sends them."""
        columns = self.config.columns
        row = predictions(1, 1)[[*columns.features, *columns.carried]].iloc[0]
        return {
            name: value if isinstance(value, str) else float(value) for name, value in row.items()
        }

    def publish(self, challenger: bool) -> None:
        """Serve version 1, with version 2 in shadow or without."""
        name = self.config.name
        publish(
            self.settings,
            name,
            published(self.settings, name, 1),
            challenger=published(self.settings, name, 2, "shadow") if challenger else None,
        )


@contextmanager
def serve_world() -> Iterator[ServeWorld]:
    """Train twice (seconds) and publish the first."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home", configs=Path(folder) / "configs")
        config = Config.model_validate({**CONFIG, "serve": {"limits": UNLIMITED}})
        settings.root.mkdir()
        config_path(settings).write_text(config.model_dump_json(), encoding="utf-8")
        token = TokenFile(settings).create("bench", ["predict", "feedback"], [config.name], 1)
        champion = trained(config, settings, 1)
        trained(config, settings, 2)
        world = ServeWorld(config, settings, token, champion)
        world.publish(challenger=False)
        yield world


def trained(config: Config, settings: Settings, version: int) -> Trained:
    """A version's folder, as the assets leave it."""
    frame = predictions(version, TRAINED_ROWS)
    found = train(frame, (frame["x0"] + frame["x1"] * frame["x2"] > 0).astype(int), config)
    folder = settings.models / config.name / str(version)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(found.onnx_bytes)
    (folder / "golden.json").write_bytes(golden_rows(found.model, frame))
    about = {"version": version, "onnx_digest": found.digest, "loop": config.name}
    (folder / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
    return found
