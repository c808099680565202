"""The section `serve` of a loop's file: how the loop answers requests."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from feedback_assets.config.section import ColumnName, Strict

Percent = Annotated[float, Field(ge=0, le=100)]
Fallback = Literal["previous", "cache", "default"]


class Limits(Strict):
    """What one client may ask for."""

    max_body_bytes: Annotated[int, Field(ge=1_024)] = 1_048_576
    """Larger bodies are refused (413) without being read to their end."""
    max_rows: Annotated[int, Field(ge=1)] = 1_000
    """Rows, or feedback events, in one request."""
    max_depth: Annotated[int, Field(ge=4)] = 16
    """Nesting of a JSON body."""
    requests_per_second: Annotated[float, Field(gt=0)] = 1_000
    """Of one principal, over time; what is more is refused (429)."""
    burst: Annotated[int, Field(ge=1)] = 2_000
    """Requests of one principal at once."""
    future_seconds: Annotated[float, Field(ge=0)] = 300
    """How far ahead of the service's clock a stated event time may lie."""
    quarantine_per_minute: Annotated[int, Field(ge=0)] = 60
    """Refused payloads kept with their reason; the rest of a flood is only counted."""


class DefaultAnswer(Strict):
    """The answer when nothing else can answer; it carries a warning and is logged as such."""

    score: float | None = None
    """The score to give."""
    prediction: str | float | None = None
    """The answer to give; what the score implies if absent."""

    def check(self, kind: str, classes: Sequence[str]) -> None:
        """Check the answer against the label.

        Raises:
            ValueError: The label has no such answer.
        """
        said = self.prediction
        if said is None:
            return
        if kind == "regression":
            fits, allowed = isinstance(said, float), "a number"
        elif kind == "multiclass":
            fits, allowed = said in classes, f"one of {', '.join(classes)}"
        else:
            fits, allowed = str(said).removesuffix(".0") in ("0", "1"), "0 or 1"
        if not fits:
            raise ValueError(f"serve.default.prediction must be {allowed}")


class Routing(Strict):
    """Which share of traffic a challenger sees; every share is drawn with its own salt."""

    key: ColumnName = "prediction_id"
    """What sticks to an arm: each prediction by itself, or a column such as a customer's id."""
    shadow_percent: Percent = 5
    """Share that a challenger in shadow scores after the champion has answered."""
    canary_percent: Percent = 10
    """Share that a challenger in canary answers."""
    experiment: Annotated[str, Field(min_length=1, max_length=120)] = "1"
    """Change it to draw the shares anew."""
    shadow_queue: Annotated[int, Field(ge=1)] = 1_000
    """Requests that may wait for shadow scoring; more are dropped and counted."""


class Exploration(Strict):
    """Answering differently now and then, to learn what else would have been right."""

    epsilon: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of answers drawn evenly from the label's classes instead of the model's own."""


class Serve(Strict):
    """How `feedback-assets serve` answers for the loop."""

    limits: Limits = Limits()
    """What one client may ask for."""
    routing: Routing = Routing()
    """What a challenger sees."""
    exploration: Exploration = Exploration()
    """Answering differently to learn."""
    fallback: list[Fallback] = ["previous", "cache", "default"]
    """Who answers when the champion cannot, in this order."""
    default: DefaultAnswer | None = None
    """The last resort; without one the request is refused (503)."""
    take_minutes: Annotated[float, Field(ge=0)] = 10
    """How often the tables take the rows of a day that is not over yet."""
    cache_rows: Annotated[int, Field(ge=0)] = 10_000
    """Answers remembered for rows with the same features."""

    @model_validator(mode="after")
    def _each_fallback_once(self) -> Self:
        if len(set(self.fallback)) < len(self.fallback):
            raise ValueError("serve.fallback names one twice")
        return self

    def check(self, kind: str, classes: Sequence[str], columns: Sequence[str]) -> None:
        """Check what depends on the rest of the file.

        Args:
            kind: Of the label: binary, multiclass or regression.
            classes: Multiclass: the label's classes.
            columns: Features and carried columns.

        Raises:
            ValueError: A field does not fit the loop.
        """
        if self.routing.key != "prediction_id" and self.routing.key not in columns:
            raise ValueError(
                f"serve.routing.key {self.routing.key} is neither prediction_id nor a column"
            )
        if kind == "regression" and self.exploration.epsilon > 0:
            raise ValueError("serve.exploration.epsilon needs a label with classes to draw from")
        if self.default is not None:
            self.default.check(kind, classes)
