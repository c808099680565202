"""The evaluation suite: everything that gates and people want to know of a candidate, measured once.

Champion and candidate answer the same rows by ONNX. What comes out is one JSON document with a
schema and a digest; gates, pages and the audit read it, and nothing else.
"""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError
from feedback_assets.evaluation.alike import fairness
from feedback_assets.evaluation.calibrated import calibration
from feedback_assets.evaluation.churn import churn
from feedback_assets.evaluation.overall import by_segment, overall
from feedback_assets.evaluation.reliance import (
    EVERYTHING,
    Retrain,
    ablation,
    feature_groups,
    importance,
)
from feedback_assets.evaluation.scenarios import kinds_of, robustness
from feedback_assets.evaluation.side import Side, Sides, by_side, mean_loss, row_loss
from feedback_assets.evaluation.weight import latency, size
from feedback_assets.labels.selection import selection_weights, selection_words
from feedback_assets.performance.metrics import Floats
from feedback_assets.promotion.scores import evaluation_digest, usable_labels
from feedback_assets.training.onnx_model import OnnxModel

SCHEMA = 1
_DIGITS = 10
"""Significant digits kept: sums in another order differ beyond them."""


@dataclass(frozen=True)
class Versions:
    """What the registry calls the models."""

    candidate: str
    champion: str | None = None


def _silent(_words: str) -> None:
    """Tells nobody."""


def examine(
    config: Config,
    rows: pd.DataFrame,
    champion: OnnxModel | None,
    candidate: OnnxModel,
    *,
    versions: Versions,
    as_of: dt.datetime | None = None,
    retrain: Retrain | None = None,
    tell: Callable[[str], None] = _silent,
) -> dict[str, Any]:
    """Examine a candidate beside the champion.

    Args:
        config: the loop's; `evaluation` and `gate` say what is looked at.
        rows: labelled rows that neither model was trained on: prediction_id, event_time,
            partition_key, label, features, segments and protected attributes. Their order does not
            matter. Without rows nothing is known, which no gate lets pass.
        champion: the model in production; None before the first.
        candidate: the model that would replace it.
        versions: their names.
        as_of: what had been received by then is what the rows were made of.
        retrain: trains the candidate on fewer features, for ablation by retraining.
        tell: is told what comes next.

    Returns:
        The suite, as JSON values: every number is finite or None.

    Raises:
        GateError: the two are one model, a label is unknown, or a segment or protected column is
            missing.
        TrainingError: the rows lack a column that a model reads.
    """
    if champion is not None and champion.digest == candidate.digest:
        raise GateError(f"champion and candidate are one model ({candidate.digest[:12]})")
    rows = rows.sort_values("prediction_id", kind="stable").reset_index(drop=True)
    y = usable_labels(rows["label"].to_numpy(), config)
    tell(f"scoring {len(rows):,} rows")
    models = {"champion": champion, "candidate": candidate}
    sides: Sides = {n: Side.of(m, rows) for n, m in models.items() if m is not None}
    suite = _head(config, rows, sides, versions, as_of)
    if config.label.selective:
        suite["selective"] = selection_words(config)
    tell("metrics, segments, calibration")
    weights = selection_weights(config, rows)
    suite |= {
        "overall": overall(config, y, sides, weights),
        "segments": by_segment(config, rows, y, sides, weights),
        "calibration": calibration(config, y, sides),
        "churn": churn(config, y, sides),
        "fairness": fairness(config, rows, y, sides),
    }
    tell("time and memory")
    suite |= {
        "latency": latency(rows, sides, config.evaluation.latency_rows),
        "size": size(sides),
    }
    return _plain(suite | _played(config, rows, y, sides, retrain, tell))


def _head(
    config: Config, rows: pd.DataFrame, sides: Sides, versions: Versions, as_of: dt.datetime | None
) -> dict[str, Any]:
    """What was examined, on which rows."""
    names = {"champion": versions.champion, "candidate": versions.candidate}
    named = {
        name: {"version": names[name], "digest": side.model.digest} for name, side in sides.items()
    }
    counts = rows["partition_key"].value_counts().sort_index()
    return {
        "schema": SCHEMA,
        "loop": config.name,
        "metric": config.metric,
        "loss": row_loss(config),
        "confidence": config.gate.confidence,
        "as_of": as_of.isoformat() if as_of else None,
        "champion": named.get("champion"),
        "candidate": named["candidate"],
        "rows": len(rows),
        "evaluation_digest": evaluation_digest(
            rows["prediction_id"].tolist(), rows["label"].tolist()
        ),
        "days": {str(day): {"rows": int(n)} for day, n in counts.items()},
        "unscored": by_side(sides, lambda side: side.unscored),
    }


def _played(
    config: Config,
    rows: pd.DataFrame,
    y: Floats,
    sides: Sides,
    retrain: Retrain | None,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Scenarios, importance and ablation, on a sample of the rows that a hash of the id draws."""
    kept = _sample(rows["prediction_id"], config.evaluation.max_rows)
    rows, y = rows.iloc[kept].reset_index(drop=True), y[kept]
    good = {n: mean_loss(config, y, s.values[kept]) for n, s in sides.items()}
    kinds = kinds_of(sides)
    groups = feature_groups(config, kinds)
    tell(f"{len(config.evaluation.scenarios)} scenarios")
    played: dict[str, Any] = {"robustness": robustness(config, rows, y, sides, good)}
    tell(f"importance of {len(groups)} feature groups")
    played["importance"] = importance(config, rows, y, sides, good, groups)
    every = {EVERYTHING: list(kinds)}
    whole = importance(config, rows, y, sides, good, every)[0]
    played["all_features"] = {name: whole[name] for name in ("champion", "candidate")}
    tell(f"ablation of {len(groups)} feature groups")
    played["ablation"] = ablation(config, rows, y, sides, good, groups, retrain)
    return played | {"played_rows": len(rows)}


def _sample(ids: pd.Series, most: int) -> np.ndarray:
    """Positions of at most so many rows, in order: those with the smallest hash of their id."""
    if len(ids) <= most:
        return np.arange(len(ids))
    marks = pd.util.hash_pandas_object(ids.astype(str), index=False).to_numpy()
    return np.sort(np.argsort(marks, kind="stable")[:most])


def suite_digest(suite: dict[str, Any]) -> str:
    """SHA-256 over the suite's canonical JSON (RFC 8785), without time and memory.

    Those two differ from run to run; all else is the same for the same models and rows.
    """
    import rfc8785

    told = {name: value for name, value in suite.items() if name != "latency"}
    told["size"] = {
        model: held and {k: v for k, v in held.items() if k != "memory_mb"}
        for model, held in suite["size"].items()
    }
    return hashlib.sha256(rfc8785.dumps(told)).hexdigest()


def suite_text(suite: dict[str, Any]) -> str:
    """The suite as the text of a file."""
    return json.dumps(suite, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """JSON values: numbers of Python, finite (None if not), of so many digits."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
