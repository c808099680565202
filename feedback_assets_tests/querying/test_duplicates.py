"""Near rows are one group, far rows never; a chain of rows is not one group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.querying.clusters import cluster
from feedback_assets.querying.duplicates import near_duplicates, representatives
from feedback_assets.querying.scores import usual_distance


def planted(rng, originals=60, copies=5, width=20, noise=0.001):
    base = rng.normal(size=(originals, width))
    space = np.repeat(base, copies, axis=0)
    return (space + noise * rng.normal(size=space.shape)).astype(np.float32)


@pytest.mark.parametrize("width", [2, 20, 100])
def test_planted_copies_are_found(width):
    space = planted(np.random.default_rng(0), width=width)
    group = near_duplicates(space, 0.05)
    truth = np.repeat(np.arange(60), 5)
    together = group[:, None] == group[None]
    planted_together = truth[:, None] == truth[None]
    assert together[planted_together].all()
    if width > 2:  # in the plane different rows may happen to be near
        assert not together[~planted_together].any()


@pytest.mark.parametrize(
    ("apart", "together"), [(0.5, True), (0.9, True), (1.2, False), (3, False)]
)
def test_the_distance_decides(apart, together):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(100, 20))
    step = rng.normal(size=(100, 20))
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    near = 0.05 * usual_distance(np.concatenate([base, base]).astype(np.float32))
    space = np.concatenate([base, base + apart * near * step]).astype(np.float32)
    group = near_duplicates(space, 0.05)
    assert (group[:100] == group[100:]).mean() == (1 if together else 0)


def test_no_group_is_wider_than_the_distance_allows():
    line = np.linspace(0, 10, 3_000, dtype=np.float32)[:, None]
    near = 0.05 * usual_distance(line)
    group = near_duplicates(line, 0.05)
    low = np.full(group.max() + 1, np.inf)
    high = np.full(group.max() + 1, -np.inf)
    np.minimum.at(low, group, line[:, 0])
    np.maximum.at(high, group, line[:, 0])
    assert (high - low).max() <= 6 * near
    assert 15 < group.max() + 1 < 300


def test_a_crowd_of_nearly_equal_rows_is_one_group():
    rng = np.random.default_rng(0)
    crowd = rng.normal(size=(1, 8)) + 1e-5 * rng.normal(size=(3_000, 8))
    space = np.concatenate([crowd, rng.normal(size=(3_500, 8)) * 3]).astype(np.float32)
    group = near_duplicates(space, 0.05)
    assert np.unique(group[:3_000]).size <= 3
    assert np.unique(group[3_000:]).size > 3_400


@given(st.integers(0, 30), st.integers(0, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_groups_are_numbered_from_0_and_equal_rows_share_one(n, width, seed):
    rng = np.random.default_rng(seed)
    space = rng.integers(0, 3, size=(n, width)).astype(np.float32)
    group = near_duplicates(space, 0.0)
    first = representatives(group)
    assert np.array_equal(np.unique(group), np.arange(first.size))
    assert (np.diff(first) > 0).all()
    if width:
        equal = (space[:, None] == space[None]).all(axis=2)
        assert np.array_equal(equal, group[:, None] == group[None])
    else:
        assert np.unique(group).size == n


def test_zero_and_minus_zero_are_equal():
    space = np.array([[0.0, 1.0], [-0.0, 1.0]], np.float32)
    assert near_duplicates(space, 0.0).tolist() == [0, 0]


def test_clusters_are_the_same_each_time_and_neighbours_have_neighbouring_numbers():
    rng = np.random.default_rng(0)
    space = (rng.uniform(size=(2_000, 1)) * [10, 0.1]).astype(np.float32)
    found = cluster(space, 12)
    assert np.array_equal(found.code, cluster(space, 12).code)
    steps = np.abs(np.diff(found.centres[:, 0]))
    assert np.sort(steps)[:-1].max() < 3  # one jump back at most: the path starts anywhere


def test_clusters_find_what_lies_apart():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 100)
    space = (rng.normal(size=(400, 3)) * 0.1 + 20 * np.eye(4, 3)[truth]).astype(np.float32)
    code = cluster(space, 4).code
    assert all(np.unique(code[truth == i]).size == 1 for i in range(4))
    assert np.unique(code).size == 4


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 0), (6, 2)])
def test_clusters_of_nothing_and_of_equal_rows_are_one(shape):
    assert (cluster(np.zeros(shape, np.float32), 5).code == 0).all()
