"""Learning curves by replay: had the loop asked in this way, how good were its model by now?

Known labels are hidden and asked for again in growing batches, each by the model that the labels
asked so far make, exactly as `review_queue` would. Every way of asking begins with the same few
random labels, is judged on the same rows, and sees none of these while it asks.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from feedback_assets.config.review import Review
from feedback_assets.querying.candidates import Candidates, Floats, Ints
from feedback_assets.querying.committee import Committee
from feedback_assets.querying.history import History, Refit
from feedback_assets.querying.mix import choose
from feedback_assets.querying.space import FeatureSpace

RANDOM = "random"
EVENLY = Review(mix={"random": 1.0}, audit_share=1.0)
"""Asking evenly: what every other way is compared with."""
NEEDS_COMMITTEE = {"committee", "density"}
JUDGES = 6_000
"""Rows that a model is judged on at most."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is replayed."""

    budgets: tuple[int, ...]
    """Labels after each batch, growing; the first are drawn evenly."""
    seeds: int = 5
    """Replays of each way of asking, each with other rows that judge."""
    judge_share: float = 0.3
    """Share of the groups (days) that judge."""
    candidates: int = 6_000
    """Of more rows than this so many are drawn first, evenly."""


@dataclass(frozen=True)
class Curve:
    """One way of asking."""

    name: str
    budgets: Ints
    """Labels [b]."""
    losses: Floats
    """On rows that were never asked [seeds, b]."""

    @property
    def mean(self) -> Floats:
        """Over the replays [b]."""
        return np.asarray(self.losses.mean(axis=0), dtype=np.float64)


def replay(
    history: History, ways: Mapping[str, Review], plan: Plan, progress: Progress | None = None
) -> dict[str, Curve]:
    """The learning curve of each way of asking, and of asking evenly (`random`).

    Args:
        history: rows with known labels.
        ways: name to the `review` section that asks so.
        plan: how much is replayed.
        progress: told the name after each replay of a way.
    """
    everybody = {RANDOM: EVENLY, **ways}
    losses: dict[str, list[list[float]]] = {name: [] for name in everybody}
    for seed in range(plan.seeds):
        world = _World.of(history, plan, seed)
        for name, review in everybody.items():
            losses[name].append(world.asked(review, name)[0])
            if progress is not None:
                progress(name)
    budgets = np.array(plan.budgets, dtype=np.int64)
    return {name: Curve(name, budgets, np.array(found)) for name, found in losses.items()}


def asked_rows(history: History, review: Review, plan: Plan, seed: int = 0) -> tuple[Ints, Ints]:
    """The rows that one replay asks about until its last budget, and the rows that judge."""
    world = _World.of(history, plan, seed)
    return world.asked(review, "once")[1], world.judges


@dataclass(frozen=True)
class _World:
    """One division of the rows."""

    history: History
    plan: Plan
    seed: int
    pool: Ints
    judges: Ints
    first: Ints
    model: Refit
    space: np.ndarray

    @classmethod
    def of(cls, history: History, plan: Plan, seed: int) -> "_World":
        rng = np.random.default_rng([seed, 2])
        pool, judges = history.divided(plan.judge_share, seed)
        if len(judges) > JUDGES:
            judges = np.sort(rng.choice(judges, JUDGES, replace=False))
        first = rng.choice(pool, plan.budgets[0], replace=False)
        space = FeatureSpace.fit(history.config, history.frame.iloc[pool])
        return cls(
            history, plan, seed, pool, judges, first, history.fitted(first),
            space.transform(history.frame),
        )  # fmt: skip

    def asked(self, review: Review, name: str) -> tuple[list[float], Ints]:
        """The loss after each batch, and the rows asked in the end."""
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        rows, model = self.first, self.model
        weights = np.ones(len(rows))
        losses = [model.loss(self.judges)]
        for budget in self.plan.budgets[1:]:
            more, weight = self._batch(review, model, rows, budget - len(rows), rng)
            rows, weights = np.concatenate([rows, more]), np.concatenate([weights, weight])
            model = self.history.fitted(rows, weights if np.ptp(weights) > 0 else None)
            losses.append(model.loss(self.judges))
        return losses, rows

    def _batch(
        self, review: Review, model: Refit, known: Ints, size: int, rng: np.random.Generator
    ) -> tuple[Ints, Floats]:
        """Rows to ask and what they weigh in training (`pool.asked_power`), 1 on average."""
        free = np.setdiff1d(self.pool, known)
        if len(free) > self.plan.candidates:
            free = np.sort(rng.choice(free, self.plan.candidates, replace=False))
        seed = int(rng.integers(2**31))
        if review.audit_share == 1:
            return rng.choice(free, size, replace=False), np.ones(size)
        found = choose(review, self._candidates(review, model, known, free, seed), size, seed)
        weight = found.probability**-self.history.config.pool.asked_power
        return free[found.positions], weight / weight.mean()

    def _candidates(
        self, review: Review, model: Refit, known: Ints, free: Ints, seed: int
    ) -> Candidates:
        history = self.history
        disagreement: Floats | None = None
        if NEEDS_COMMITTEE & set(review.mix):
            committee = Committee.fit(
                self.space[known], history.target[known], history.config.label.kind, seed % 1_000
            )
            disagreement = committee.disagreement(self.space[free]) if committee else None
        by = [*(review.by or history.config.columns.segments)]
        return Candidates(
            ids=history.frame["prediction_id"].to_numpy()[free],
            space=self.space[free],
            probabilities=model.probabilities(free),
            segments=history.frame[by].iloc[free].reset_index(drop=True) if by else None,
            disagreement=disagreement,
        )
