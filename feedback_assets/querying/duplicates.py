"""Rows so near to each other that one answer tells about all of them.

Each row is compared with its nearest neighbours in the directions in which rows differ most, and
distances are then measured in the whole space. A row joins a neighbour only if that one leads its
group, so a group is as wide as the distance allows and chains of rows do not become one group.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_assets.querying.scores import Singles, usual_distance

Ints = npt.NDArray[np.int64]

NEIGHBOURS = 8
"""Neighbours that a row is compared with in one round."""
DIRECTIONS = 12
"""Main directions in which neighbours are looked for."""
ROUNDS = 6
"""Rounds in which leaders of crowded places are joined."""


def near_duplicates(space: Singles, share: float) -> Ints:
    """Group rows that are nearer than a share of the usual distance of two rows.

    Args:
        space: features [n, d], finite.
        share: of the median distance of two different rows; 0 groups only equal rows.

    Returns:
        Number of each row's group [n], 0 to groups - 1, in the order of their first rows.
    """
    n = len(space)
    if n == 0 or not space.shape[1]:
        return np.arange(n, dtype=np.int64)
    first, group = _equal(space)
    near = share * usual_distance(space[first])
    if near > 0:
        group = _leaders(space[first], near)[group]
    return _numbered(group)


def representatives(group: Ints) -> Ints:
    """Position of the first row of each group [groups]."""
    return np.unique(group, return_index=True)[1].astype(np.int64)


def _equal(space: Singles) -> tuple[Ints, Ints]:
    """First positions of rows that differ, and which of them each row equals."""
    plain = np.ascontiguousarray(space) + np.float32(0)  # -0.0 becomes 0.0
    whole = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1])))[:, 0]
    _, first, group = np.unique(whole, return_index=True, return_inverse=True)
    return first.astype(np.int64), group.astype(np.int64)


def _leaders(space: Singles, near: float) -> Ints:
    """The leader of each row's group, as a position [n]."""
    leader = np.arange(len(space), dtype=np.int64)
    main = _main_directions(space)
    for _ in range(ROUNDS):
        leading = np.unique(leader)
        one, other = _pairs(space[leading], main[leading], near)
        if not one.size:
            break
        leader = leading[_join(len(leading), one, other)][np.searchsorted(leading, leader)]
    return leader


def _main_directions(space: Singles) -> Singles:
    centred = space - space.mean(axis=0)
    if space.shape[1] <= DIRECTIONS:
        return centred
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return centred @ directions[:, -DIRECTIONS:].astype(np.float32)


def _pairs(space: Singles, main: Singles, near: float) -> tuple[Ints, Ints]:
    """Pairs of positions that are near, each both ways round."""
    from scipy.spatial import cKDTree

    n = len(space)
    if n < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    tree: Any = cKDTree(main)
    count = min(NEIGHBOURS + 1, n)
    _, found = tree.query(main, k=count, distance_upper_bound=near * (1 + 1e-5))
    rows = np.repeat(np.arange(n), count)
    others = np.asarray(found, dtype=np.int64).ravel()
    real = (others < n) & (others != rows)
    rows, others = rows[real], others[real]
    gaps = space[rows] - space[others]
    close = (gaps * gaps).sum(axis=1) < near * near
    rows, others = rows[close], others[close]
    return np.concatenate([rows, others]), np.concatenate([others, rows])


def _join(n: int, one: Ints, other: Ints) -> Ints:
    """Each row's leader: a row leads if it comes before all its neighbours still free (Luby 1986)."""
    rank = np.random.default_rng(0).permutation(n)
    leader = np.full(n, -1, dtype=np.int64)
    while one.size:
        first = np.full(n, n)
        np.minimum.at(first, one, rank[other])
        free = leader < 0
        leads = free & (rank < first)
        leader[leads] = np.flatnonzero(leads)
        joins = leads[other] & (leader[one] < 0)
        leader[one[joins]] = other[joins]
        open_ = (leader[one] < 0) & (leader[other] < 0)
        one, other = one[open_], other[open_]
    alone = leader < 0
    leader[alone] = np.flatnonzero(alone)
    return leader


def _numbered(group: Ints) -> Ints:
    _, first, code = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code].astype(np.int64)
