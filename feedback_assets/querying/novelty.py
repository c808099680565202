"""How far a row lies from what the model was trained on.

The distance to the nearest training row, averaged over several bounded samples of them (nearest
neighbours in subsamples find anomalies better than in all rows: Ting, Washio, Wells & Aryal 2017),
and told as the share of other training rows that lie nearer to theirs. A point with values
or categories never seen is far from every training row.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.querying.scores import CHUNK, Floats, Singles, squared_distances
from feedback_assets.querying.space import FeatureSpace, packed, unpacked

SAMPLES = 8
"""Samples of training rows."""
SAMPLE_ROWS = 256
"""Rows of each."""
JUDGED = 20_000
"""Other training rows by which distances are judged at most."""
STEPS = 2_001
"""Quantiles kept of their distances."""
THRESHOLD = 0.999
"""A row that lies farther than this share of training rows is outside their distribution."""


@dataclass(frozen=True)
class Novelty:
    """Training rows to compare with, and how far such rows usually lie."""

    space: FeatureSpace
    samples: Singles
    """Points of training rows [samples, rows, width]."""
    usual: Floats
    """Rising distances of other training rows [steps]; empty where there were too few."""
    threshold: float = THRESHOLD
    """Rows with a score of at least this are outside the training distribution."""

    @classmethod
    def fit(cls, config: Config, rows: pd.DataFrame, space: FeatureSpace | None = None) -> Self:
        """Learn from training rows; the same rows in any order need `prediction_id` to be the same.

        Args:
            config: the loop; the features that the model reads count.
            rows: at least these features [n].
            space: of the same rows, if already known.

        Raises:
            TrainingError: a column is missing, or a numeric one holds something else.
        """
        if "prediction_id" in rows.columns:
            rows = rows.sort_values("prediction_id", kind="stable")
        space = space or FeatureSpace.fit(config, rows)
        drawn = np.random.default_rng(0).permutation(len(rows))
        kept = min(SAMPLES * SAMPLE_ROWS, len(rows) // 2)
        size = kept // SAMPLES
        samples = space.transform(rows.iloc[drawn[: SAMPLES * size]])
        others = rows.iloc[drawn[SAMPLES * size :][:JUDGED]]
        by_sample = samples.reshape(SAMPLES, size, space.width)
        usual = np.empty(0)
        if size:
            far = _distance(space.transform(others), by_sample)
            steps = np.linspace(0, 1, min(STEPS, far.size))
            usual = np.quantile(far, steps, method="inverted_cdf")
        return cls(space, by_sample, usual)

    def score(self, frame: pd.DataFrame) -> Floats:
        """Share of training rows that lie nearer to the others than each row [n], 0 to 1.

        0 everywhere where there were too few training rows to tell.

        Raises:
            TrainingError: a column is missing, or a numeric one holds something else.
        """
        return self.score_points(self.space.transform(frame))

    def score_points(self, points: Singles) -> Floats:
        """The same of points [n, width] that `space.transform` gave."""
        if not self.usual.size:
            return np.zeros(len(points))
        far = _distance(points, self.samples)
        return np.searchsorted(self.usual, far, side="left") / self.usual.size

    def to_bytes(self) -> bytes:
        """A file of arrays (npz) without any code."""
        facts = {"space": self.space.facts(), "threshold": self.threshold}
        own: dict[str, np.ndarray] = {"samples": self.samples, "usual": self.usual}
        return packed(facts, own | self.space.arrays())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of `to_bytes`."""
        facts, arrays = unpacked(content)
        space = FeatureSpace.of(facts["space"], arrays)
        return cls(space, arrays["samples"], arrays["usual"], facts["threshold"])


def _distance(points: Singles, samples: npt.NDArray[np.float32]) -> Floats:
    """Distance to the nearest row of each sample, averaged over the samples [n]."""
    count, size, width = samples.shape
    flat = samples.reshape(count * size, width)
    found = np.empty(len(points))
    for at in range(0, len(points), CHUNK):
        squares = squared_distances(points[at : at + CHUNK], flat)
        nearest = squares.reshape(-1, count, size).min(axis=2)
        found[at : at + CHUNK] = np.sqrt(nearest).mean(axis=1)
    return found
