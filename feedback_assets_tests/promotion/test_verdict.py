"""Promote, wait, reject or take back: by proof, by worth, and never by chance alone."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from feedback_assets.promotion.paired import Paired
from feedback_assets.promotion.utility import break_even, expected_utility, shrunk_gain
from feedback_assets.promotion.verdict import proven, verdict, watch_verdict, weakest
from feedback_assets_tests.promotion.loops import loop_config

BAR = math.log(20)


def seen(**changes: Any) -> Paired:
    """Evidence that is good in every respect."""
    return replace(
        Paired(
            metric="accuracy", unit="row", labels=4_000, days=0, champion_loss=0.2,
            candidate_loss=0.18, gain=0.02, error=0.005, lower=0.004, upper=0.035,
            log_better=BAR + 1, log_safe=BAR + 2, log_worse=-4.0, cap=1.0, scale=0.2,
        ),
        **changes,
    )  # fmt: skip


def judged(paired: Paired, volume: float | None = 1_000, **decide: Any) -> Any:
    return verdict(loop_config(gate={"metric": "accuracy"}, decide=decide), paired, volume)


def test_what_is_safe_better_and_worth_it_is_promoted() -> None:
    found = judged(seen())
    assert (found.outcome, found.rule) == ("promote", "safe, better and worth it")
    assert "gain 0.02 (0.004 to 0.035) on 4,000 labels" in found.reason
    assert "20 reached" in found.reason
    assert found.numbers["utility"] > 0
    assert 0 < found.numbers["shrunk_gain"] < 0.02


@pytest.mark.parametrize(
    ("changes", "outcome", "rule"),
    [
        ({"labels": 199}, "wait", "too few labels"),
        ({"labels": 0, "gain": math.nan, "error": math.nan}, "wait", "too few labels"),
        ({"log_safe": BAR - 0.01}, "wait", "not proven safe"),
        ({"log_better": BAR - 0.01}, "wait", "safe, not proven better"),
        ({"log_worse": BAR}, "reject", "proven worse"),
        ({"upper": -0.001}, "reject", "not worth it"),
        ({"gain": -0.001}, "wait", "better, not worth the switch"),
        ({"error": math.nan}, "wait", "better, not worth the switch"),
    ],
)  # fmt: skip
def test_each_condition_alone_stands_in_the_way(changes, outcome, rule) -> None:
    found = judged(seen(**changes))
    assert (found.outcome, found.rule) == (outcome, rule)
    assert found.to_dict()["numbers"]["labels"] == seen(**changes).labels


def test_a_switch_that_costs_more_than_it_brings_is_not_made() -> None:
    gained = expected_utility(loop_config().decide, judged(seen()).numbers["shrunk_gain"], 30_000)
    assert judged(seen(), switching_cost=gained * 0.9).outcome == "promote"
    dear = judged(seen(), switching_cost=gained * 1.1)
    assert (dear.outcome, dear.rule) == ("wait", "better, not worth the switch")
    hopeless = judged(seen(), switching_cost=30_000 * 0.036)
    assert (hopeless.outcome, hopeless.rule) == ("reject", "not worth it")
    worth = judged(seen(), switching_cost=gained * 1.1, value=2.0)
    assert worth.outcome == "promote"


def test_the_volume_is_asked_for_only_where_it_matters() -> None:
    assert judged(seen(), None).outcome == "promote"
    unknown = judged(seen(), None, switching_cost=1.0)
    assert (unknown.outcome, unknown.rule) == ("wait", "volume not known")
    assert judged(seen(), None, switching_cost=1.0, rows_per_day=1_000).outcome == "promote"
    assert judged(seen(), None).to_dict()["numbers"]["utility"] is None


def test_a_promotion_is_taken_back_on_proof_only() -> None:
    config = loop_config()
    assert watch_verdict(config, seen(log_worse=BAR)).outcome == "rollback"
    assert watch_verdict(config, seen(log_worse=BAR - 0.01, gain=-0.5)).outcome == "wait"
    few = watch_verdict(config, seen(log_worse=BAR, labels=99))
    assert (few.outcome, few.rule) == ("wait", "too few labels")


def test_the_weakest_makes_room() -> None:
    trials = {
        "3": seen(gain=0.01, error=0.01), "4": seen(gain=0.02, error=0.04),
        "5": seen(labels=0, gain=math.nan, error=math.nan),
    }  # fmt: skip
    assert weakest(trials) == "5"
    assert weakest({**trials, "6": seen(gain=-0.01)}) == "6"
    with pytest.raises(ValueError, match="empty"):
        weakest({})


def test_small_evidence_is_believed_in_part() -> None:
    assert shrunk_gain(0.02, 0.0, 0.004) == pytest.approx(0.02)
    assert shrunk_gain(0.02, 0.004, 0.004) == pytest.approx(0.01)
    assert shrunk_gain(0.02, 0.004, 0.0) == 0
    costs = loop_config(decide={"switching_cost": 30.0, "value": 2.0}).decide
    assert break_even(costs, 1_500.0) == pytest.approx(0.01)
    assert break_even(costs, math.nan) == math.inf
    assert break_even(loop_config().decide, math.nan) == 0


def test_both_proofs_are_needed() -> None:
    found = proven(np.array([BAR, BAR, 0.0]), np.array([BAR, 0.0, BAR]), 0.05)
    assert found.tolist() == [True, False, False]
