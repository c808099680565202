"""What is asked: as often as stated, each row once, near duplicates once, an even audit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.review import DEFAULT_MIX, Review
from feedback_assets.querying.chances import inclusion_in_order
from feedback_assets.querying.mix import _drawn, choose, inclusion
from feedback_assets_tests.querying.pools import EVERY, pool_of

DRAWS = 4_000


def frequencies(review, pool, size):
    """How often each row comes in, as an audit row, and for each strategy, over many draws."""
    plan = inclusion_in_order(review, pool, size)
    rng, n = np.random.default_rng(5), len(pool)
    whole, by = np.zeros(n), {name: np.zeros(n) for name in [*plan.strategies, "audit"]}
    for _ in range(DRAWS):
        at, strategy = _drawn(plan, min(size, n), rng)
        assert np.unique(at).size == at.size == min(size, n)
        whole[at] += 1
        for name, counts in by.items():
            counts[at[strategy == name]] += 1
    return plan, whole / DRAWS, {name: counts / DRAWS for name, counts in by.items()}


def agree(found, stated):
    error = np.sqrt(np.maximum(stated * (1 - stated), 0) / DRAWS) + 1e-12
    score = (found - stated) / error
    return np.abs(score[stated < 1]).max(initial=0) < 4.5 and (found[stated >= 1] == 1).all()


@pytest.mark.parametrize(
    ("review", "n", "size"),
    [
        (EVERY, 70, 20),
        (Review(), 80, 30),
        (Review(audit_share=0.5, mix={"entropy": 1}), 40, 11),
        (Review(audit_share=1), 30, 7),
        (Review(audit_share=0.05, mix={"drifted": 1}), 50, 20),  # more questions than drifted rows
        (Review(mix={"committee": 1}), 40, 38),
    ],
)
def test_rows_come_in_as_often_as_their_stated_chance(review, n, size):
    only = np.arange(n) % 9 == 0
    plan, found, by = frequencies(review, pool_of(n, audit_only=only), size)
    assert plan.probability.sum() == pytest.approx(size)
    assert agree(found, plan.probability)
    assert agree(by["audit"], np.full(n, plan.audit))
    for name, chance in plan.strategies.items():
        assert agree(by[name], chance * (1 - plan.audit))
    assert all((chance[only] == 0).all() for chance in plan.strategies.values())


def test_a_batch_states_the_chances_of_its_plan():
    pool = pool_of(200)
    plan, chosen = inclusion(EVERY, pool, 40), choose(EVERY, pool, 40, seed=1)
    assert np.allclose(chosen.probability, plan.probability[chosen.positions])
    assert chosen.positions.size == np.unique(chosen.positions).size == 40
    assert (np.diff(chosen.priority) <= 0).all()
    assert all(isinstance(text, str) and text for text in chosen.reason)


@given(
    st.integers(0, 60),
    st.integers(0, 80),
    st.integers(0, 4),
    st.floats(0.01, 1),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
@settings(max_examples=120, deadline=None)
def test_any_pool_and_size_give_a_batch(n, size, width, audit, copies, seed):
    pool = pool_of(n, seed=seed, width=width, copies=copies if width else 0)
    review = EVERY.model_copy(update={"audit_share": audit})
    plan, chosen = inclusion(review, pool, size), choose(review, pool, size, seed)
    assert chosen.positions.size == np.unique(chosen.positions).size == min(n, size)
    assert plan.probability.sum() == pytest.approx(min(n, size))
    if size:
        assert (plan.probability > 0).all()
        assert (plan.probability <= 1).all()
        assert (plan.audit > 0) or n == 0
        usual = min(n, size) / max(n, 1)
        assert (usual / plan.probability).max(initial=0) <= 1 / audit + 1e-9


def test_the_order_of_rows_changes_nothing_and_the_seed_does():
    pool = pool_of(150)
    mixed = np.random.default_rng(0).permutation(150)
    one, other = choose(EVERY, pool, 30, 4), choose(EVERY, pool.take(mixed), 30, 4)
    assert pool.ids[one.positions].tolist() == pool.ids[mixed][other.positions].tolist()
    assert np.array_equal(one.probability, other.probability)
    assert one.strategy.tolist() == other.strategy.tolist()
    assert set(choose(EVERY, pool, 30, 5).positions) != set(one.positions)


def test_of_near_duplicates_strategies_ask_one():
    pool = pool_of(400, copies=0.5, segments=None, drifted=None)
    for seed in range(30):
        chosen = choose(EVERY, pool, 80, seed)
        asked = chosen.positions[chosen.strategy != "audit"]
        assert (asked < 200).sum() <= 1


def test_near_duplicates_do_not_crowd_out_the_others():
    """Half of the rows are one uncertain row; without suppression they would get most questions."""
    pool = pool_of(400, copies=0.5)
    sure = np.tile([0.5, 0.5], (400, 1))
    sure[200:] = [0.8, 0.2]
    plan = inclusion(Review(mix={"entropy": 1}), replace(pool, probabilities=sure), 80)
    assert plan.strategic[:200].sum() <= 1
    assert plan.strategic[200:].sum() >= 63


def test_questions_follow_the_shares_of_the_mix():
    pool = pool_of(3_000, copies=0)
    review = Review(mix={"entropy": 3, "diversity": 1}, audit_share=0.2)
    plan = inclusion(review, pool, 100)
    assert plan.strategies["entropy"].sum() == pytest.approx(60, rel=0.05)
    assert plan.strategies["diversity"].sum() == pytest.approx(20, rel=0.05)
    assert plan.audit == pytest.approx(20 / 2_920)


def test_uncertain_rows_are_asked_more():
    pool = pool_of(3_000, copies=0)
    chance = inclusion(Review(mix={"entropy": 1}), pool, 100).strategic
    unsure = np.abs(pool.probabilities[:, 1] - 0.5) < 0.1
    sure = np.abs(pool.probabilities[:, 1] - 0.5) > 0.4
    assert chance[unsure].mean() > 3 * chance[sure].mean()


def test_small_clusters_are_covered():
    rng = np.random.default_rng(0)
    space = rng.normal(size=(2_000, 4)).astype(np.float32)
    space[:8] += 30
    pool = pool_of(2_000, copies=0, space=space)
    chance = inclusion(Review(mix={"diversity": 1}), pool, 60).strategic
    assert chance[:8].mean() > 2 * chance[8:].mean()


def test_drifted_rows_and_rows_outside_the_training_data_are_covered():
    pool = pool_of(1_000, copies=0)
    new = pool.novelty >= 0.999
    pool.novelty[3] = 1.0
    chance = inclusion(Review(mix={"drifted": 1}), pool, 50).strategic
    wanted = pool.drifted | new
    wanted[3] = True
    assert (chance[wanted] > 0).all()
    assert (chance[~wanted] == 0).all()


def test_every_segment_gets_its_part():
    n = 1_000
    segments = pd.DataFrame({"c": np.where(np.arange(n) < 20, "rare", "common")})
    pool = pool_of(n, copies=0, segments=segments)
    chance = inclusion(Review(mix={"stratified": 1}, audit_share=0.2), pool, 25).strategic
    assert chance[:20].sum() == pytest.approx(chance[20:].sum(), rel=0.01)


@pytest.mark.parametrize("mix", [DEFAULT_MIX, {"drifted": 1}, {"committee": 1}, {"stratified": 1}])
def test_what_has_nothing_to_say_leaves_its_share_to_the_others(mix):
    bare = pool_of(
        300,
        copies=0,
        segments=None,
        drifted=None,
        drifted_why=None,
        disagreement=None,
        novelty=None,
    )
    plan = inclusion(Review(mix=mix, audit_share=0.2), bare, 50)
    assert plan.probability.sum() == pytest.approx(50)
    assert plan.questions == 40
    silent = {"drifted", "committee", "stratified"}
    assert not silent & set(plan.strategies)


def test_a_regression_loop_is_asked_without_probabilities():
    review = Review(
        mix={
            "committee": 1,
            "density": 1,
            "diversity": 1,
            "stratified": 1,
            "drifted": 1,
            "random": 1,
        }
    )
    chosen = choose(review, pool_of(500, probabilities=None), 60, 0)
    assert set(chosen.strategy) == {*review.mix, "audit"}


@pytest.mark.parametrize(
    "odd",
    [
        {"probabilities": np.full((90, 2), np.nan)},
        {"probabilities": np.ones((90, 1))},
        {"probabilities": np.tile([1.0, 0.0], (90, 1))},
        {"disagreement": np.full(90, np.nan), "novelty": np.full(90, np.nan)},
        {"disagreement": np.zeros(90)},
        {"space": np.full((90, 3), np.nan, np.float32)},
        {"space": np.zeros((90, 3), np.float32)},
        {"space": np.zeros((90, 0), np.float32)},
        {"space": np.full((90, 3), np.inf, np.float32)},
        {"segments": pd.DataFrame({"c": [None] * 90, "x": [np.nan] * 90})},
        {"audit_only": np.ones(90, bool)},
        {"drifted_why": None},
    ],
)
def test_odd_values_are_drawn_from_as_well(odd):
    chosen = choose(EVERY, pool_of(90, **odd), 20, 0)
    assert chosen.positions.size == 20
    assert np.isfinite(chosen.probability).all()


def test_a_row_without_probabilities_is_wanted_like_a_usual_one():
    pool = pool_of(200, copies=0)
    pool.probabilities[:50] = np.nan
    chance = inclusion(Review(mix={"entropy": 1}), pool, 40).strategic
    assert chance[:50].mean() == pytest.approx(chance[50:].mean(), rel=0.2)


def test_what_people_get_done_of_a_batch_is_a_fair_part_of_it():
    """Had audit rows or sure rows come last, a half answered batch would judge wrongly."""
    pool = pool_of(400, copies=0)
    audits = []
    for seed in range(60):
        chosen = choose(EVERY, pool, 60, seed)
        audits.append(
            (chosen.strategy[:30] == "audit").sum() - 0.5 * (chosen.strategy == "audit").sum()
        )
    assert abs(np.mean(audits)) < 4 * np.std(audits) / np.sqrt(60)


def test_no_chance_is_a_rounding_more_than_certain():
    for n in range(30, 120, 3):
        for size in (n - 1, n - 5, n // 2):
            plan = inclusion(EVERY, pool_of(n, seed=n), size)
            assert plan.probability.max() <= 1


def test_weights_by_the_stated_chance_find_the_mean_of_all_rows():
    """The point of knowing chances: rows asked for a reason still tell of all rows."""
    pool = pool_of(600, copies=0.3)
    truth = (pool.probabilities[:, 1] > 0.5) + pool.space[:, 1]
    plan = inclusion_in_order(EVERY, pool, 60)
    rng = np.random.default_rng(0)
    weighted, plain = [], []
    for _ in range(1_500):
        at, _ = _drawn(plan, 60, rng)
        weighted.append((truth[at] / plan.probability[at]).sum() / 600)
        plain.append(truth[at].mean())
    error = np.std(weighted) / np.sqrt(1_500)
    assert abs(np.mean(weighted) - truth.mean()) < 4 * error
    assert abs(np.mean(plain) - truth.mean()) > 8 * np.std(plain) / np.sqrt(1_500)


def test_rows_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="novelty has 3 rows, ids has 5"):
        pool_of(5, novelty=np.zeros(3))
    with pytest.raises(ValueError, match="twice"):
        pool_of(2, ids=np.array(["a", "a"]))


def test_reasons_say_what_a_person_can_use():
    pool = pool_of(2_000, copies=0)
    chosen = choose(EVERY, pool, 400, 0)
    said = {name: chosen.reason[chosen.strategy == name][0] for name in set(chosen.strategy)}
    assert "likeliest answer has" in said["entropy"]
    assert "disagree, more than on" in said["committee"]
    assert "rows unlike the others" in said["diversity"]
    assert "every segment" in said["stratified"]
    assert " = " in said["stratified"]
    assert said["drifted"].endswith("has drifted")
    assert said["audit"].startswith("drawn evenly from all rows")
