"""What goes to people and what comes back."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Route = Literal["page", "label_studio", "file"]
Saying = Literal["label", "skip"]


@dataclass(frozen=True)
class Task:
    """One question about one prediction, as a person is shown it."""

    task_id: str
    """Unique; the same question asked again (a batch made again) has the same id."""
    prediction_id: str
    batch: str
    """The batch it was drawn in."""
    asked_at: dt.datetime
    until: dt.datetime
    """Answers given later come too late to be joined; nobody is asked then."""
    strategy: str
    """A strategy of `review.mix`, `audit`, or `golden`."""
    reason: str
    """Why it is asked, in words a person reads."""
    probability: float
    """Chance with which this row came into this batch by any way, known exactly; in (0, 1]."""
    priority: float
    """Larger is asked earlier."""
    answers: int
    """Different people who are to answer."""
    row: Mapping[str, Any]
    """Columns shown, by name: JSON values."""
    opinion: Mapping[str, Any]
    """The model's: `prediction`, `score`, `model_version`, and by class where there are such."""
    event_time: dt.datetime
    known: str | None = None
    """The right answer of a golden task, in the label's one spelling; never shown."""


@dataclass(frozen=True)
class Answer:
    """What one person said to one question."""

    annotation_id: str
    """Unique; a sender that repeats it says the same again, and it counts once."""
    task_id: str
    annotator: str
    """Plain name; `person:<annotator>` is the principal."""
    said: Saying
    value: str | None
    """The label in its one spelling (binary: 1 or 0; multiclass: a class; regression: shortest text
    of the number); None for a skip."""
    answered_at: dt.datetime
    duration_seconds: float | None = None
    confidence: float | None = None
    """0 to 1, as the person said; None if not asked."""
    route: Route = "page"
    saw_opinion: bool = False
    """Whether the model's opinion was shown before the answer."""
    note: str = ""


@dataclass(frozen=True)
class Stored:
    """An answer in the store, in the order of its commits."""

    seq: int
    received_at: dt.datetime
    answer: Answer
    prediction_id: str
