"""Whether new labels make held-out rows harder to predict: those are not let in.

A quick model is trained without and with one principal's or source's new labels, and both are asked
about the same held-out rows that others labelled. What counts is the relative increase of the mean
loss, at the lower end of an interval that holds for all batches at once (paired differences, the
delta method for the ratio, Bonferroni).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from feedback_assets.config.pool import Poisoning
from feedback_assets.labels.refusals import Batch

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Losses = Callable[[Ints, Ints], Floats]
"""From positions of rows taught and of held-out rows: the loss of each held-out row."""
CONFIDENCE = 0.95
MIN_HELD = 30
"""With fewer held-out rows nothing is said."""


@dataclass(frozen=True)
class Trial:
    """New labels to be tried, and the rows that try them.

    Attributes:
        batch: Whose labels, received when.
        rows: Their positions.
        held: Positions of held-out rows that others labelled.
    """

    batch: Batch
    rows: Ints
    held: Ints


@dataclass(frozen=True)
class Influence:
    """What one batch of labels does to the held-out loss, relative, with its interval."""

    batch: Batch
    rows: int
    held: int
    change: float
    low: float
    high: float
    refused: bool


def influences(
    trials: Sequence[Trial], known: Ints, losses: Losses, limits: Poisoning
) -> list[Influence]:
    """Try each batch beside the labels that were known before.

    Args:
        trials: The batches.
        known: Positions of the rows that were trained on before.
        losses: Trains and asks.
        limits: The section `pool.poisoning`.
    """
    tried = [trial for trial in trials if len(trial.held) >= MIN_HELD]
    if not tried:
        return []
    every = np.unique(np.concatenate([trial.held for trial in tried]))
    before = losses(known, every)
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2 / len(tried))
    found = []
    for trial in tried:
        without = before[np.searchsorted(every, trial.held)]
        both = losses(np.union1d(known, trial.rows), trial.held)
        change, error = relative_change(without, both)
        low, high = change - z * error, change + z * error
        sizes = len(trial.rows), len(trial.held)
        found.append(Influence(trial.batch, *sizes, change, low, high, low > limits.max_loss))
    return found


def relative_change(without: Floats, both: Floats) -> tuple[float, float]:
    """Relative change of the mean loss and its standard error, from paired losses [n].

    >>> relative_change(np.array([1.0, 1.0, 2.0]), np.array([1.1, 1.1, 2.2]))[0]
    0.10000000000000009
    """
    mean = float(without.mean())
    if mean <= 0:
        return (math.inf if both.mean() > 0 else 0.0), 0.0
    change = float(both.mean()) / mean - 1
    left = (both - without) - change * without
    return change, float(left.std(ddof=1)) / math.sqrt(len(left)) / mean
