"""Who answers at one moment: replaced as a whole, never changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from feedback_assets.serving.served import ServedModel


@dataclass(frozen=True, slots=True)
class Lineup:
    """The models in memory; a request reads it once and finishes on it."""

    generation: int = 0
    """Of the manifest it was made from; 0 before the first."""
    champion: ServedModel | None = None
    previous: ServedModel | None = None
    challenger: ServedModel | None = None
    stage: Literal["shadow", "canary"] | None = None
    """Of the challenger."""

    def models(self) -> Iterator[tuple[str, ServedModel]]:
        """Role and model, of those that there are."""
        for role in ("champion", "previous", "challenger"):
            model = getattr(self, role)
            if model is not None:
                yield role, model
