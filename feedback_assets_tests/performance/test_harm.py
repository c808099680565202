"""Harm is above zero when the metric is worse, whichever way it points."""

import math

import pytest

from feedback_assets.config.schema import Kpi
from feedback_assets.performance.harm import harm, harm_of
from feedback_assets.performance.intervals import UNKNOWN, Interval
from feedback_assets_tests.promotion.loops import loop_config

KPI = Kpi(name="Money", unit="EUR")


def test_an_error_that_grew_and_a_score_that_fell_are_both_harm() -> None:
    error = harm("log_loss", Interval(0.5, 0.45, 0.55), 0.4, 900, KPI)
    assert error.per_row == pytest.approx((0.1, 0.05, 0.15))
    assert error.certain
    assert not error.total.known
    assert error.text == "log_loss 0.1 worse than expected (0.05 to 0.15) on 900 answers"
    score = harm("accuracy", Interval(0.8, 0.75, 0.95), 0.9, 1000, KPI)
    assert score.per_row == pytest.approx((0.1, -0.05, 0.15))
    assert score.total == pytest.approx((100, -50, 150))
    assert not score.certain
    assert score.text == (
        "about 100 more wrong answers among 1,000 (-50 to 150), which may be chance"
    )


def test_value_adds_up_in_the_unit_of_the_business_and_may_be_gained() -> None:
    lost = harm("value", Interval(1.5, 1.25, 1.75), 2.0, 1000, KPI)
    assert lost.unit == "EUR"
    assert lost.text == "about 500 EUR lost on 1,000 answers (250 to 750)"
    gained = harm("value", Interval(3.0, 2.5, 3.5), 2.0, 1000, KPI)
    assert gained.total.value == -1000
    assert not gained.certain
    assert gained.text == "about 1,000 EUR gained on 1,000 answers (500 to 1,500)"


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [(UNKNOWN, 0.4), (Interval(0.5, 0.4, 0.6), None), (Interval(0.5, 0.4, 0.6), math.nan)],
)
def test_what_is_not_known_is_no_harm_and_no_good(estimate, expected) -> None:
    found = harm("brier", estimate, expected, 10, KPI)
    assert not found.per_row.known
    assert not found.certain
    assert found.text == "harm not known: brier or its expected value is missing"


def test_the_value_speaks_where_it_is_known_else_the_gates_metric() -> None:
    config = loop_config(kpi={"unit": "EUR"})
    metrics = {"value": Interval(1.0, 0.9, 1.1), "log_loss": Interval(0.5, 0.4, 0.6)}
    assert harm_of(metrics, {"value": 2.0, "log_loss": 0.4}, 10, config).metric == "value"
    assert harm_of(metrics, {"log_loss": 0.4}, 10, config).metric == "log_loss"
    metrics["value"] = UNKNOWN
    assert harm_of(metrics, {"value": 2.0, "log_loss": 0.4}, 10, config).metric == "log_loss"
