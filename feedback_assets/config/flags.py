"""The section `flags` of a loop's file: which predictions deserve a second look."""

from typing import Annotated

from pydantic import Field

from feedback_assets.config.section import Strict

Share = Annotated[float, Field(gt=0, lt=1)]


class Flags(Strict):
    """Which predictions deserve a second look, each for a reason that is told."""

    confidence: Share = 0.6
    """Classifiers: the answer's own probability is below this."""
    output_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.001
    """The score lies outside all but this share of the training rows' scores, on either side."""
    novelty: Share = 0.995
    """The row lies farther from the training data than this share of the training data itself."""
    error: Annotated[float, Field(gt=0)] | None = None
    """Regression: the answer was wrong by more than this; by more than nineteen in twenty of the
    held-out rows if absent."""
    rating_below: float | None = None
    """Ratings below this are flagged; all of them if absent."""
    weak_slice: Annotated[float, Field(ge=0)] = 0.0
    """A weak slice (`findings`) flags its rows if its loss is worse than the rest's by this."""
