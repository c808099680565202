"""What was understood of a data file: everything a first draft of a loop says, and why."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from feedback_assets.config.inference.label import LabelGuess
from feedback_assets.config.inference.policies import Policies
from feedback_assets.config.schema import FeatureKind


@dataclass(frozen=True)
class Wishes:
    """What the user said; what is absent is worked out."""

    id: str | None = None
    time: str | None = None
    label: str | None = None
    label_time: str | None = None
    segments: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    owner: str | None = None


@dataclass(frozen=True)
class Told:
    """A column's name, and how it was found; `why` is empty where the user said it."""

    name: str
    why: str = ""


@dataclass(frozen=True)
class Understanding:
    """The meaning of each column, and policies to match."""

    loop: str
    path: Path
    rows: int
    first: dt.datetime
    last: dt.datetime
    id: Told
    event_time: Told
    label: LabelGuess
    label_time: Told
    max_delay_days: int
    max_delay_why: str
    features: dict[str, FeatureKind]
    """Kind of each feature."""
    notes: dict[str, str]
    """Why a feature was taken for its kind, where that is a guess."""
    segments: tuple[str, ...]
    segments_said: bool
    protected: tuple[str, ...]
    left_out: dict[str, str]
    """Reason by column."""
    leaking: dict[str, str]
    """Reason by column that leaks the label."""
    score: Told
    prediction: Told
    propensity: Told | None
    model_version: Told
    policies: Policies
    warnings: tuple[str, ...] = ()
    owner: str | None = None
    labels: int = field(default=0)
    """Rows with a label."""

    def of_kind(self, kind: FeatureKind) -> list[str]:
        """Return the features of one kind."""
        return [column for column, its in self.features.items() if its == kind]
