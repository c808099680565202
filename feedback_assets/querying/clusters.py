"""k-means that gives the same clusters whenever the rows are the same, numbered along a path.

Seeds are spread by k-means++ (Arthur & Vassilvitskii 2007) over a bounded sample; clusters next to
each other in space have neighbouring numbers, so that rows in the order of their numbers walk
through the space.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedback_assets.querying.scores import CHUNK, Singles, squared_distances

Ints = npt.NDArray[np.int64]

SAMPLE = 4_096
"""Rows that the centres are learned from at most."""
ROUNDS = 8
"""Times that the centres are moved."""


@dataclass(frozen=True)
class Clusters:
    """Which cluster each row belongs to."""

    code: Ints
    """Number of the cluster [n]."""
    centres: Singles
    """[k, d], in the order of a path through them."""


def cluster(space: Singles, k: int) -> Clusters:
    """Divide rows into at most k clusters.

    Args:
        space: features [n, d], finite.
        k: how many clusters at most; fewer where fewer rows differ.
    """
    n = len(space)
    if n == 0 or k < 2 or not space.shape[1]:
        return Clusters(np.zeros(n, dtype=np.int64), space[: min(n, 1)])
    rng = np.random.default_rng(0)
    sample = space[np.sort(rng.permutation(n)[:SAMPLE])]
    centres = _seeds(sample, min(k, len(sample)), rng)
    for _ in range(ROUNDS):
        code = _nearest(sample, centres)
        counts = np.bincount(code, minlength=len(centres))
        sums = _sums(sample, code, len(centres))
        moved = sums[counts > 0] / counts[counts > 0, None]
        if moved.shape == centres.shape and np.array_equal(moved, centres):
            break
        centres = moved.astype(np.float32)
    centres = centres[_path(centres)]
    return Clusters(_nearest(space, centres), centres)


def _seeds(sample: Singles, k: int, rng: np.random.Generator) -> Singles:
    """k-means++: each further seed by lot, in proportion to its squared distance to the nearest."""
    chosen = [int(rng.integers(len(sample)))]
    nearest = squared_distances(sample, sample[chosen])[:, 0].astype(np.float64)
    while len(chosen) < k and nearest.max() > 1e-6:
        far = np.cumsum(nearest)
        chosen.append(int(np.searchsorted(far, rng.random() * far[-1], side="right")))
        nearest = np.minimum(nearest, squared_distances(sample, sample[chosen[-1:]])[:, 0])
    return sample[chosen]


def _nearest(rows: Singles, centres: Singles) -> Ints:
    code = np.empty(len(rows), dtype=np.int64)
    for at in range(0, len(rows), CHUNK):
        code[at : at + CHUNK] = squared_distances(rows[at : at + CHUNK], centres).argmin(axis=1)
    return code


def _sums(rows: Singles, code: Ints, k: int) -> Singles:
    order = np.argsort(code, kind="stable")
    present, first = np.unique(code[order], return_index=True)
    sums = np.zeros((k, rows.shape[1]), dtype=np.float32)
    sums[present] = np.add.reduceat(rows[order], first, axis=0)
    return sums


def _path(centres: Singles) -> Ints:
    """From each centre to the nearest one not yet visited."""
    gaps = squared_distances(centres, centres)
    free = np.ones(len(centres), dtype=bool)
    path = [0]
    free[0] = False
    while free.any():
        path.append(int(np.where(free, gaps[path[-1]], np.inf).argmin()))
        free[path[-1]] = False
    return np.array(path, dtype=np.int64)
