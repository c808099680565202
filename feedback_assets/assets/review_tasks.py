"""Chosen rows as questions that people are shown."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.assets.review_rows import probabilities_of
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.querying.reasons import AUDIT
from feedback_assets.review.budget import part
from feedback_assets.review.records import Task
from feedback_assets.training.onnx_model import Scores

DIGITS = 15


@dataclass(frozen=True)
class Why:
    """Why rows are asked about, each column [m]."""

    strategy: np.ndarray
    reason: np.ndarray
    probability: np.ndarray
    priority: np.ndarray
    answers: np.ndarray
    """How many different people are to answer."""
    known: np.ndarray
    """The right answer, None where it is asked for."""


def task_id_of(loop: str, batch: str, prediction_id: str) -> str:
    """The id of a question: the same whenever its batch is made."""
    return hashlib.sha256(json.dumps([loop, batch, prediction_id]).encode()).hexdigest()[:20]


def seed_of(space: LoopSpace, batch: str) -> int:
    """What decides every lot of a batch."""
    text = json.dumps([space.config.model.seed, space.name, batch])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def golden_why(known: list[str], priority: np.ndarray) -> Why:
    """Questions with a known answer; nothing of them tells that it is known."""
    n = len(known)
    return Why(
        strategy=np.full(n, "golden", dtype=object),
        reason=np.full(n, AUDIT, dtype=object),
        probability=np.ones(n),
        priority=priority,
        answers=np.ones(n, dtype=np.int64),
        known=np.array(known, dtype=object),
    )


def people_of(config: Config, size: int, rng: np.random.Generator) -> np.ndarray:
    """How many people answer each of so many questions: `double_share` of them one more."""
    answers = np.full(size, config.review.answers)
    twice = part(config.review.double_share, size, rng.random())
    answers[rng.permutation(size)[:twice]] += 1
    return answers


def tasks_of(
    space: LoopSpace,
    batch: str,
    now: dt.datetime,
    rows: pd.DataFrame,
    opinions: list[dict[str, Any]],
    why: Why,
) -> list[Task]:
    """The questions about some rows.

    Args:
        space: The loop.
        batch: Which they belong to.
        now: When they are asked.
        rows: As `Rows.frame` [m].
        opinions: What the model says of each [m].
        why: Why each is asked.
    """
    shown = shown_rows(space.config, rows)
    keep = now + dt.timedelta(days=space.config.review.keep_days)
    tasks = []
    for at, (name, moment) in enumerate(
        zip(rows["prediction_id"], rows["event_time"], strict=True)
    ):
        known, event_time = why.known[at], moment.to_pydatetime()
        tasks.append(
            Task(
                task_id=task_id_of(space.name, batch, name),
                prediction_id=name,
                batch=batch,
                asked_at=now,
                until=event_time + space.horizon if known is None else keep,
                strategy=str(why.strategy[at]),
                reason=str(why.reason[at]),
                probability=float(why.probability[at]),
                priority=float(why.priority[at]),
                answers=int(why.answers[at]),
                row=shown[at],
                opinion=opinions[at],
                event_time=event_time,
                known=known,
            )
        )
    return tasks


def shown_rows(config: Config, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The columns that people are shown, as JSON values [m]."""
    names = config.review.show or [*config.columns.features, *config.columns.carried]
    text = rows[[name for name in names if name in rows]].to_json(
        orient="records", date_format="iso", double_precision=DIGITS
    )
    found: list[dict[str, Any]] = json.loads(text)
    return found


def opinions_of(
    config: Config, scores: Scores | None, version: int | None, at: np.ndarray
) -> list[dict[str, Any]]:
    """What the champion says of the rows at some positions [m]; empty before the first champion."""
    if scores is None:
        return [{} for _ in at]
    chances = probabilities_of(config, scores)
    return [
        {
            "prediction": _spelling(config, scores.prediction[one]),
            "score": _number(scores.score[one]),
            "model_version": str(version),
            **_by_class(config, None if chances is None else chances[one]),
        }
        for one in at
    ]


def _spelling(config: Config, answer: Any) -> str:
    match config.label.kind:
        case "binary":
            return str(int(answer))
        case "multiclass":
            return str(answer)
        case _:
            return repr(float(answer))


def _by_class(config: Config, chances: np.ndarray | None) -> Mapping[str, Any]:
    if chances is None:
        return {}
    names = ["0", "1"] if config.label.kind == "binary" else config.label.classes
    return {"by_class": {name: _number(p) for name, p in zip(names, chances, strict=True)}}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
