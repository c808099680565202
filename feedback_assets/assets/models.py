"""The loop's trained models as they lie on disk, and which of them is the champion."""

import datetime as dt
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.drift.concept import ConceptReference
from feedback_assets.drift.profile import ReferenceProfile
from feedback_assets.errors import TrainingError
from feedback_assets.performance.estimate import Estimator
from feedback_assets.querying.novelty import Novelty
from feedback_assets.training.onnx_model import OnnxModel

NOVELTY = "novelty.npz"


@dataclass(frozen=True)
class ModelVersion:
    """One registered version: `<home>/models/<loop>/<version>/`."""

    version: int
    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the model was made from: rows, code, config, metrics, cause."""
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        return manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the ONNX file."""
        return str(self.manifest["onnx_digest"])

    @property
    def as_of(self) -> dt.datetime:
        """The moment up to which labels could enter the training data."""
        return dt.datetime.fromisoformat(self.manifest["as_of"])

    @property
    def train_end(self) -> dt.datetime:
        """Event time of the newest training row."""
        return dt.datetime.fromisoformat(self.manifest["train_end"])

    def load(self) -> OnnxModel:
        """The model itself.

        Raises:
            TrainingError: The file is not the one that was registered.
        """
        model = OnnxModel.load(self.folder / "model.onnx")
        if model.digest != self.digest:
            raise TrainingError(
                f"{self.folder / 'model.onnx'} has digest {model.digest[:12]}, "
                f"registered was {self.digest[:12]}: restore the file from MLflow"
            )
        return model

    def reference(self) -> ReferenceProfile:
        """The training data as counts.

        Raises:
            TrainingError: The version was trained by an older release.
        """
        try:
            return ReferenceProfile.from_json((self.folder / "reference.json").read_text("utf-8"))
        except ValueError as error:
            raise TrainingError(
                f"{self.folder / 'reference.json'}: {error}; train again (materialize "
                "labeled_pool, candidate_model and promoted_model) to judge days against it"
            ) from error

    def vocabulary(self) -> pa.Table:
        """The words of the training data's text columns: `column_name`, `word`."""
        return pq.read_table(self.folder / "vocabulary.parquet")

    def estimator(self, config: Config) -> Estimator:
        """What estimates this version's performance before labels arrive."""
        path = self.folder / "estimator.json"
        if not path.exists():
            return Estimator(config, reason=f"version {self.version} is of an older release")
        return Estimator.from_json(path.read_text("utf-8"), config)

    def concept(self) -> ConceptReference | None:
        """How the loss of held-out rows differs from what their scores promise."""
        path = self.folder / "concept.json"
        if not path.exists():
            return None
        return ConceptReference.from_dict(json.loads(path.read_text("utf-8")))

    def config(self) -> Config | None:
        """The loop's configuration at its training; None of a version of an older release."""
        path = self.folder / "config.json"
        return Config.model_validate_json(path.read_bytes()) if path.exists() else None

    def reference_sample(self) -> pd.DataFrame:
        """Some training rows with this version's answers."""
        return pd.read_parquet(self.folder / "reference_sample.parquet")

    def held_sample(self) -> pd.DataFrame:
        """Labelled rows that it was not trained on, at most 2,000."""
        path = self.folder / "held_sample.parquet"
        return pd.read_parquet(path) if path.exists() else pd.DataFrame()

    def novelty(self) -> Novelty | None:
        """How far rows lie from its training data; None of a version of an older release."""
        path = self.folder / NOVELTY
        return Novelty.from_bytes(path.read_bytes()) if path.exists() else None

    def error_model(self) -> OnnxModel | None:
        """Regression: the model of its absolute error; None where there is none."""
        path = self.folder / "error_model.onnx"
        return OnnxModel.load(path) if path.exists() else None


def versions(space: LoopSpace) -> list[ModelVersion]:
    """Every complete version, oldest first."""
    found = [
        ModelVersion(int(folder.name), folder)
        for folder in (space.models.iterdir() if space.models.is_dir() else ())
        if folder.name.isdigit()
    ]
    return sorted(found, key=lambda model: model.version)


def model_version(space: LoopSpace, version: int) -> ModelVersion:
    """One version.

    Raises:
        TrainingError: There is no such version.
    """
    for model in versions(space):
        if model.version == version:
            return model
    known = ", ".join(str(model.version) for model in versions(space)) or "none"
    raise TrainingError(f"{space.name} has no model version {version}; there are: {known}")


def trained_from(space: LoopSpace, identity: str) -> ModelVersion | None:
    """The version that was trained from exactly these inputs, if there is one."""
    return next((m for m in versions(space) if m.manifest["training_digest"] == identity), None)


def reign(space: LoopSpace) -> list[int]:
    """The versions that a rollback could return to, oldest first; the last one is in production.

    A promotion adds one; a rollback takes away all that came after the one it returns to.
    """
    line: list[int] = []
    for decision in decisions(space, "promote", "rollback"):
        version = int(decision.version or 0)
        if decision.kind == "rollback" and version in line:
            line = line[: len(line) - line[::-1].index(version)]
        else:
            line.append(version)
    return line


def champion(space: LoopSpace) -> ModelVersion | None:
    """The version in production, by the promotions and rollbacks in the ledger."""
    line = reign(space)
    return model_version(space, line[-1]) if line else None


def predecessor(space: LoopSpace) -> ModelVersion | None:
    """The version that a rollback returns to."""
    line = reign(space)
    return model_version(space, line[-2]) if len(line) > 1 else None
