"""From a pinned pool to a registered version: train, prove, describe, register, keep."""

import datetime as dt
import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets import __version__
from feedback_assets.assets.companions import companions
from feedback_assets.assets.labeled_pool import Pool
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.worth import with_worth
from feedback_assets.config.schema import Config
from feedback_assets.errors import TrainingError
from feedback_assets.labels.pool import holdout_sql, training_sql
from feedback_assets.performance.metrics import evaluate_frame
from feedback_assets.reports.model_plots import calibration, confusion, residuals, roc
from feedback_assets.serving.golden import golden_rows
from feedback_assets.serving.publish import GOLDEN
from feedback_assets.training.fit import Trained, train
from feedback_assets.training.onnx_model import Scores
from feedback_assets.training.parity import parity
from feedback_assets.training.registry import register_candidate
from feedback_assets.training.sample_weights import weights_of

LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "numpy")
PLOTTED_ROWS = 20_000
CONFIG = "config.json"
"""The loop's configuration as it was, in the version's folder: what reproduces it months later."""
LOCK = "requirements.lock"


def training_digest(space: LoopSpace, pool: Pool) -> str:
    """Digest of all that a training depends on: rows, configuration, code and libraries."""
    config = space.config
    identity = {
        "pool": pool.fingerprint,
        "model": config.model.model_dump(mode="json"),
        "label": config.label.model_dump(mode="json"),
        "features": config.features,
        "code": __version__,
        "libraries": {name: installed(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def train_version(
    space: LoopSpace,
    context: dg.AssetExecutionContext,
    con: duckdb.DuckDBPyConnection,
    pool: Pool,
    identity: str,
    cause: str,
    now: dt.datetime,
) -> ModelVersion:
    """Train on the pool's train rows, judge on its held-out rows, register, keep.

    Raises:
        TrainingError: Nothing is held out, it cannot be trained, or ONNX and the estimator differ
            (ParityError).
    """
    config, relation = space.config, pool.snapshot.relation()
    holdout = con.execute(holdout_sql(relation)).df()
    if holdout.empty:
        raise TrainingError(nothing_judges(config))
    rows = con.execute(training_sql(config, relation)).df()
    trained = train(rows, rows["label"], config, weights_of(rows))
    agreement = parity(trained, holdout, config.model.parity_tolerance)
    seen, fresh = trained.model.score(rows), trained.model.score(holdout)
    manifest = {
        "loop": space.name,
        "onnx_digest": trained.digest,
        "training_digest": identity,
        "trained_at": now.isoformat(),
        "as_of": pool.as_of.isoformat(),
        "cause": cause,
        "dagster_run_id": context.run.run_id,
        "pool": pool.manifest,
        "sampling": {
            name: getattr(config.model, name) for name in ("window_days", "max_rows", "seed")
        },
        "train_rows": trained.rows,
        "train_start": rows["event_time"].min().isoformat(),
        "train_end": newest_mature(rows, holdout).isoformat(),
        "holdout_rows": len(holdout),
        "metrics": numbers(config, con, holdout, fresh),
        "parity": agreement.max_difference,
        "estimator": trained.estimator,
        "params": {name: repr(value) for name, value in trained.params.items()},
        "seconds": trained.seconds,
        "warnings": list(trained.warnings),
        "config_digest": space.config_digest,
        "code_version": __version__,
        "git_commit": git_commit(),
        "lock_digest": lock_digest(),
        "libraries": {name: installed(name) for name in LIBRARIES},
    }
    plots = pictures(config, holdout, fresh)
    kept = companions(config, con, answered(config, rows, seen), answered(config, holdout, fresh))
    kept[GOLDEN] = golden_rows(trained.model, holdout)
    kept[CONFIG] = config.model_dump_json(indent=1).encode()
    texts = {name: kept[name].decode() for name in ("reference.json", "estimator.json", GOLDEN)}
    manifest |= register_candidate(space.settings, config, context, trained, manifest, plots, texts)
    return keep(space, manifest, trained, kept, plots)


def nothing_judges(config: Config) -> str:
    """Why there is nothing to judge a model by, and what helps."""
    judges, days = ", ".join(config.trust.judges), f"{config.pool.holdout_days:g}"
    whose = f"of {judges} (trust.judges)" if judges else "that may judge"
    return (
        f"no row is held out to judge a model by: the newest {days} mature days have no label {whose};"
        " labels asked for a strategy's reason and automatic ones never judge. Wait for labels that"
        " do (people's audit brings them: review.audit_share), name more in trust.judges, or widen"
        " pool.holdout_days; the asset labeled_pool counts rows by outcome"
    )


def newest_mature(rows: pd.DataFrame, holdout: pd.DataFrame) -> pd.Timestamp:
    """When the newest train row older than what is held out happened.

    Days that are not mature are trained on with weights and are no part of the line between the two.
    """
    older = rows["event_time"]
    if len(holdout):
        older = older[older < holdout["event_time"].min()]
    newest = older.max() if len(older) else rows["event_time"].min()
    return pd.Timestamp(newest)


def numbers(
    config: Config, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, scores: Scores
) -> dict[str, float | None]:
    """Every metric on labelled rows; None where one is not defined."""
    rows = with_worth(config, con, answered(config, frame, scores))
    found = evaluate_frame(rows.assign(label_status="accepted"), config)
    return {name: value if value == value else None for name, value in found.items()}


def answered(config: Config, rows: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """The rows with the answers that this model would have given."""
    given = {"score": scores.score, "prediction": scores.prediction}
    if scores.class_scores is not None:
        by_class = zip(config.label.classes, scores.class_scores.T, strict=True)
        given |= {f"score_{name}": column for name, column in by_class}
    return rows.assign(**given)


def pictures(config: Config, holdout: pd.DataFrame, scores: Scores) -> dict[str, bytes]:
    """Plots of the held-out rows, as PNG by name."""
    part = slice(0, PLOTTED_ROWS)
    labels = holdout["label"].to_numpy()[part]
    if not len(labels):
        return {}
    match config.label.kind:
        case "binary":
            return {
                "calibration": calibration(labels, scores.score[part]),
                "roc": roc(labels, scores.score[part]),
                "confusion": confusion(labels, scores.prediction[part]),
            }
        case "multiclass":
            return {"confusion": confusion(labels, scores.prediction[part])}
        case _:
            return {"residuals": residuals(labels, scores.score[part])}


def keep(
    space: LoopSpace,
    manifest: Mapping[str, Any],
    trained: Trained,
    companions: Mapping[str, bytes],
    plots: Mapping[str, bytes],
) -> ModelVersion:
    """Put a version's folder in place, whole or not at all."""
    target = space.models / str(manifest["version"])
    making = space.models / f".{manifest['version']}.tmp"
    shutil.rmtree(making, ignore_errors=True)
    (making / "plots").mkdir(parents=True)
    (making / "model.onnx").write_bytes(trained.onnx_bytes)
    for name, content in companions.items():
        (making / name).write_bytes(content)
    for name, png in plots.items():
        (making / "plots" / f"{name}.png").write_bytes(png)
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False)
    (making / "manifest.json").write_text(text + "\n", encoding="utf-8")
    making.rename(target)
    return ModelVersion(int(manifest["version"]), target)


def git_commit() -> str | None:
    """The commit of the project's code, with `+` when it was changed since; None outside git."""
    here = Path(__file__).parent
    try:
        asked = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
        found = subprocess.run(  # noqa: S603
            asked, cwd=here, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def lock_digest() -> str | None:
    """SHA-256 of the lock file of the project's checkout; None where the package stands alone."""
    lock = Path(__file__).parents[2] / LOCK
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None
