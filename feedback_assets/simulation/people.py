"""People who answer a replay's questions, some better than others."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feedback_assets.config.schema import Config
from feedback_assets.review.records import Answer
from feedback_assets.review.store import ReviewStore
from feedback_assets.review.values import spelled

LEASE = dt.timedelta(minutes=20)
ERRORS = {"ana": 0.01, "ben": 0.02, "cleo": 0.04, "dag": 0.1}
"""Who answers, and how often each is wrong."""
SECONDS = 8.0
"""Median time for one answer."""
SKIPPED = 0.02


@dataclass(frozen=True)
class People:
    """Answers every open question by the history's own truth, wrong now and then."""

    config: Config
    store: ReviewStore
    truth: Mapping[str, object]
    """Prediction to the label in the spelling of the tables."""
    errors: Mapping[str, float]
    seed: int = 0

    def answer_all(self, now: dt.datetime) -> int:
        """Take turns until nobody is asked any more; how many answers were given.

        Args:
            now: When the first of them begins.
        """
        said, turn = 0, dict.fromkeys(self.errors, now)
        idle: set[str] = set()
        while len(idle) < len(turn):
            for name in turn:
                if name not in idle and not self._next(name, turn):
                    idle.add(name)
                elif name not in idle:
                    said += 1
        return said

    def _next(self, name: str, turn: dict[str, dt.datetime]) -> bool:
        leased = self.store.next(name, turn[name], LEASE)
        if leased is None:
            return False
        task = leased.task
        rng = np.random.default_rng([self.seed, _number(task.task_id), _number(name)])
        seconds = float(rng.lognormal(np.log(SECONDS), 0.5))
        turn[name] += dt.timedelta(seconds=seconds)
        skip = rng.random() < SKIPPED
        answer = Answer(
            annotation_id=f"{task.task_id}-{name}",
            task_id=task.task_id,
            annotator=name,
            said="skip" if skip else "label",
            value=None if skip else self._label(task.prediction_id, self.errors[name], rng),
            answered_at=turn[name],
            duration_seconds=round(seconds, 1),
            route="page",
        )
        self.store.answer(answer, turn[name])
        return True

    def _label(self, row: str, error: float, rng: np.random.Generator) -> str:
        truth = self.truth[row]
        if rng.random() >= error:
            return spelled(self.config.label, truth)
        if self.config.label.kind == "regression":
            return spelled(self.config.label, float(str(truth)) * float(rng.lognormal(0.0, 0.3)))
        names = self.config.label.classes or ["0", "1"]
        others = [name for name in names if name != spelled(self.config.label, truth)]
        return str(rng.choice(others))


def _number(text: str) -> int:
    return int.from_bytes(text.encode()[-12:], "big")
