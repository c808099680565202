"""Does the rule for promotions keep its word? Minutes of simulation: make study."""

import numpy as np
import pytest

from benchmarks.gate_retrains import WORLDS, retrain_often
from benchmarks.gate_rules import (
    CAP,
    RETRAINS,
    SCALE,
    STATED,
    day_luck,
    equal_candidates,
    first_promoted,
    labels_needed,
    loop,
    rows,
)
from feedback_assets.promotion.paired import paired
from feedback_assets.promotion.verdict import verdict

pytestmark = pytest.mark.study


def test_an_equal_candidate_watched_after_each_label_is_promoted_in_one_of_twenty_runs():
    found = equal_candidates(loop(), np.random.default_rng(21), runs=1_000)
    assert found["this rule"] <= 0.05
    assert found["paired test, p < 0.05"] > 0.2, "the naive rule is no trap here: a weak test"


def test_two_points_better_is_promoted_within_the_stated_number_of_labels():
    needed = labels_needed(loop(), np.random.default_rng(22), 0.02)
    assert (needed <= STATED).mean() >= 0.9


def test_the_simulated_rule_is_the_rule():
    """Asked by the functions that judge real candidates it promotes at the same label."""
    config = loop()
    d = rows(np.random.default_rng(23), 12, 6_000, 0.02, 0.1)
    for one, at in zip(d, first_promoted(config, d), strict=True):
        if not np.isfinite(at):
            continue
        champion, candidate = np.maximum(one, 0), np.maximum(-one, 0)
        for labels, outcome in ((int(at) - 1, "wait"), (int(at), "promote")):
            found = paired(config, champion[:labels], candidate[:labels], cap=CAP, scale=SCALE)
            assert verdict(config, found, 1_000).outcome == outcome


@pytest.mark.parametrize("labels", [300, 1_000])
@pytest.mark.parametrize("name", WORLDS)
def test_fifty_noisy_retrains_end_better_and_no_worse_than_any_other_rule(name, labels):
    found = retrain_often(loop(), WORLDS[name], labels, RETRAINS, seed=31, runs=60)
    ours = found.pop("this rule")
    assert ours.change > 0
    best = max(found.values(), key=lambda other: other.change)
    # Two standard errors of the simulation.
    assert ours.change >= best.change - 2 * ours.error, found
    assert ours.wrong <= 0.25


@pytest.mark.parametrize("shared", [0.01, 0.03])
def test_days_that_share_their_luck_do_not_promote(shared):
    found = day_luck(loop(), np.random.default_rng(24), shared, again=0.0)
    assert found["day"] <= 0.05
    assert found["row"] > 0.2
