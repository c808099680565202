"""Delay curves recover known curves from rows that still wait, and agree with outside implementations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.labels.arrival import STEPS
from feedback_assets.labels.curves import group_curves
from feedback_assets.labels.exposure import exposure
from feedback_assets.labels.survival import delay_curve, log_variance, segment_curves
from feedback_assets_tests.labels.delays import after, arrived, feedback, loop, tally, waits

RNG_DAYS, PER_DAY = 90, 200
N = RNG_DAYS * PER_DAY


def lognormal(rng: np.random.Generator) -> np.ndarray:
    return rng.lognormal(1.0, 0.8, N)


def mixture(rng: np.random.Generator) -> np.ndarray:
    quick = rng.random(N) < 0.6
    return np.where(quick, rng.exponential(0.5, N), rng.normal(14, 1, N))


def exponential(rng: np.random.Generator) -> np.ndarray:
    return rng.exponential(4.0, N)


@pytest.mark.parametrize("draw", [exponential, lognormal, mixture])
@pytest.mark.parametrize("never", [0.0, 0.3])
def test_known_curves_are_recovered_though_young_rows_wait(draw, never: float) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    delay = draw(rng)
    truth = np.sort(delay)
    delay = np.where(rng.random(N) < never, np.nan, delay)
    config = loop(30)
    frame = feedback(RNG_DAYS, PER_DAY, delay, np.ones(N), RNG_DAYS)
    curve = delay_curve(waits(frame, config, RNG_DAYS), config)
    for age in (0.25, 1, 2, 5, 10, 13, 14, 15, 20, 29):
        share, low, high = curve.at(age)
        step = round(int(age / 30 * STEPS)) * 30 / STEPS
        expected = (1 - never) * np.searchsorted(truth, step, side="right") / N
        assert share == pytest.approx(expected, abs=0.015)
        assert low <= share <= high
        assert low - 0.006 <= expected <= high + 0.006
    assert curve.plateau == pytest.approx((1 - never) * (truth <= 30).mean(), abs=0.012)


def test_rows_that_wait_are_not_read_as_rows_without_a_label() -> None:
    rng = np.random.default_rng(6)
    delay = rng.exponential(5.0, 40 * 100)
    config = loop(30)
    frame = feedback(40, 100, delay, np.ones(4_000), 40)
    curve = delay_curve(waits(frame, config, 40), config)
    naive = (frame["label_status"] == "accepted").mean()
    assert naive < 0.9
    assert curve.plateau > 0.98


def test_without_rows_old_enough_the_end_is_not_known() -> None:
    config = loop(30)
    frame = feedback(10, 50, np.full(500, 1.5), np.ones(500), 10)
    curve = delay_curve(waits(frame, config, 10), config)
    assert np.isnan(curve.plateau)
    assert curve.at(2)[0] == 1
    assert np.isnan(curve.at(12)).all()
    assert curve.age_at(0.5) == pytest.approx(1.5, abs=30 / STEPS)


def test_rejected_rows_owe_no_label() -> None:
    config = loop(5)
    delay = np.where(np.arange(1_000) % 2, 1.0, np.nan)
    frame = feedback(20, 50, delay, np.ones(1_000), 30)
    frame.loc[frame["label_status"] == "pending", "label_status"] = "rejected"
    assert delay_curve(waits(frame, config, 30), config).plateau == 1


def test_the_curve_is_that_of_statsmodels() -> None:
    from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

    rng = np.random.default_rng(7)
    delay = np.where(rng.random(2_000) < 0.2, np.nan, rng.exponential(6.0, 2_000))
    label = (rng.random(2_000) < 0.3).astype(int)
    config = loop(30)
    frame = feedback(40, 50, delay, label, 40)
    counts = waits(frame, config, 40)
    curve = delay_curve(counts, config)
    rows = counts.loc[counts.index.repeat(counts["n"])]
    step = rows["delay_step"].to_numpy(float, na_value=np.inf)
    age = rows["age_step"].to_numpy(float)
    came = step <= age
    time, group = np.where(came, step, age) + 1, rows["label_group"].to_numpy(object)
    oracle = SurvfuncRight(time, came)
    at = oracle.surv_times.astype(int) - 1
    np.testing.assert_allclose(1 - curve.shares[at], oracle.surv_prob, atol=1e-12)
    log_error = oracle.surv_prob_se / oracle.surv_prob
    assert np.all(np.sqrt(log_variance(exposure(counts)))[at] >= log_error - 1e-9)
    cause = np.where(came, np.where(group == "1", 2, 1), 0)
    causes = CumIncidenceRight(time, cause)
    for position, name in ((0, "0"), (1, "1")):
        ours = curve.outcomes[name][causes.times.astype(int) - 1]
        np.testing.assert_allclose(ours, causes.cinc[position], atol=1e-12)


def test_values_add_up_and_agree_with_the_curves_of_labels_alone() -> None:
    rng = np.random.default_rng(8)
    label = (rng.random(N) < 0.4).astype(int)
    delay = np.where(label == 1, rng.exponential(1.0, N), rng.uniform(5, 25, N))
    config = loop(30)
    frame = feedback(RNG_DAYS, PER_DAY, delay, label, RNG_DAYS)
    curve = delay_curve(waits(frame, config, RNG_DAYS), config)
    np.testing.assert_allclose(sum(curve.outcomes.values()), curve.shares, atol=1e-12)
    assert curve.outcomes["1"][-1] == pytest.approx(0.4, abs=0.015)
    alone = group_curves(arrived(frame, config, RNG_DAYS), config, after(RNG_DAYS))
    for name in ("0", "1"):
        ours = curve.outcomes[name] / curve.outcomes[name][-1]
        np.testing.assert_allclose(ours[::40], np.array(alone[name].shares)[::40], atol=0.02)


def test_segments_have_curves_of_their_own() -> None:
    where = np.where(np.arange(4_000) % 4 == 0, "south", "north")
    delay = np.where(where == "south", 8.0, 2.0)
    config = loop(10)
    frame = feedback(40, 100, delay, np.ones(4_000), 40, region=where)
    curves = segment_curves(waits(frame, config, 40, "region"), config, 5)
    assert list(curves) == ["north", "south"]
    assert [c.age_at(0.5) for c in curves.values()] == pytest.approx([2, 8], abs=10 / STEPS)
    assert len(segment_curves(waits(frame, config, 40, "region"), config, 1)) == 1


def test_days_that_come_together_widen_the_interval() -> None:
    rng = np.random.default_rng(9)
    days, per_day = 40, 100
    config = loop(5)
    alone = np.where(rng.random(days * per_day) < 0.5, 1.0, np.nan)
    by_day = np.repeat(np.where(np.arange(days) % 2, 1.0, np.nan), per_day)
    width = []
    for delay in (alone, by_day):
        frame = feedback(days, per_day, delay, np.ones(delay.size), days + 6)
        _, low, high = delay_curve(waits(frame, config, days + 6), config).at(5)
        width.append(high - low)
    assert width[0] == pytest.approx(2 * 2.02 * 0.5 / np.sqrt(4_000), rel=0.25)
    assert width[1] > 5 * width[0]


def test_studies_count_as_the_query_does() -> None:
    rng = np.random.default_rng(10)
    delay = np.where(rng.random(600) < 0.2, np.nan, rng.exponential(3.0, 600))
    config = loop(10)
    counted = waits(feedback(20, 30, delay, np.ones(600), 15.3), config, 15.3)
    drawn = tally(np.arange(600) / 30, delay, 15.3, 10)
    assert delay_curve(counted, config).shares.tolist() == pytest.approx(
        delay_curve(drawn, config).shares.tolist(), nan_ok=True
    )


def test_the_interval_covers_what_it_says() -> None:
    config, covered, width = loop(10), 0, 0.0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        delay = np.where(rng.random(600) < 0.2, np.nan, rng.exponential(3.0, 600))
        counts = tally(np.arange(600) / 30, delay, 20, 10)
        _, low, high = delay_curve(counts, config).at(4)
        covered += low <= 0.8 * (1 - np.exp(-4 / 3)) <= high
        width += (high - low) / 120
    assert covered / 120 >= 0.92
    assert width == pytest.approx(2 * 1.96 * 0.0198, rel=0.3), "1.96 standard errors each way"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, STEPS), st.integers(-1, STEPS), st.integers(1, 9)), max_size=30
    )
)
def test_a_curve_rises_and_stays_within_its_interval(rows: list[tuple[int, int, int]]) -> None:
    config = loop(30)
    counts = pd.DataFrame(
        {
            "partition_key": [f"2024-01-{1 + i % 9:02d}" for i in range(len(rows))],
            "label_group": ["1" if delay < 400 else None for delay, _, _ in rows],
            "delay_step": [float(delay) if delay < 400 else np.nan for delay, _, _ in rows],
            "age_step": np.array([age for _, age, _ in rows], dtype=np.int64),
            "n": [n for _, _, n in rows],
        }
    )
    curve = delay_curve(counts, config)
    known = np.isfinite(curve.shares)
    assert np.all(np.diff(curve.shares[known]) >= -1e-12)
    assert np.all(curve.low[known] <= curve.shares[known] + 1e-9)
    assert np.all(curve.shares[known] <= curve.high[known] + 1e-9)
    assert np.all((curve.low[known] >= 0) & (curve.high[known] <= 1))
