"""When the labels will be there: told before, and held against what came."""

import math

import numpy as np
import pytest

from feedback_assets.labels.dispersion import dispersion
from feedback_assets.labels.exposure import exposure
from feedback_assets.labels.forecast import forecast, last_week, percent
from feedback_assets_tests.labels.delays import after, feedback, loop, tally, waits

CONFIG = loop(20)
DAYS, PER_DAY = 60, 40
EVENT = np.arange(DAYS * PER_DAY) / PER_DAY
WEEK = [f"2024-02-{day:02d}" for day in range(17, 24)]
"""The last seven days before day 54."""


def drawn(seed: int, crowded: float = 0.0) -> np.ndarray:
    """Delays of every row; 20% never come, and by whole days if `crowded`."""
    rng = np.random.default_rng(seed)
    never = np.repeat(np.clip(rng.normal(0.2, crowded, DAYS), 0, 1), PER_DAY)
    return np.where(rng.random(EVENT.size) < never, np.nan, rng.gamma(2, 2.5, EVENT.size))


def in_the_end(delay: np.ndarray, low: float = 47, high: float = 54) -> float:
    """Share of the week's labels that were there on day 54."""
    own = (low <= EVENT) & (high > EVENT)
    ever = own & (delay <= 20)
    return float((ever & (EVENT + delay <= 54)).sum() / ever.sum())


def test_last_weeks_share_is_told_before_the_rest_has_come() -> None:
    delay = drawn(1)
    found = forecast(tally(EVENT, delay, 54, 20), CONFIG, after(54), WEEK)
    truth = in_the_end(delay)
    assert 0.2 < truth < 0.5
    assert found.low <= truth <= found.high
    assert found.share == pytest.approx(truth, abs=0.05)
    assert found.high - found.low < 0.1
    assert found.told is not None
    assert found.told.low <= found.told.days <= found.told.high
    own = (EVENT >= 47) & (EVENT < 54) & (delay <= 20)
    came = np.sort(EVENT[own] + delay[own])
    assert came[int(0.95 * came.size)] - 54 == pytest.approx(found.told.days, abs=1.5)


@pytest.mark.parametrize("crowded", [0.0, 0.15])
def test_intervals_cover_what_they_say(crowded: float) -> None:
    hits = [
        forecast(tally(EVENT, delay, 54, 20), CONFIG, after(54), WEEK)
        for delay in (drawn(seed, crowded) for seed in range(100))
    ]
    truth = [in_the_end(drawn(seed, crowded)) for seed in range(100)]
    covered = np.mean([f.low <= t <= f.high for f, t in zip(hits, truth, strict=True)])
    assert covered >= 0.92


def test_arrivals_ahead_rise_to_all_and_their_ends_hold_them() -> None:
    found = forecast(tally(EVENT, drawn(2), 54, 20), CONFIG, after(54), WEEK)
    middle, low, high = found.arrived
    assert middle[0] == pytest.approx(found.share)
    assert middle[-1] == 1
    assert np.all(np.diff(middle) >= -1e-12)
    assert np.all((low <= middle + 1e-12) & (middle <= high + 1e-12))
    assert found.horizon[-1] == 20


def test_words_name_the_share_and_the_day() -> None:
    found = forecast(tally(EVENT, drawn(1), 54, 20), CONFIG, after(54), WEEK)
    assert found.words().startswith(f"{found.share:.0%} of the labels of 2024-02-17 to 2024-02-23")
    assert "; 95% by " in found.words()
    done = forecast(tally(EVENT, drawn(1), 90, 20), CONFIG, after(90), WEEK)
    assert done.words() == "100% of the labels of 2024-02-17 to 2024-02-23 are in"
    young = forecast(tally(EVENT, drawn(1), 10, 20), CONFIG, after(10), ["2024-01-05"])
    assert math.isnan(young.share)
    assert "not known" in young.words()
    nothing = forecast(tally(EVENT, np.full(EVENT.size, np.nan), 54, 20), CONFIG, after(54), WEEK)
    assert nothing.words() == "no label of 2024-02-17 to 2024-02-23 is in, and none is expected"


def test_days_that_differ_more_than_by_chance_are_noticed() -> None:
    assert dispersion(exposure(tally(EVENT, drawn(3), 54, 20))) < 1.9
    assert dispersion(exposure(tally(EVENT, drawn(3, 0.15), 54, 20))) > 2.5


def test_the_query_feeds_it_as_well() -> None:
    delay = drawn(4)
    frame = feedback(DAYS, PER_DAY, delay, np.ones(EVENT.size), 54)
    found = forecast(waits(frame, CONFIG, 54), CONFIG, after(54), WEEK)
    assert found.share == pytest.approx(
        forecast(tally(EVENT, delay, 54, 20), CONFIG, after(54), WEEK).share
    )
    assert found.rows == 280


def test_last_week_is_the_newest_seven_ended_days() -> None:
    keys = [f"2024-02-{day:02d}" for day in range(10, 26)]
    assert last_week(keys, CONFIG, after(54.5)) == WEEK
    assert last_week(keys[:3], CONFIG, after(54.5)) == keys[:3]
    assert last_week(["2024-02-24"], CONFIG, after(54.5)) == []


def test_what_is_not_all_is_not_called_all() -> None:
    assert percent(0.9999) == "99%"
