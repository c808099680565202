"""A labelled history replayed as production: predict, wait for labels, judge, train, promote."""

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import numpy as np

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import LoopSpace
from feedback_assets.clock import Clock, SimulatedClock
from feedback_assets.errors import TrainingError
from feedback_assets.loop import FeedbackLoop
from feedback_assets.promotion.decisions import Decision
from feedback_assets.simulation.daemon import Finished, Ticker
from feedback_assets.simulation.delivery import Delivery, History
from feedback_assets.simulation.people import People
from feedback_assets.training.onnx_model import OnnxModel, Scores

if TYPE_CHECKING:
    from feedback_assets.simulation.http import HttpDelivery

DISORDER_SEED = 1
ANSWERING = dt.timedelta(hours=1)
"""After the end of a step: when people begin to answer its questions."""
Via = Literal["files", "http"]
"""How rows reach the loop: dropped as files, or asked of the service, request by request."""


def delivery_by(via: Via, loop: FeedbackLoop, clock: Clock) -> "Delivery | HttpDelivery":
    """The way in which a replay's rows and feedback reach the loop."""
    if via == "files":
        return Delivery(loop.config, loop.settings)
    from feedback_assets.simulation.http import HttpDelivery

    return HttpDelivery(loop.config, loop.settings, clock)


@dataclass(frozen=True)
class Period:
    """What is replayed: history before `start` trains the first model."""

    start: dt.datetime
    end: dt.datetime
    every: dt.timedelta

    def steps(self) -> list[tuple[dt.datetime, dt.datetime]]:
        """Start and end of each step; the last may be shorter."""
        edges = [self.start]
        while edges[-1] < self.end:
            edges.append(min(edges[-1] + self.every, self.end))
        return list(itertools.pairwise(edges))


@dataclass
class Step:
    """One step as it went: the truth, and what the loop and the frozen first model said."""

    start: dt.datetime
    end: dt.datetime
    champion: str
    labels: np.ndarray
    loop: Scores
    frozen: Scores
    labels_arrived: int = 0
    runs: list[Finished] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


Happened = Finished | Decision | Step


@dataclass
class Replay:
    """A loop, its history and its own clock; the assets and sensors are the real ones."""

    loop: FeedbackLoop
    history: History
    period: Period
    instance: dg.DagsterInstance
    via: Via = "files"
    people: Mapping[str, float] = field(default_factory=dict)
    """Who answers the review queue, and how often each is wrong; if anybody does, labels come from
    people alone once there is a model."""

    def __post_init__(self) -> None:
        first = self.history.rows["_event_time"].iloc[0].to_pydatetime()
        self.clock = SimulatedClock(min(first, self.period.start))
        self.ticker = Ticker(
            self.space, self.loop.definitions(self.clock), self.instance, self.clock
        )
        self.delivery = delivery_by(self.via, self.loop, self.clock)
        self._told: set[str] = set()
        self._models: dict[int, OnnxModel] = {}
        self._frozen: ModelVersion | None = None

    @property
    def space(self) -> LoopSpace:
        """The loop's tables and models."""
        return self.loop.space

    def begin(self) -> Iterator[Happened]:
        """Deliver the history before the period and let the loop train its first model."""
        start = self.period.start
        before = self.history.rows.iloc[0]["_event_time"].to_pydatetime()
        past = self.history.between(before, start)
        self.delivery.predictions(f"history-{start:%Y%m%d}", past, {})
        self._deliver_feedback(before - dt.timedelta(microseconds=1), start)
        self.clock.advance(start)
        yield from self._settle()
        if champion(self.space) is None:
            raise TrainingError(
                f"{self.space.name}: the history before {start:%Y-%m-%d} ({len(past):,} rows) did "
                "not give a first model; start later (--from), or lower trigger's new_labels, "
                "pool.min_rows or label.max_delay_days"
            )

    def step(self, start: dt.datetime, end: dt.datetime) -> Iterator[Happened]:
        """Play one step; yields each run and decision as it comes, and the step at its end."""
        step = self.deliver(start, end)
        self.clock.advance(end)
        for happened in itertools.chain(self._settle(), self._answered(step)):
            if isinstance(happened, Finished):
                step.runs.append(happened)
            else:
                step.decisions.append(happened)
            yield happened
        yield step

    def deliver(self, start: dt.datetime, end: dt.datetime) -> Step:
        """Answer a step's rows with the champion; hand them and the step's feedback to the sources."""
        serving = champion(self.space)
        if serving is None:
            raise TrainingError(f"{self.space.name} has no champion: begin() comes first")
        rows = self.history.between(start, end)
        answered = self.delivery.answer(rows)
        scores = self._model(serving).score(rows) if answered is None else answered
        name = f"{start:%Y%m%dT%H%M}-{end:%Y%m%dT%H%M}"
        self.delivery.predictions(name, rows, self._answers(serving, scores))
        return Step(
            start,
            end,
            champion=str(serving.version),
            labels=rows[self.loop.config.source.feedback.columns.value].to_numpy(),
            loop=scores,
            frozen=self._model(self._first(serving)).score(rows),
            labels_arrived=0 if self.people else self._deliver_feedback(start, end),
        )

    def _answered(self, step: Step) -> Iterator[Finished | Decision]:
        """Let people answer what they are asked, and the loop take it."""
        if not self.people:
            return
        self.clock.advance(step.end + ANSWERING)
        rows = self.history.rows
        truth = dict(zip(rows[self.loop.config.columns.id], rows["_truth"], strict=True))
        people = People(self.loop.config, review_store(self.space), truth, self.people)
        step.labels_arrived = people.answer_all(self.clock.now())
        self.clock.advance(self.clock.now() + ANSWERING)
        yield from self._settle()

    def _settle(self) -> Iterator[Finished | Decision]:
        for finished in self.ticker.settle():
            yield finished
            if {"candidate_model", "promoted_model"} & set(finished.assets):
                for decision in decisions(self.space):
                    if decision.decision_id not in self._told:
                        self._told.add(decision.decision_id)
                        yield decision

    def _deliver_feedback(self, after: dt.datetime, until: dt.datetime) -> int:
        frame = self.history.feedback_between(after, until)
        rng = np.random.default_rng(DISORDER_SEED) if self.history.disturbance.disorder else None
        self.delivery.feedback(f"{until:%Y%m%dT%H%M}", frame, rng)
        return len(frame)

    def _first(self, serving: ModelVersion) -> ModelVersion:
        self._frozen = self._frozen or serving
        return self._frozen

    def _model(self, version: ModelVersion) -> OnnxModel:
        if version.version not in self._models:
            self._models[version.version] = version.load()
        return self._models[version.version]

    def _answers(self, serving: ModelVersion, scores: Scores) -> dict[str, Any]:
        """The columns that production logs beside the features."""
        columns = self.loop.config.columns
        answers: dict[str, Any] = {
            columns.model_version or "model_version": str(serving.version),
            columns.score or "score": scores.score,
            columns.prediction or "prediction": scores.prediction,
        }
        if scores.class_scores is not None:
            for position, name in enumerate(self.loop.config.label.classes):
                column = columns.class_scores.get(name, f"score_{name}")
                answers[column] = scores.class_scores[:, position]
        return answers
