"""All that the decision to train depends on: numbers; None and NaN mean not known."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Way = Literal["estimated", "realised"]


@dataclass(frozen=True)
class DriftDay:
    """What one day's drift verdict claims of the champion's inputs."""

    partition: str
    columns: int = 0
    """Columns with material drift."""
    weight: float | None = None
    """What the weights of these columns add up to."""
    digest: str = ""
    """Of the day's verdicts: the same evidence has the same digest."""
    reason: str = ""
    """The verdict in words."""


@dataclass(frozen=True)
class Measured:
    """A metric with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PerformanceDay:
    """What one day says of how good the model is."""

    partition: str
    estimated: Mapping[str, Measured] = field(default_factory=dict)
    """By metric, before labels."""
    realised: Mapping[str, Measured] = field(default_factory=dict)
    """By metric, on the labels that have arrived."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """By metric, on held-out rows when the serving version was judged."""
    sla_streak: int | None = None
    """Checks in a row in which a promise was missed: of the worst promise."""

    def measured(self, way: Way) -> Mapping[str, Measured]:
        """The day's metrics as estimated, or as realised."""
        return self.estimated if way == "estimated" else self.realised


@dataclass(frozen=True)
class Coming:
    """What a training could learn from, now or some days later."""

    days: float
    """Days from now."""
    labels: float
    """Labels, expected ones too, that the newest version did not have, of days that may be trained
    on by then."""


@dataclass(frozen=True)
class Evidence:
    """One loop at one moment.

    Attributes:
        now: the moment, aware.
        new_labels: accepted labels received since the newest version's training data.
        last_version: the newest trained version, if there is one.
        days_since_retrain: days since the last retrain was decided.
        retrains: when each retrain was decided.
        in_flight: retrains that have been started and are not over.
        drift: judged days after the last retrain, against the champion's own reference, oldest
            first; a day without drift has no columns.
        performance: reported days after the last retrain and promotion, oldest first.
        coverage: share of the drifted days' rows that have their label now.
        fired: what caused the last retrain: condition to the value that it had.
        promoted_since: another model was promoted after the last retrain.
        asked: run keys that have been asked for already.
        coming: new labels that a training could use now (first) and later, of rows that are there;
            empty where nobody asks or it is not known.
    """

    now: dt.datetime
    new_labels: int
    last_version: int | None = None
    days_since_retrain: float | None = None
    retrains: Sequence[dt.datetime] = ()
    in_flight: int = 0
    drift: Sequence[DriftDay] = ()
    performance: Sequence[PerformanceDay] = ()
    coverage: float | None = None
    fired: Mapping[str, float] = field(default_factory=dict)
    promoted_since: bool = False
    asked: frozenset[str] = frozenset()
    coming: Sequence[Coming] = ()

    @property
    def drifted(self) -> list[DriftDay]:
        """Days with any drifted column."""
        return [day for day in self.drift if day.columns]


def known(value: float | None) -> bool:
    """Whether a number says anything.

    >>> known(0.0), known(float("nan")), known(None)
    (True, False, False)
    """
    return value is not None and math.isfinite(value)
