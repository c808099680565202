"""The spread of days is found where it is, and nowhere else."""

import numpy as np
import pytest

from feedback_assets.performance.days import DaySpread


def learned(seed: int, sd: float, days: int = 60, each: int = 200) -> DaySpread:
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), each)
    p = np.full(day.size, 0.3)
    true = 1 / (1 + np.exp(-(np.log(0.3 / 0.7) + rng.normal(0, sd, days)[day])))
    y = rng.random(day.size) < true
    return DaySpread.learn(y - p, p * (1 - p), p * (1 - p), day)


def test_the_variance_between_days_is_recovered() -> None:
    found = [learned(seed, 0.4).variance for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.16, rel=0.2)


def test_alike_days_have_next_to_none() -> None:
    assert np.mean([learned(seed, 0.0).variance for seed in range(20)]) < 0.005


def test_few_days_tell_nothing() -> None:
    found = learned(0, 0.4, days=4)
    assert (found.variance, found.days) == (0.0, 4)
    assert not found.draw(np.random.default_rng(0), 10, 3).any()


def test_draws_have_the_spread_and_share_the_anchor() -> None:
    spread = DaySpread(0.09, 50, 0.2)
    drawn = spread.draw(np.random.default_rng(0), 20_000, 2)
    assert drawn.std(axis=0) == pytest.approx(0.3 * np.sqrt(1.2 * 49 / 47), rel=0.03)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.2 / 1.2, abs=0.03)


def test_json_and_back() -> None:
    spread = learned(1, 0.4)
    assert DaySpread.from_dict(spread.to_dict()) == spread
