"""A row's chance over all batches: days that stood in many batches do not count many times."""

import numpy as np

from feedback_assets.labels.ever_asked import ever_answered

DAYS, PER_DAY, ASKED = 20, 100, 12


def chances(
    rng: np.random.Generator, window: int, liking: np.ndarray, done: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that a daily batch by size-unequal lots asked and people answered, and their chances."""
    day = np.repeat(np.arange(DAYS), PER_DAY)
    left, rows, batches, drawn = np.ones(day.size, bool), [], [], []
    for batch in range(DAYS):
        able = np.flatnonzero(left & (day <= batch) & (day > batch - window))
        chance = ASKED * liking[able] / liking[able].sum()
        hit = rng.random(able.size) < chance
        rows.append(able[hit])
        drawn.append(chance[hit])
        batches.append(np.full(hit.sum(), batch))
        left[able[hit]] = False
    asked, batch = np.concatenate(rows), np.concatenate(batches)
    said = rng.random(asked.size) < done
    closed = np.arange(DAYS, dtype=float)
    found = ever_answered(
        np.concatenate(drawn), batch, said, day[asked].astype(float), closed - window, closed
    )
    return asked[said], found


def test_weighted_answers_stand_for_all_rows_of_all_days() -> None:
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(DAYS), PER_DAY)
    liking = rng.uniform(0.5, 3, day.size)
    for window in (5, 20):
        weights, naive = np.zeros(DAYS), np.zeros(DAYS)
        for _ in range(150):
            rows, chance = chances(rng, window, liking, 0.7)
            weights += np.bincount(day[rows], 1 / chance, minlength=DAYS) / 150
            naive += np.bincount(day[rows], minlength=DAYS) / 150
        assert np.abs(weights / PER_DAY - 1).max() < 0.35
        assert abs(weights.sum() / day.size - 1) < 0.05
        assert naive.max() > 3 * naive.min()


def test_in_one_batch_it_is_the_chance_times_the_share_that_was_answered() -> None:
    chance = np.array([0.1, 0.5, 1.0, 0.2])
    said = np.array([True, False, True, True])
    zero = np.zeros(4)
    found = ever_answered(chance, zero.astype(int), said, zero, np.array([-1.0]), np.array([0.0]))
    assert np.allclose(found, chance[said] * 0.75)
