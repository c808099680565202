"""Every row is drawn with exactly its chance; the size never varies; neighbours seldom come together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.querying.design import capped, draw, evenly

MASSES = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=40)


@given(MASSES, st.integers(0, 45))
@settings(max_examples=200, deadline=None)
def test_chances_are_proportional_to_mass_capped_and_sum_to_the_size(masses, size):
    mass = np.array(masses)
    chances = capped(mass, size)
    wanted = int((mass > 0).sum())
    assert chances.sum() == pytest.approx(min(size, wanted))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (chances[mass == 0] == 0).all()
    if size < wanted:
        below = np.flatnonzero((chances < 1) & (mass > mass.max() * 1e-8))
        ratios = chances[below] / mass[below]
        assert np.allclose(ratios, ratios[:1], rtol=1e-6)
        certain = chances == 1
        if below.size and certain.any():
            assert mass[certain].min() >= mass[below].max() * (1 - 1e-9)


def test_a_size_that_is_no_whole_number_is_kept():
    assert capped(np.array([5.0, 1.0, 1.0, 1.0]), 1.5).sum() == pytest.approx(1.5)


def test_nothing_wanted_or_asked_gives_no_chance():
    assert not capped(np.zeros(3), 2).any()
    assert not capped(np.ones(3), 0).any()
    assert draw(np.zeros(4), np.random.default_rng(0)).size == 0


@pytest.mark.parametrize(
    "chances",
    [
        [0.5, 0.5],
        [0.4, 0.7, 0.9, 0.3, 0.7],
        [0.9] * 10,
        [1.0, 0.2, 0.0, 0.8, 1.0, 0.6, 0.4],
        [1 / 3] * 6,
        [0.999, 0.001, 0.5, 0.5, 0.25, 0.75],
        [0.1] * 30,
    ],
)
def test_rows_are_drawn_as_often_as_their_chances_say(chances):
    chances = np.array(chances)
    rng, draws = np.random.default_rng(3), 12_000
    counts = np.zeros(chances.size)
    for _ in range(draws):
        at = draw(chances, rng)
        assert at.size == round(chances.sum())
        assert (np.diff(at) > 0).all()
        counts[at] += 1
    error = np.sqrt(chances * (1 - chances) / draws)
    assert (np.abs(counts / draws - chances) <= 4.5 * error).all()
    assert (counts[chances == 1] == draws).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_any_chances_give_the_size_each_row_once_and_none_without_chance(parts, seed):
    mass = np.array(parts)
    size = int(mass.sum())
    chances = capped(mass, size)
    at = draw(chances, np.random.default_rng(seed))
    assert at.size == min(size, int((mass > 0).sum()))
    assert np.unique(at).size == at.size
    assert (chances[at] > 0).all()
    assert np.isin(np.flatnonzero(chances >= 1 - 1e-12), at).all()


def test_a_stretch_of_rows_gets_what_its_chances_sum_to():
    chances = np.tile([0.05, 0.15, 0.1, 0.2], 50)  # 25 rows of 200, half a row in each stretch of 4
    rng = np.random.default_rng(0)
    for _ in range(200):
        taken = np.bincount(draw(chances, rng) // 40, minlength=5)  # 5 expected in each stretch
        assert taken.min() >= 4
        assert taken.max() <= 6


def test_pairs_far_apart_can_come_together():
    """Unlike plain systematic sampling, nearly all pairs have a chance, so variances can be estimated."""
    chances, seen, rng = np.full(20, 0.2), np.zeros((20, 20), bool), np.random.default_rng(1)
    for _ in range(4_000):
        at = draw(chances, rng)
        seen[np.ix_(at, at)] = True
    far = np.abs(np.subtract.outer(np.arange(20), np.arange(20))) >= 5
    assert seen[far].all()


def test_an_even_draw_is_even():
    rng, counts = np.random.default_rng(0), np.zeros(10)
    for _ in range(3_000):
        counts[evenly(10, 3, rng)] += 1
    assert np.abs(counts / 3_000 - 0.3).max() < 0.04
    assert evenly(0, 0, rng).size == 0
