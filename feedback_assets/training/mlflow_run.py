"""What one training leaves in its MLflow run: figures, files, and the model."""

import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feedback_assets.errors import TrainingError
from feedback_assets.training.features import FeatureSpec
from feedback_assets.training.fit import Trained

IDENTITY_TAG = "training_digest"
VERSION_TAGS = (
    "onnx_digest", IDENTITY_TAG, "cause", "config_digest", "code_version", "git_commit", "as_of",
)  # fmt: skip
_DATASET_DIGEST_CHARS = 36


def log_run(
    mlf: Any,
    trained: Trained,
    manifest: Mapping[str, Any],
    plots: Mapping[str, bytes],
    files: Mapping[str, str],
) -> None:
    """Log parameters, metrics, tags, the training data's address, plots and files.

    Args:
        mlf: dagster-mlflow's tracking, in its run.
        trained: The model.
        manifest: What it was made from.
        plots: PNG by name.
        files: Further text files by name.
    """
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    mlf.log_params({"estimator": trained.estimator, "rows": trained.rows, **trained.params})
    mlf.log_metrics(_finite({**manifest["metrics"], "seconds": trained.seconds}))
    mlf.set_tags({name: str(manifest.get(name) or "") for name in VERSION_TAGS})
    pool = manifest["pool"]
    digest = str(pool.get("fingerprint", ""))[:_DATASET_DIGEST_CHARS]
    source = CodeDatasetSource(
        {"table": str(pool.get("table")), "version": str(pool.get("version"))}
    )
    mlf.log_input(
        MetaDataset(source, name=str(pool.get("table")), digest=digest), context="training"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "plots").mkdir()
        for name, png in plots.items():
            (root / "plots" / f"{name}.png").write_bytes(png)
        for name, text in {**files, "manifest.json": json.dumps(manifest, indent=1)}.items():
            (root / name).write_text(text, encoding="utf-8")
        mlf.log_artifacts(folder)


def _finite(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {k: float(v) for k, v in numbers.items() if v is not None and math.isfinite(v)}


def log_model(mlf: Any, trained: Trained) -> Any:
    """The ONNX file as an MLflow model; what MLflow stored is the very file that was proven.

    Raises:
        TrainingError: It stored other bytes.
    """
    import mlflow.onnx
    import onnx
    from mlflow.models.signature import ModelSignature

    info = mlflow.onnx.log_model(
        onnx.load_model_from_string(trained.onnx_bytes),
        name="model",
        signature=ModelSignature(inputs=_schema(trained.spec)),
        pip_requirements=["onnxruntime"],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(mlf.artifacts.download_artifacts(info.model_uri, dst_path=folder))
        if (stored / "model.onnx").read_bytes() != trained.onnx_bytes:
            raise TrainingError("MLflow stored other bytes than the model that was proven")
    return info


def _schema(spec: FeatureSpec) -> Any:
    from mlflow.types import ColSpec, Schema

    types = {"numeric": "float", "categorical": "string", "text": "string"}
    return Schema([ColSpec(types[kind], name) for name, kind in spec.features])
