"""What a classifier's own scores promise of its loss on each row, before the truth is known."""

import numpy as np
import numpy.typing as npt

from feedback_assets.config.gate import Metric
from feedback_assets.config.schema import LabelKind
from feedback_assets.performance.metrics import losses

Floats = npt.NDArray[np.float64]


def expected_losses(
    kind: LabelKind, metric: Metric, scores: Floats, threshold: float = 0.5
) -> Floats:
    """The mean loss of each row, were the truth drawn by the scores [n].

    Args:
        kind: binary or multiclass.
        metric: accuracy (gives the error), log_loss or brier.
        scores: of the positive class [n], or of every class [n, K].
        threshold: binary: the score from which the answer is positive.

    Examples:
        >>> expected_losses("binary", "accuracy", np.array([0.9, 0.4])).round(2).tolist()
        [0.1, 0.4]
    """
    chances = np.stack([1 - scores, scores], axis=1) if kind == "binary" else scores
    found = np.zeros(len(scores))
    for code in range(chances.shape[1]):
        truth = np.full(len(scores), code)
        found += chances[:, code] * losses(kind, metric, truth, scores, threshold)
    return found
