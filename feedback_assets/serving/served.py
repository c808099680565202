"""A model that may answer: its bytes, its operators and its golden rows were checked."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from feedback_assets.config.schema import Config
from feedback_assets.errors import ServingError
from feedback_assets.serving.answer import Row
from feedback_assets.serving.breaker import Breaker, BreakerOpenError
from feedback_assets.serving.golden import check
from feedback_assets.serving.manifest import Published
from feedback_assets.serving.scorer import RowError, RowScorer, Scored

FAILURES = 5
"""So many failed calls in a row, and a model is left alone."""
SECONDS = 10.0
"""For so long, then one call tries it again."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One version in memory; never changes, thread-safe."""

    version: str
    digest: str
    scorer: RowScorer
    breaker: Breaker
    checked: bool
    """By its golden rows, unless it was published without."""

    @classmethod
    def load(
        cls, about: Published, content: bytes, golden: bytes | None, config: Config
    ) -> "ServedModel":
        """Check and open.

        Args:
            about: What the manifest says.
            content: The ONNX file.
            golden: Its golden rows; None if there are none.
            config: The loop it answers for.

        Raises:
            ServingError: The file is another one or not a model of ours, does not fit the loop, or
                says something else than at registration.
        """
        from feedback_assets.training.onnx_model import OnnxModel

        name = f"version {about.version}"
        if hashlib.sha256(content).hexdigest() != about.digest:
            raise ServingError(f"{name}: the file is not the one that was published")
        try:
            model = OnnxModel.load(content)
        except Exception as error:  # the runtime's errors have no base of their own
            raise ServingError(f"{name} cannot be opened: {error}") from error
        label = model.spec.label_kind
        unknown = sorted(set(model.spec.names) - set(config.columns.features))
        if label != config.label.kind:
            raise ServingError(f"{name} answers a {label} label, the loop has {config.label.kind}")
        if set(model.spec.classes) != set(config.label.classes):
            raise ServingError(f"{name} knows other classes than label.classes: train again")
        if unknown:
            raise ServingError(
                f"{name} reads columns that the loop does not declare: {', '.join(unknown)}"
            )
        scorer = RowScorer(model)
        if golden is not None:
            check(golden, about.digest, scorer.score, name)
        return cls(
            str(about.version),
            about.digest,
            scorer,
            Breaker(name, FAILURES, SECONDS),
            golden is not None or about.golden is None,
        )

    def score(self, rows: Sequence[Row]) -> list[Scored | None]:
        """Score rows; None for one whose score is not a finite number.

        Raises:
            RowError: A numeric feature of a row holds something else.
            ServingError: The model failed, now or several times before.
        """
        feeds = self.scorer.feeds(rows)
        try:
            said = self.breaker.call(lambda: self.scorer.run(feeds))
        except BreakerOpenError:
            raise
        except Exception as error:  # the runtime's errors have no base of their own
            raise ServingError(f"version {self.version} failed: {type(error).__name__}") from error
        return [row if isfinite(row.score) else None for row in said]


def ask(model: ServedModel | None, rows: Sequence[Row]) -> list[Scored | None] | None:
    """What a model says, None for a row without a finite score; None if it is absent or fails.

    Raises:
        RowError: A numeric feature of a row holds something else.
    """
    try:
        return model.score(rows) if model else None
    except RowError:
        raise
    except ServingError:
        return None
