"""Whether one class is known earlier: found where it is so, and rarely claimed where it is not."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feedback_assets.labels.arrival import STEPS
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.outcome_delay import OutcomeDelay, outcome_delay
from feedback_assets_tests.labels.delays import START, after, arrived, feedback, loop

DAYS = 40
KEYS = [f"{day:%Y-%m-%d}" for day in pd.date_range(START, periods=DAYS)]


def counted(day: np.ndarray, delay: np.ndarray, label: np.ndarray, as_of: float) -> pd.DataFrame:
    """What `delay_counts_sql` counts of events at the whole days `day`, known at `as_of`."""
    here = day + delay <= as_of
    rows = pd.DataFrame(
        {
            "partition_key": np.array(KEYS)[day[here].astype(int)],
            "label_group": label[here].astype(str),
            "delay_step": np.ceil(delay[here] / (30 / STEPS)),
        }
    )
    return rows.groupby(list(rows.columns), sort=False).size().reset_index(name="n")


def outcome(day: Any, delay: Any, label: Any, alpha: float = 0.001) -> OutcomeDelay:
    config = loop(30, pool={"delay_alpha": alpha})
    return outcome_delay(counted(day, delay, label, DAYS), config, after(DAYS))


def study(alpha: float, crowd: bool, draws: int, values: int) -> float:
    """How often equal delays are said to differ."""
    alarms = 0
    for seed in range(draws):
        rng = np.random.default_rng([seed, values])
        day = np.repeat(np.arange(DAYS), 25).astype(float)
        label = rng.integers(0, values, day.size)
        delay = rng.exponential(6.0, day.size)
        if crowd:  # labels of one day and value come together
            effect = rng.exponential(6.0, (DAYS, values))
            delay = effect[day.astype(int), label] + rng.uniform(0, 1, day.size)
        alarms += outcome(day, delay, label, alpha).differs
    return alarms / draws


@pytest.mark.parametrize(("crowd", "values"), [(False, 2), (False, 4), (True, 2), (True, 3)])
def test_false_alarms_are_as_rare_as_stated(crowd: bool, values: int) -> None:
    assert study(0.05, crowd, 100, values) <= 0.11


def test_right_truncation_alone_makes_no_difference() -> None:
    """The rarer class grows by the day, so its known labels are younger: no reason to alarm."""
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(DAYS), 60).astype(float)
    label = (rng.random(day.size) < 0.1 + 0.8 * day / DAYS).astype(int)
    delay = rng.exponential(6.0, day.size)
    known = day + delay <= DAYS
    assert delay[known & (label == 1)].mean() < 0.85 * delay[known & (label == 0)].mean()
    assert not outcome(day, delay, label, 0.01).differs


def test_one_class_known_earlier_is_found_and_said() -> None:
    rng = np.random.default_rng(4)
    label = (rng.random(80 * 60) < 0.4).astype(int)
    delay = np.where(label == 1, rng.uniform(0, 5, label.size), rng.uniform(10, 25, label.size))
    config = loop(30)
    counts = arrived(feedback(80, 60, delay, label, 80), config, 80)
    found = outcome_delay(counts, config, after(80), group_curves(counts, config, after(80)))
    assert found.differs
    assert found.later["1"] < 0 < found.later["0"]
    assert found.half["1"] == pytest.approx(2.5, abs=0.3)
    assert found.half["0"] == pytest.approx(17.5, abs=0.6)
    assert "labels 1 come earlier than labels 0 (p below 1e-6" in found.words()
    assert "half within" in found.words()


def test_a_slight_difference_is_found_with_many_labels() -> None:
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(DAYS), 800).astype(float)
    label = rng.integers(0, 2, day.size)
    delay = rng.exponential(np.where(label == 1, 5.0, 6.0))
    assert outcome(day, delay, label).differs


def test_labels_that_not_all_rows_of_their_day_could_have_do_not_count() -> None:
    rng = np.random.default_rng(6)
    day = np.repeat(np.arange(DAYS), 30).astype(float)
    label = rng.integers(0, 2, day.size)
    counts = counted(day, rng.exponential(6.0, day.size), label, DAYS)
    early = pd.DataFrame(
        {"partition_key": KEYS[-3:], "label_group": "1", "delay_step": 71.0, "n": 500}
    )
    more = pd.concat([counts, early[early["partition_key"] > KEYS[-3]]], ignore_index=True)
    config = loop(30)
    seen = [outcome_delay(c, config, after(DAYS)).p for c in (counts, more)]
    assert seen[0] == seen[1]


def test_too_little_to_tell_is_said() -> None:
    few = np.arange(19).astype(float)
    found = outcome(few, np.ones(19), np.arange(19) % 2)
    assert math.isnan(found.p)
    assert not found.differs
    assert "is not known: two values with 20 labels" in found.words()
    day = np.repeat(np.arange(5), 40).astype(float)
    assert "5 days with labels, 10 needed" in outcome(day, np.ones(200), np.arange(200) % 2).words()


def test_before_any_label_nothing_is_known() -> None:
    config = loop(30)
    counts = arrived(feedback(5, 20, np.full(100, np.nan), np.ones(100), 5), config, 5)
    assert "is not known" in outcome_delay(counts, config, after(5)).words()


def test_equal_delays_are_called_equal_in_words() -> None:
    day = np.repeat(np.arange(DAYS), 40).astype(float)
    label = np.arange(day.size) % 2
    delay = np.tile(np.repeat([1.0, 2.0, 3.0, 4.0], 2), day.size // 8)
    assert outcome(day, delay, label).words().startswith("no sign that the delay depends")
