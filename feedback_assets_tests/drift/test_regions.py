"""The rows that lie where a column has drifted to."""

import numpy as np
import pytest

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.profile import build
from feedback_assets.drift.regions import grown_cells

RNG = np.random.default_rng(3)


def column(values, kind):
    return build({"x": values}, {"x": kind}, Drift()).columns["x"]


def test_new_values_beyond_the_range_are_the_region() -> None:
    before = column(RNG.normal(size=5000), "numeric")
    now = np.concatenate([RNG.normal(size=400), np.full(100, 9.0)])
    rows, names = grown_cells(now, before)
    assert rows[400:].all()
    assert rows[:400].mean() < 0.05
    assert names[0].startswith("above")


def test_nulls_and_unseen_categories_are_regions_too() -> None:
    before = column(RNG.choice(["a", "b"], 3000).astype(object), "categorical")
    now = np.array(["a"] * 150 + ["b"] * 150 + ["new"] * 80 + [None] * 60, dtype=object)
    rows, names = grown_cells(now, before)
    assert rows.tolist() == [False] * 300 + [True] * 140
    assert len(names) == 2


@pytest.mark.parametrize("seed", range(5))
def test_the_same_world_has_hardly_any_region(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, _ = grown_cells(rng.normal(size=500), column(rng.normal(size=5000), "numeric"))
    assert rows.mean() < 0.02


def test_no_rows() -> None:
    rows, names = grown_cells(np.empty(0), column(RNG.normal(size=500), "numeric"))
    assert rows.size == 0
    assert names == []
