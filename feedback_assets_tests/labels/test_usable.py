"""New labels that a training could use: told now, and held against what is there some days later."""

import numpy as np
import pytest

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import maturity
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.usable import MOST_MOMENTS, coming
from feedback_assets.policy.evidence import Coming
from feedback_assets_tests.labels.delays import after, arrived, feedback, loop

DAYS, PER_DAY = 60, 100
RNG = np.random.default_rng(11)
DELAY = np.where(RNG.random(DAYS * PER_DAY) < 0.2, np.nan, RNG.uniform(0, 10, DAYS * PER_DAY))
LABEL = np.arange(DAYS * PER_DAY) % 2


def told(
    config: Config, now: float, trained: list[str], max_days: float = 14
) -> tuple[Coming, ...]:
    counts = arrived(
        feedback(50, PER_DAY, DELAY[: 50 * PER_DAY], LABEL[: 50 * PER_DAY], now), config, now
    )
    standing = maturity(counts, config, after(now))
    return coming(standing, group_curves(counts, config, after(now)), config, trained, max_days)


def pool(config: Config, now: float) -> list[str]:
    frame = feedback(50, PER_DAY, DELAY[: 50 * PER_DAY], LABEL[: 50 * PER_DAY], now)
    return maturity(arrived(frame, config, now), config, after(now)).partitions


def test_labels_told_ahead_are_there_when_their_day_is_mature() -> None:
    config = loop(12, pool={"mature_after_days": 10})
    trained = pool(config, 43)
    found = told(config, 50.0, trained)
    days = {round(c.days, 6): c.labels for c in found}
    assert found[0].days == 0
    assert sorted(days) == [float(d) for d in range(11)]
    frame = feedback(50, PER_DAY, DELAY[: 50 * PER_DAY], LABEL[: 50 * PER_DAY], 64.0)
    for ahead in (0, 3, 10):
        mature = set(pool(config, 50.0 + ahead)) - set(trained)
        own = frame["partition_key"].isin(mature) & (frame["label_status"] == "accepted")
        assert days[float(ahead)] == pytest.approx(own.sum(), rel=0.08)


def test_days_that_were_trained_on_are_no_news() -> None:
    config = loop(12, pool={"mature_after_days": 10})
    everything = pool(config, 50)
    found = told(config, 50, everything, 5)
    assert found[0].labels == 0
    assert found[-1].labels == pytest.approx(400, rel=0.15)
    assert told(config, 50, everything, 0.5) == (Coming(0.0, 0.0),)


def test_a_learned_curve_says_when_days_are_mature() -> None:
    found = told(
        loop(12, pool={"maturity": 0.9}), 50, pool(loop(12, pool={"maturity": 0.9}), 50), 14
    )
    assert found[0].labels == 0
    assert found[-1].days == pytest.approx(9, abs=0.3)


def test_weighed_days_can_be_used_before_they_are_mature() -> None:
    config = loop(12, pool={"mature_after_days": 10, "immature": "weight", "max_weight": 4})
    trained = pool(config, 50)
    found = told(config, 50, trained)
    assert 300 < found[0].labels < 600, "days older than 2.5 days, as far as they have come"
    assert np.all(np.diff([c.labels for c in found]) >= 0)
    assert 1.0 in [c.days for c in found]


def test_before_delays_are_known_nothing_is_told() -> None:
    assert told(loop(70), 50, []) == ()


def test_many_small_partitions_are_told_at_few_moments() -> None:
    assert len(told(loop(40, pool={"mature_after_days": 39.5}), 50, [], 60)) <= MOST_MOMENTS
