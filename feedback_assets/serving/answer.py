"""What a request gets back for one row, and what is logged of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Row = Mapping[str, float | str | None]
"""Feature to value; a feature that is not there is null, as are NaN and infinities."""
Arm = Literal["champion", "shadow", "canary", "explore"]
AnsweredBy = Literal["champion", "challenger", "previous", "cache", "default"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one row and who gave it."""

    prediction_id: str
    score: float | None
    """Probability of the positive or of the answered class, or the value; None of a default."""
    class_scores: dict[str, float] | None
    """Multiclass: class to probability."""
    prediction: int | float | str | None
    """0 or 1, the class, or the value."""
    model_version: str
    """The version that made it, `default` if none did."""
    model_digest: str | None
    """sha256 of the ONNX file that made it."""
    arm: Arm
    """What was drawn for the row; `shadow` is the champion's answer that a challenger scores too."""
    answered_by: AnsweredBy
    propensity: float
    """Probability with which this prediction was chosen, given the row."""
    warning: str | None = None
    """Why the answer is not the drawn model's."""
    shadowed: bool = False
    """Whether a challenger in shadow scores the row too, be it explored or not."""
