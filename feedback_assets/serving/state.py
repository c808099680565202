"""How an engine is, for people, probes and metrics."""

from dataclasses import dataclass
from typing import NamedTuple

from feedback_assets.serving.served import ServedModel


class Held(NamedTuple):
    """A model in memory."""

    version: int
    digest: str
    stage: str | None = None
    """Of a challenger."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """How an engine is."""

    loop: str
    generation: int
    """Of the manifest that answers; 0 before the first."""
    champion: Held | None
    previous: Held | None
    challenger: Held | None
    problem: str
    """What is wrong and how to put it right; empty when nothing is."""
    ready: bool
    """Whether every row would be answered."""
    breakers: dict[str, str]
    """Role, or `mlflow`, to closed, open or half-open."""
    counts: dict[str, int]


def held(model: ServedModel | None, stage: str | None = None) -> Held | None:
    """A model as the state tells it."""
    return None if model is None else Held(int(model.version), model.digest, stage)
