"""Second opinions on the excess loss: ADWIN and Page-Hinkley from river, fed with block means.

They are shown beside the verdict and never decide: neither controls how often it errs under
daily looks. A day's rows are dealt into blocks at random, seeded by its key alone, so the order
of the rows does not matter; block means are standardised by the reference.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.bins import Counts, Floats

BLOCKS, BLOCK_ROWS = 20, 50
"""At most so many blocks a day, and of the reference; at least so many rows in each."""
REACH = 8.0
"""Standardised means beyond half of this are clipped for ADWIN, which wants values in 0 to 1."""


@dataclass(frozen=True)
class Opinion:
    """What one detector says."""

    name: str
    day: str | None
    """The first day of the stretch on which it alarmed; None if it did not."""

    def __str__(self) -> str:
        """In words."""
        return f"{self.name}: {f'changed, seen on {self.day}' if self.day else 'no change'}"


class Excess(Protocol):
    """What is read of `concept.ConceptReference`."""

    @property
    def counts(self) -> Sequence[int]:
        """Reference rows by cell."""

    @property
    def margin(self) -> float:
        """Immaterial excess."""

    @property
    def values(self) -> Floats:
        """The excess of each cell."""

    @property
    def centre(self) -> float:
        """Mean excess."""

    @property
    def sd(self) -> float:
        """Standard deviation of a row's excess."""


def second_opinions(
    reference: Excess, counts: Counts, days: Sequence[str], drift: Drift
) -> tuple[Opinion, ...]:
    """Ask both detectors about the days, after they have seen the reference.

    ADWIN (Bifet and Gavalda 2007) with confidence alpha / window_days. Page-Hinkley (Page 1954)
    two-sided, with the material margin as its tolerance and the threshold at which a random walk
    with that tolerance alarms on a share alpha of stable windows (exp(-2 tolerance threshold) per
    block).

    Args:
        reference: Gives cells, centre, spread and margin.
        counts: int64 [days, cells].
        days: [days] partition keys.
        drift: `alpha` and `window_days` are read.
    """
    from river.drift import ADWIN, PageHinkley

    if not reference.sd > 0:
        return ()
    before = np.concatenate(
        [_blocks(reference, np.asarray(reference.counts), f"reference {i}") for i in range(2)]
    )
    stretch = [_blocks(reference, each, day) for each, day in zip(counts, days, strict=True)]
    fed = len(before) + sum(len(blocks) for blocks in stretch)
    tolerance = max(reference.margin / reference.sd * math.sqrt(BLOCK_ROWS), 0.1)
    threshold = math.log(2 * fed / drift.alpha) / (2 * tolerance)
    adwin = ADWIN(delta=drift.alpha / drift.window_days, clock=1)
    hinkley = PageHinkley(delta=tolerance, threshold=threshold, alpha=1.0, mode="both")
    named = (("ADWIN", adwin, 1 / REACH, 0.5), ("Page-Hinkley", hinkley, 1.0, 0.0))
    return tuple(
        Opinion(name, _first(detector, scale, shift, before, stretch, days))
        for name, detector, scale, shift in named
    )


def _first(
    detector: Any,
    scale: float,
    shift: float,
    before: Floats,
    stretch: Sequence[Floats],
    days: Sequence[str],
) -> str | None:
    """The first day with an alarm."""
    for mean in before.tolist():
        detector.update(mean * scale + shift)
    for blocks, day in zip(stretch, days, strict=True):
        for mean in blocks.tolist():
            detector.update(mean * scale + shift)
            if detector.drift_detected:
                return day
    return None


def _blocks(reference: Excess, counts: Counts, key: str) -> Floats:
    """Standardised means of a day's blocks, clipped to half of `REACH`: [blocks]."""
    rows = int(counts.sum())
    n_blocks = min(rows // BLOCK_ROWS, BLOCKS)
    if not n_blocks:
        return np.zeros(0)
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    drawn = rng.multivariate_hypergeometric(counts, n_blocks * BLOCK_ROWS, method="marginals")
    values = rng.permutation(np.repeat(reference.values, drawn)).reshape(n_blocks, BLOCK_ROWS)
    scale = math.sqrt(BLOCK_ROWS) / reference.sd
    means = (values.mean(axis=1) - reference.centre) * scale
    return np.clip(means, -REACH / 2, REACH / 2)
