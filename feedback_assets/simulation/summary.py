"""The numbers of a replay: step by step and overall, the loop beside the frozen model."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_start
from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import evaluate
from feedback_assets.promotion.decisions import Decision
from feedback_assets.simulation.replay import Period, Step
from feedback_assets.sqltext import literal
from feedback_assets.tables.connection import connect
from feedback_assets.training.onnx_model import Scores

CHANGING = ("retrain", "promote", "refuse", "rollback")
"""Decisions that the report marks; stages, gates and approvals are told by `why`."""
COUNTS = ("rows", "positive_share")


def metrics(config: Config, labels: np.ndarray, scores: Scores) -> dict[str, float]:
    """Every metric of the loop's label kind on labels that ever came; NaN where undefined."""
    found = evaluate(
        config.label.kind,
        labels,
        scores.score,
        scores.prediction,
        scores.class_scores,
        config.label.classes,
    )
    return {name: value for name, value in found.items() if name not in COUNTS}


def together(scores: Sequence[Scores]) -> Scores:
    """The scores of many steps as one."""
    classes = [s.class_scores for s in scores if s.class_scores is not None]
    return Scores(
        np.concatenate([s.score for s in scores]),
        np.concatenate([s.prediction for s in scores]),
        np.concatenate(classes) if classes else None,
    )


def drift_days(space: LoopSpace, step: Step) -> dict[str, Any]:
    """The verdicts of a step's days, and the columns that drifted, most often first."""
    snapshot = space.table("drift_report").snapshot()
    if snapshot.version < 0:
        return {"drift_days": 0, "drift_columns": [], "verdict": "insufficient"}
    keys = [key for key in snapshot.partitions() if _within(space, key, step)]
    first = literal(space.config.drift.references[0].name)
    with connect(space.settings) as con:
        days = con.execute(
            f"SELECT status, COUNT(*) FROM {snapshot.relation(keys)} "
            f"WHERE role = 'day' AND against = {first} GROUP BY status"
        ).fetchall()
        columns = con.execute(
            f"""SELECT column_name FROM {snapshot.relation(keys)}
                WHERE status = 'drift' AND role <> 'day' AND segment = '' AND against = {first}
                GROUP BY column_name ORDER BY COUNT(*) DESC, column_name"""
        ).fetchall()
    count = dict(days)
    order = ("drift", "broken", "stable")
    verdict = next((status for status in order if count.get(status)), "insufficient")
    return {
        "drift_days": count.get("drift", 0),
        "drift_columns": [name for (name,) in columns],
        "verdict": verdict,
    }


def _within(space: LoopSpace, key: str, step: Step) -> bool:
    start = partition_start(space.config.partitions.grain, key)
    return step.start <= start < step.end


def summary(
    space: LoopSpace, period: Period, steps: Sequence[Step], decided: Sequence[Decision]
) -> dict[str, Any]:
    """What `var/reports/<loop>.json` holds.

    Raises:
        ValueError: Nothing was replayed.
    """
    if not steps:
        raise ValueError("nothing was replayed")
    config = space.config
    labels = np.concatenate([step.labels for step in steps])
    kinds = [decision.kind for decision in decided]
    changing = [decision for decision in decided if decision.kind in CHANGING]
    return {
        "name": config.name,
        "title": config.title,
        "kpi": config.kpi.name,
        "about": config.description,
        "label_kind": config.label.kind,
        "metric": config.metric,
        "from": period.start,
        "to": steps[-1].end,
        "every_days": period.every.total_seconds() / 86_400,
        "loop": metrics(config, labels, together([step.loop for step in steps])),
        "frozen": metrics(config, labels, together([step.frozen for step in steps])),
        "retrains": kinds.count("retrain"),
        "promotions": kinds.count("promote"),
        "refusals": kinds.count("refuse"),
        "rollbacks": kinds.count("rollback"),
        "weeks": [week(space, step) for step in steps],
        "decisions": [told(decision) for decision in changing],
    }


def week(space: LoopSpace, step: Step) -> dict[str, Any]:
    """One step's numbers."""
    config = space.config
    return {
        "start": step.start,
        "end": step.end,
        "rows": len(step.labels),
        "labels_arrived": step.labels_arrived,
        "labels_expected": int(pd.notna(step.labels).sum()),
        "loop": metrics(config, step.labels, step.loop),
        "frozen": metrics(config, step.labels, step.frozen),
        "champion": step.champion,
        **drift_days(space, step),
    }


def told(decision: Decision) -> dict[str, Any]:
    """One decision as the report shows it."""
    return {
        "time": decision.time,
        "kind": decision.kind,
        "version": decision.version,
        "cause": decision.cause,
        "reason": decision.reason,
        "evidence": json.loads(json.dumps(dict(decision.evidence), default=str)),
        "numbers": {k: v for k, v in decision.numbers.items() if math.isfinite(v)},
    }
