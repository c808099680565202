"""The fast search for a value's cell is numpy's own, on any edges."""

import numpy as np
import pytest

from feedback_assets.drift.numbers import Search

SCALES = {
    "even": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: np.exp(20 * rng.normal(size=n)),
    "whole numbers": lambda rng, n: rng.integers(-5, 200, n).astype(float),
    "tiny": lambda rng, n: 1e-300 * rng.normal(size=n),
    "huge": lambda rng, n: 1e300 * rng.normal(size=n),
    "neighbours": lambda rng, n: np.nextafter(1.0, 2.0) + np.arange(n) * 2.0**-52,
}


@pytest.mark.parametrize("scale", list(SCALES))
def test_a_value_is_found_where_numpy_finds_it(scale):
    rng = np.random.default_rng(3)
    for size in (1, 2, 3, 17, 128):
        edges = np.unique(SCALES[scale](rng, size))
        near = [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
        far = rng.normal(size=200) * np.abs(edges).max()
        values = np.concatenate([edges, *near, far, [0.0, 1.7e308, -1.7e308]])
        values = values[np.isfinite(values)]
        want = np.searchsorted(edges, values, side="right")
        assert Search(edges.tolist())(values).tolist() == want.tolist()
