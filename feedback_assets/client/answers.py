"""What the service answers, as types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer; it is on disk at the service when you have it."""

    prediction_id: str
    """Give it back with the feedback."""
    score: float | None
    """Probability of the positive class, or of the predicted one, or the predicted value."""
    prediction: float | int | str | None
    """0 or 1, the class, or the value."""
    model_version: str
    """Of the model that made the answer; `default` when none did."""
    arm: str
    """Which share of the traffic the row fell in: champion, shadow, canary or explore."""
    answered_by: str
    """champion, challenger, previous, cache or default."""
    class_scores: Mapping[str, float] | None = None
    """Multiclass: the probability of each class."""
    warning: str | None = None
    """Why the answer is not the champion's own, when it is not."""

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """Make one of a JSON object; fields that are not known here are left out.

        Raises:
            KeyError: A field is missing.
        """
        return cls(
            prediction_id=said["prediction_id"],
            score=said["score"],
            prediction=said["prediction"],
            model_version=said["model_version"],
            arm=said["arm"],
            answered_by=said["answered_by"],
            class_scores=said.get("class_scores"),
            warning=said.get("warning"),
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one feedback event; it is on disk at the service."""

    event_id: str
    """The id given, or the one it got."""
    state: str
    """stored, or repeated when the same event was there before."""

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """Make one of a JSON object.

        Raises:
            KeyError: A field is missing.
        """
        return cls(event_id=said["event_id"], state=said["state"])
