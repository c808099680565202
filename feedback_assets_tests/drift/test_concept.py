import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.concept import (
    BETS,
    CELLS,
    ConceptReference,
    _log_factors,
    concept_counts,
    concept_reference,
    concept_verdicts,
)
from feedback_assets.drift.detectors import Opinion

DRIFT = Drift()
DAYS = [f"2024-01-{day:02}" for day in range(1, 31)]


def rows(seed, days=30, per_day=1_000, changed=99, flip=0.0, swing=0.0):
    """Brier losses of a calibrated score; from a day on, some answers are the other way round."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    score = rng.beta(2, 3, len(day))
    truth = np.where(day >= changed, score + flip * (1 - 2 * score), score)
    truth = np.clip(truth + rng.normal(0, swing, days)[day], 0, 1)
    label = rng.random(len(day)) < truth
    return (label - score) ** 2, score * (1 - score), day


def reference(seed=1_000, **options):
    loss, expected, day = rows(seed, **{"days": 5, **options})
    return concept_reference(loss, expected, DRIFT, day)


def verdicts(ref, stretch, wanted=range(30), opinions=False):
    loss, expected, day = stretch
    counts = concept_counts(ref, loss, expected, day, 30)
    return concept_verdicts(ref, counts, DAYS, DRIFT, wanted, opinions)


def first_alarm(found):
    return next((i for i, day in enumerate(DAYS) if found[day].status == "drift"), None)


def test_a_stable_model_is_left_alone():
    for seed in range(12):
        found = verdicts(reference(1_000 + seed), rows(seed))
        assert {v.status for v in found.values()} <= {"stable", "immaterial"}
        assert first_alarm(found) is None


@pytest.mark.parametrize(("flip", "word"), [(0.35, "higher"), (-0.35, "lower")])
def test_a_change_is_found_within_two_days_and_dated(flip, word):
    for seed in range(6):
        found = verdicts(reference(1_000 + seed), rows(seed, changed=15, flip=flip))
        assert 15 <= first_alarm(found) <= 16
        last = found[DAYS[-1]]
        assert abs(DAYS.index(last.since) - 15) <= 1
        assert last.low <= last.excess <= last.high
        assert last.low * last.high > 0
        assert word in last.reason
        assert last.since in last.reason


def test_a_small_change_is_immaterial():
    found = verdicts(reference(), rows(3, changed=10, flip=0.06))
    last = found[DAYS[-1]]
    assert last.status == "immaterial"
    assert abs(last.excess) < last.margin
    assert last.evidence_changed > math.log(1 / DRIFT.alpha) > last.evidence
    assert last.reason.startswith("change immaterial")


def test_a_change_of_the_features_alone_is_no_concept_drift():
    """Scores nearer to 1/2 lose more, and are expected to."""
    ref = reference()
    rng = np.random.default_rng(5)
    score = rng.beta(8, 8, 30_000)
    loss = ((rng.random(30_000) < score) - score) ** 2
    assert loss.mean() > ref.loss * 1.1
    found = verdicts(ref, (loss, score * (1 - score), np.repeat(np.arange(30), 1_000)))
    assert {v.status for v in found.values()} == {"stable"}


def test_days_that_swing_anyway_raise_the_margin():
    calm, swinging = reference(days=20), reference(days=20, swing=0.08)
    assert swinging.margin > 2 * calm.margin
    assert calm.margin > DRIFT.margin_sd * calm.sd > 5 * calm.noise
    assert swinging.days == 20
    stretch = rows(7, swing=0.08)
    assert first_alarm(verdicts(swinging, stretch)) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1_000), st.floats(0, 0.05))
def test_each_bet_is_fair_at_the_edge_of_the_null(seed, margin):
    """Whatever the cells' chances are, with a mean excess at the margin no bet gains on average."""
    rng = np.random.default_rng(seed)
    ref = ConceptReference(0.1, 0.5, tuple(rng.integers(1, 9, CELLS).tolist()), 0.2, 0.0, margin)
    factors = np.exp(_log_factors(ref, margin))
    assert factors.shape == (CELLS, 2 * len(BETS))
    assert (factors > 0).all()
    values, chances = ref.values, rng.dirichlet(np.ones(CELLS))
    tilted = chances * np.exp(-3 * values)
    tilted /= tilted.sum()
    low, high = sorted([chances @ values, tilted @ values])
    for side, edge in ((slice(0, len(BETS)), 1), (slice(len(BETS), None), -1)):
        target = ref.centre + edge * margin
        if low < target < high:
            share = (target - tilted @ values) / (chances @ values - tilted @ values)
            mixed = share * chances + (1 - share) * tilted
            assert mixed @ factors[:, side] == pytest.approx(1, abs=1e-9)


