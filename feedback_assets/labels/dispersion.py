"""How much more the days' labels differ than by chance: labels of one day come, or stay out, together."""

import numpy as np

from feedback_assets.labels.arrival import STEPS
from feedback_assets.labels.exposure import Exposure
from feedback_assets.performance.metrics import Floats

_LOOKS = (0.0, 0.25, 0.5, 0.75, 0.9)
_LEAST_VARIANCE = 1.0


def dispersion(seen: Exposure) -> float:
    """By how much past days' labels departed from what was expected, as a multiple of chance's.

    At several ages the labels that came later are held against those expected of the rows that
    waited then: Pearson's statistic over its degrees of freedom, the largest; 1 at least.
    """
    left = seen.left
    found = []
    for look in _LOOKS:
        at = int(np.argmax(1 - left >= look * (1 - left[-1])))
        square, variance = _departures(seen, left, at)
        enough = variance >= _LEAST_VARIANCE
        cells = int(np.count_nonzero(enough))
        if cells > 1:
            found.append(float((square[enough] / variance[enough]).sum()) / (cells - 1))
    return max(1.0, *found) if found else 1.0


def _departures(seen: Exposure, left: Floats, at: int) -> tuple[Floats, Floats]:
    """Squared departures of the cohorts' labels after a step, and chance's variance [cohorts]."""
    over = seen.seen_to > at
    end = seen.seen_to[over]
    waited = seen.at_risk[over, min(at + 1, STEPS)]
    came = seen.came[over].cumsum(axis=1)
    later = came[np.arange(end.size), end] - came[:, at]
    chance = 1 - left[end] / left[at] if left[at] > 0 else np.zeros(end.size)
    return (later - waited * chance) ** 2, waited * chance * (1 - chance)
