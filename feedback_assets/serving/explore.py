"""Answering differently now and then, with a known probability: epsilon-greedy over the classes."""

from typing import NamedTuple

from feedback_assets.config.schema import Config
from feedback_assets.serving.routing import Draw


class Choice(NamedTuple):
    """What is answered in the end."""

    prediction: int | float | str
    propensity: float
    """Probability with which this prediction was chosen, given the model's own."""
    explored: bool
    """Whether it was drawn evenly from the classes; it may still be the model's own."""


class Explorer:
    """Draws by HMAC of the prediction's id: the same request, sent again, is answered alike."""

    def __init__(self, config: Config) -> None:
        self.epsilon = config.serve.exploration.epsilon
        self._classes: list[int] | list[str] = [0, 1]
        if config.label.kind == "multiclass":
            self._classes = list(config.label.classes)
        self._draw = Draw(config.name, config.serve.routing.experiment, "explore")

    def choose(self, prediction_id: str, greedy: int | float | str) -> Choice:
        """The model's own answer, or one drawn evenly from all classes in epsilon of the cases."""
        share = self.epsilon / len(self._classes)
        drawn = self._draw.digest(prediction_id)
        explored = int.from_bytes(drawn[:8], "big") < self.epsilon * 2**64
        chosen = greedy
        if explored:
            chosen = self._classes[int.from_bytes(drawn[8:16], "big") % len(self._classes)]
        return Choice(chosen, share + (1 - self.epsilon) * (chosen == greedy), explored)