def test_order_and_batches_of_rows_do_not_matter():
    ref, (loss, expected, day) = reference(), rows(2, changed=12, flip=0.3)
    order = np.random.default_rng(0).permutation(len(day))
    counts = concept_counts(ref, loss, expected, day, 30)
    shuffled = concept_counts(ref, loss[order], expected[order], day[order], 30)
    halves = [
        concept_counts(ref, loss[p], expected[p], day[p], 30) for p in (order[::2], order[1::2])
    ]
    assert (counts == shuffled).all()
    assert (counts == sum(halves)).all()
    alone = concept_verdicts(ref, counts, DAYS, DRIFT, [20])
    every = concept_verdicts(ref, counts, DAYS, DRIFT, range(30))
    assert alone[DAYS[20]] == every[DAYS[20]]
    cut = concept_verdicts(ref, counts[:21], DAYS[:21], DRIFT)
    assert cut == alone


def test_rows_without_a_label_do_not_count_and_few_rows_claim_nothing():
    ref, (loss, expected, day) = reference(), rows(2, per_day=3)
    loss[: len(loss) // 2] = np.nan
    counts = concept_counts(ref, loss, expected, day, 30)
    assert counts.sum() == 45
    last = concept_verdicts(ref, counts, DAYS, DRIFT)[DAYS[-1]]
    assert last.status == "insufficient"
    assert last.reason == "45 mature labels, 55 more needed"
    assert last.evidence == 0
    assert concept_reference(loss[-20:], expected[-20:], DRIFT) is None
    nothing = concept_verdicts(ref, counts * 0, DAYS, DRIFT)[DAYS[-1]]
    assert nothing.status == "insufficient"


def test_a_loss_that_never_varies():
    ref = concept_reference(np.ones(500), np.ones(500), DRIFT)
    counts = concept_counts(ref, np.ones(3_000), np.ones(3_000), np.repeat(np.arange(30), 100), 30)
    last = concept_verdicts(ref, counts, DAYS, DRIFT)[DAYS[-1]]
    assert last.status == "stable"
    assert last.opinions == ()


def test_the_reference_goes_through_json():
    ref = reference()
    assert ConceptReference.from_dict(json.loads(json.dumps(ref.to_dict()))) == ref


def test_second_opinions_see_a_large_change_on_both_sides_and_no_other():
    for flip in (0.5, -0.5):
        found = verdicts(reference(), rows(4, changed=15, flip=flip), [29], opinions=True)
        opinions = found[DAYS[-1]].opinions
        assert [o.name for o in opinions] == ["ADWIN", "Page-Hinkley"]
        assert all(o.day is not None and 15 <= DAYS.index(o.day) <= 19 for o in opinions)
    quiet = [
        o.day
        for seed in range(8)
        for o in verdicts(reference(), rows(seed), [29], opinions=True)[DAYS[-1]].opinions
    ]
    assert quiet.count(None) >= 14
    assert str(Opinion("ADWIN", None)) == "ADWIN: no change"
    assert str(Opinion("ADWIN", "2024-01-16")) == "ADWIN: changed, seen on 2024-01-16"
