"""Prediction-powered means: simulated truth, the plain mean where there is no model, words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.labels.ppi import powered_mean
from feedback_assets.performance.intervals import mean_interval
from feedback_assets_tests.labels.powered_worlds import REGIMES, drawn, expected

SHORT = ("uneven", "useless_uneven", "rare_uneven", "loss_uneven")


def coverage(name: str, times: int) -> tuple[float, float]:
    """Share of worlds whose mean lies in the range: with the model, and by labels alone."""
    truth = expected(REGIMES[name])
    found = [drawn(REGIMES[name], seed) for seed in range(times)]
    powered = np.mean([f.mean.low <= truth <= f.mean.high for f in found])
    return float(powered), float(np.mean([f.plain.low <= truth <= f.plain.high for f in found]))


@pytest.mark.study
@pytest.mark.parametrize("name", REGIMES)
def test_ranges_hold_the_truth_95_times_of_100(name: str) -> None:
    powered, _ = coverage(name, 1_000)
    assert 0.93 <= powered <= 0.97


@pytest.mark.parametrize("name", SHORT)
def test_ranges_hold_the_truth_as_often_as_they_say(name: str) -> None:
    powered, _ = coverage(name, 120)
    assert 0.89 <= powered <= 0.995  # three standard errors of 120 worlds


@pytest.mark.parametrize("name", ["uneven", "loss_uneven", "rare_uneven"])
def test_the_mean_is_not_biased_by_what_was_asked(name: str) -> None:
    found, truth = [drawn(REGIMES[name], seed) for seed in range(120)], expected(REGIMES[name])
    for values in ([f.mean.value for f in found], [f.plain.value for f in found]):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert abs(np.mean(values) - truth) < 4 * error


def test_a_good_model_is_worth_labels_and_a_useless_one_costs_none() -> None:
    good = np.median([drawn(REGIMES["uneven"], seed).worth for seed in range(30)])
    useless = np.median([drawn(REGIMES["useless"], seed).worth for seed in range(30)])
    assert good > 1.1 * REGIMES["uneven"].labels
    assert 0.9 * REGIMES["useless"].labels < useless < 1.1 * REGIMES["useless"].labels
    contrary = [drawn(REGIMES["contrary"], seed).power for seed in range(30)]
    assert max(contrary) < 0.2


def test_narrower_than_labels_alone_where_the_model_is_good() -> None:
    rng = np.random.default_rng(0)
    guess = rng.normal(size=5_000)
    truth = guess + 0.3 * rng.normal(size=5_000)
    found = powered_mean(truth[:212], guess[:212], guess)
    assert found.mean.high - found.mean.low < 0.5 * (found.plain.high - found.plain.low)
    assert found.words == f"212 labels gave what {round(found.worth):,} random ones would"
    assert 1_000 < found.worth < 3_000


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 60), st.integers(0, 10_000))
def test_without_a_guess_it_is_the_plain_mean_with_students_range(labels: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=labels)
    many = np.zeros(10**5)
    found = powered_mean(values, np.zeros(labels), many)
    plain = mean_interval(values, 0.95)
    assert found.power == 0
    assert found.mean.value == pytest.approx(values.mean())
    width = (found.mean.high - found.mean.low) / (plain.high - plain.low)
    assert 0.97 < width < 4  # wider only by tails and skewness that the draw happens to show


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 100), st.floats(-5, 5), st.integers(0, 10_000))
def test_it_moves_and_stretches_with_its_quantity(by: float, on: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    guess = rng.gamma(2, size=400)
    truth, chance = guess[:40] + rng.normal(size=40), rng.uniform(0.05, 0.5, 40)
    one = powered_mean(truth, guess[:40], guess, chance)
    other = powered_mean(by * truth + on, by * guess[:40] + on, by * guess + on, chance)
    assert other.power == pytest.approx(one.power, abs=1e-6)
    assert np.array(other.mean) == pytest.approx(by * np.array(one.mean) + on, rel=1e-6, abs=1e-6)
    assert other.worth == pytest.approx(one.worth, rel=1e-6)


def test_every_row_labelled_leaves_only_the_rows_own_chance() -> None:
    values = np.random.default_rng(1).normal(size=500)
    found = powered_mean(values, np.zeros(500), np.zeros(500))
    plain = mean_interval(values, 0.95)
    assert found.mean.value == pytest.approx(values.mean())
    assert found.mean.low == pytest.approx(plain.low, abs=0.01)


def test_all_right_stays_open_below_and_says_nothing_of_its_worth() -> None:
    found = powered_mean(np.ones(50), np.full(50, 0.9), np.full(900, 0.9), share=True)
    assert found.mean.value == 1
    assert 0.8 < found.mean.low < 0.95
    assert "cannot be told yet" in found.words


@pytest.mark.parametrize(
    ("labels", "rows", "chance", "words"),
    [(9, 100, 0.1, "9 labels of 100"), (20, 10, 0.1, "20 labels of 10"), (20, 100, 0, "positive")],
)
def test_what_cannot_be_told_is_refused(labels: int, rows: int, chance: float, words: str) -> None:
    some = np.zeros(labels)
    with pytest.raises(ValueError, match=words):
        powered_mean(some, some, np.zeros(rows), np.full(labels, chance))
