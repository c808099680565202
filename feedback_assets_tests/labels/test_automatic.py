"""From which chance on a model's answers may stand for labels."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import binomtest

from feedback_assets.labels.automatic import STARTS, Threshold, calibrate


def draw(seed: int, rows: int, hard: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers, chances and rightness of a binary model that is too sure where `hard` is below 1."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 4, rows)
    chance = 1 / (1 + np.exp(-logit))
    truth = rng.random(rows) < 1 / (1 + np.exp(-hard * logit))
    answer = (chance >= 0.5).astype(np.int64)
    return answer, np.maximum(chance, 1 - chance), answer == truth


everybody = cache(draw)


def precision(threshold: Threshold, hard: float) -> float:
    answer, chance, right = everybody(12345, 200_000, hard)
    return float(right[(answer == threshold.answer) & (chance >= threshold.threshold)].mean())


def test_the_bound_is_exact_and_reaches_what_was_asked() -> None:
    answer, chance, right = draw(0, 4_000)
    found = calibrate(answer, chance, right, 0.95, 100)
    assert [t.answer for t in found] == [0, 1]
    for t in found:
        inside = (answer == t.answer) & (chance >= t.threshold)
        assert (t.audited, t.right) == (inside.sum(), right[inside].sum())
        test = binomtest(t.right, t.audited, alternative="greater")
        theirs = test.proportion_ci(1 - 0.05 / STARTS, "exact").low
        assert t.precision_lower == pytest.approx(theirs, abs=1e-12)
        assert t.precision_lower >= 0.95
        # Worth having: not only the very surest rows.
        assert inside.sum() > 0.6 * (answer == t.answer).sum()


@pytest.mark.parametrize("hard", [1.0, 0.6])
def test_the_promise_is_kept(hard: float) -> None:
    """True precision is below what was asked for in at most one of twenty audits (a class)."""
    broken = found = 0
    for seed in range(150):
        for t in calibrate(*draw(seed, 1_200, hard), 0.95, 100):
            found += 1
            broken += precision(t, hard) < 0.95
    assert found > 20
    assert broken <= 0.05 * 300 + 5


def test_picking_the_best_of_many_thresholds_would_break_it() -> None:
    """What fixed order protects from: the best-looking threshold of a useless score."""
    rng = np.random.default_rng(6)
    broken = 0
    for _ in range(200):
        chance, right = rng.random(900), rng.random(900) < 0.94
        broken += bool(calibrate(np.zeros(900, np.int64), chance, right, 0.95, 100))
    assert broken <= 10


def test_too_few_audits_make_no_labels() -> None:
    sure = np.full(200, 0.99)
    none = np.zeros(200, np.int64)
    right = np.ones(200, dtype=bool)
    assert calibrate(none, sure, right, 0.98, 100) != ()
    assert calibrate(none, sure, right, 0.98, 201) == ()
    assert calibrate(none[:100], sure[:100], right[:100], 0.98, 10) == ()
    assert calibrate(none[:0], sure[:0], right[:0], 0.98, 10) == ()


def test_rows_with_one_score_are_in_or_out_together() -> None:
    chance = np.r_[np.full(150, 0.9), np.full(150, 0.8)]
    right = np.r_[np.ones(150, bool), np.zeros(75, bool), np.ones(75, bool)]
    (one,) = calibrate(np.zeros(300, np.int64), chance, right, 0.95, 100)
    assert (one.threshold, one.audited, one.right) == (0.9, 150, 150)


def test_the_rare_class_does_not_ride_on_the_other() -> None:
    answer, chance = np.r_[np.zeros(2_000, int), np.ones(200, int)], np.full(2_200, 0.97)
    right = np.r_[np.ones(2_000, bool), np.arange(200) % 2 == 0]
    found = calibrate(answer, chance, right, 0.95, 100)
    assert [t.answer for t in found] == [0]
