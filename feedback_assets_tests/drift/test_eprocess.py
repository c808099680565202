"""The e-process keeps its word: small when nothing material changed, whoever looks whenever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from feedback_assets.drift.bets import RECENT, Sample, growth
from feedback_assets.drift.bounds import (
    binary_divergence,
    mean_beyond,
    share_believed,
    share_beyond,
)
from feedback_assets.drift.ebh import e_bh
from feedback_assets.drift.eprocess import CAP, evidence, first_day, once, stakes

TENTHS = np.array([*[0.1] * 10, 0.0, 0.0])
WAYS = np.array([0.97, 0.0, 0.0, 0.03, 0.0])


def sample(ref, days, ref_ways=None, ways=None, ordered=True):
    """One hypothesis of 12 ordered cells and 5 ways of having no value."""
    ref, days = np.asarray(ref, float), np.asarray(days, float)
    ref_ways = np.append(ref.sum(), np.zeros(4)) if ref_ways is None else ref_ways
    ways = np.pad(days.sum(1)[:, None], ((0, 0), (0, 4))) if ways is None else ways
    one = (ref, days, np.ones(len(ref)), np.asarray(ref_ways, float), np.asarray(ways, float))
    return Sample(ordered, *(side[None] for side in one))


def factors(logs, p):
    """Mean of each bet's factor for one row drawn from `p`."""
    return np.exp(logs).T @ p


def tilted(q, score, divergence):
    """The distribution nearest to `q` along a score, `divergence` nats away from it."""
    low, high = 0.0, 50.0
    for _ in range(60):
        theta = (low + high) / 2
        p = q * np.exp(theta * (score - score.max()))
        p /= p.sum()
        far = (p * np.log(np.maximum(p, 1e-300) / q)).sum() > divergence
        low, high = (low, theta) if far else (theta, high)
    return p


@pytest.mark.parametrize("ordered", [True, False])
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.002, 0.5))
def test_no_bet_gains_on_average_within_the_margin(ordered, seed, margin):
    """The whole guarantee: under any distribution within the margin each factor's mean is ≤ 1."""
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.ones(12)) * 0.98 + 0.02 / 12
    single = sample(1e7 * q, np.eye(12), ordered=ordered)
    logs, shares = growth(single, np.array([margin]), np.array([margin]))
    assert shares.sum() == pytest.approx(1)
    bets = logs[0][:, :-1]
    for score in (*np.eye(12), rng.normal(size=12), np.arange(12.0), -np.arange(12.0)):
        assert factors(bets, tilted(q, score, margin)).max() <= 1 + 2e-3
    assert factors(bets, q).max() <= 1 + 1e-9


def test_the_bet_on_recent_days_does_not_gain_within_the_margin():
    rng = np.random.default_rng(0)
    ref = rng.multinomial(5000, TENTHS).astype(float)
    q, margin = (ref + 0.5) / (ref + 0.5).sum(), 0.02
    moved = rng.multinomial(1000, tilted(q, np.arange(12.0), 0.2)).astype(float)
    logs = np.array([
        growth(sample(ref, np.vstack([moved, row])), np.array([margin]), np.array([margin]))[0][0, 1, -1]
        for row in np.eye(12)
    ])  # fmt: skip
    assert logs.max() > 0.1
    for score in (*np.eye(12), *rng.normal(size=(50, 12))):
        p = tilted(q, score, margin * 0.9)
        if (q * np.log(q / np.maximum(p, 1e-300))).sum() <= margin:
            assert np.exp(logs) @ p <= 1


def test_the_bet_on_recent_days_gains_nothing_at_the_edge_and_something_beyond():
    """The edge nearest to what was bet is where it breaks even: no better bet is allowed."""
    q, margin = np.full(12, 1 / 12), 0.02
    moved = 1e6 * tilted(q, np.arange(12.0), 0.3)
    ref = 1e12 * q
    logs = np.array([
        growth(sample(ref, np.vstack([moved, row])), np.array([margin]), np.array([margin]))[0][0, 1, -1]
        for row in np.eye(12)
    ])  # fmt: skip
    bet, low, high = moved / moved.sum(), 0.0, 1.0
    for _ in range(60):
        w = (low + high) / 2
        edge = q + w * (bet - q)
        low, high = (w, high) if (q * np.log(q / edge)).sum() < margin else (low, w)
    assert np.exp(logs) @ edge == pytest.approx(1, abs=1e-3)
    assert np.exp(logs) @ q < 1
    assert np.exp(logs) @ bet > 1.05


def test_a_clean_process_rarely_reaches_one_over_a():
    """Ville's inequality, at the margin itself, where the guarantee is nearly used up."""
    rng = np.random.default_rng(1)
    q = np.full(12, 1 / 12)
    edge = tilted(q, np.r_[np.linspace(-1.5, 1.5, 10), -1.5, 1.5], 0.005)
    reached = 0
    for _ in range(60):
        days = rng.multinomial(1000, edge, size=60)
        logs, shares = growth(sample(1e6 * q, days), np.array([0.005]), np.array([0.005]))
        reached += evidence(logs, shares, 0, range(60), 90).max() > np.log(10)
    assert reached <= stats.binom.ppf(0.999, 60, 0.1)


def test_stakes_add_up_to_one_over_all_days():
    assert stakes(0, 10**6).sum() == pytest.approx(1, abs=1e-4)
    assert stakes(3, 9).tolist() == stakes(0, 9)[3:].tolist()


def moved_days(n=40, at=25, seed=2):
    rng = np.random.default_rng(seed)
    q = np.full(10, 0.1)
    shifted = tilted(q, np.arange(10.0), 0.06)
    days = [rng.multinomial(500, shifted if t >= at else q) for t in range(n)]
    return np.pad(np.array(days), ((0, 0), (0, 2)))


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 39), min_size=1), st.integers(9, 60))
def test_the_value_of_a_day_does_not_depend_on_which_others_are_asked(wanted, window):
    days = moved_days()
    wanted = sorted(wanted)
    margin = np.array([0.005])
    every, shares = growth(sample(5000 * TENTHS, days), margin, margin)
    whole = evidence(every, shares, 0, range(40), window)[0, wanted]
    low = max(0, wanted[0] - window + 1 - RECENT)
    part, _ = growth(sample(5000 * TENTHS, days[low : wanted[-1] + 1]), margin, margin)
    assert evidence(part, shares, low, wanted, window)[0] == pytest.approx(whole, abs=1e-9)


def test_a_change_is_dated_and_a_return_believed():
    days = np.concatenate([moved_days(), moved_days(at=99, seed=3)])
    margin = np.array([0.005])
    logs, shares = growth(sample(5000 * TENTHS, days), margin, margin)
    found = evidence(logs, shares, 0, range(80), 90)[0]
    assert found[24] < 1
    assert found[27] > np.log(1000)
    assert np.log(CAP) < found.max() <= np.log(125 * CAP)
    assert found[45] < 0
    assert first_day(logs[0, :30], shares[0], days[:30].sum(1), 0) in {24, 25, 26}
    assert first_day(logs[0, :40], shares[0], days[:40].sum(1), 0) in {24, 25, 26}


def test_days_without_rows_change_nothing_and_are_no_first_day():
    days = moved_days()
    gap = np.concatenate([days[:25], np.zeros((10, 12)), days[25:]])
    margin = np.array([0.005])
    logs, shares = growth(sample(5000 * TENTHS, gap), margin, margin)
    assert np.abs(logs[0, 25:35]).max() == 0
    assert first_day(logs[0, :38], shares[0], gap[:38].sum(1), 0) == 35


def test_days_that_say_nothing_are_dated_by_the_stake_alone():
    assert first_day(np.zeros((9, 3)), np.array([0.5, 0.5, 0.0]), np.ones(9), 4) == 0


def test_one_day_alone_is_the_mean_of_its_bets():
    margin = np.array([0.005])
    logs, shares = growth(sample(5000 * TENTHS, moved_days()[30:31]), margin, margin)
    expected = np.log((np.exp(logs[0, 0]) * shares[0]).sum())
    assert once(logs[:, 0], shares)[0] == pytest.approx(expected)


def test_a_reference_without_rows_bets_on_nothing():
    margin = np.array([0.005])
    logs, shares = growth(sample(np.zeros(12), moved_days()), margin, margin)
    assert np.isfinite(logs).all()
    assert evidence(logs, shares, 0, range(40), 90).max() <= 0


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(1e-4, 3))
def test_bounds_are_where_the_divergence_is_the_margin(share, epsilon):
    q, eps = np.array(share), np.array(epsilon)
    for upwards in (True, False):
        p = share_beyond(q, eps, upwards)
        believed = share_believed(q, eps, upwards)
        for found, other in (
            (p, binary_divergence(p, q)),
            (believed, binary_divergence(q, believed)),
        ):
            assert 0 <= found <= 1
            assert (found >= q) if upwards else (found <= q)
            if 1e-6 < found < 1 - 1e-6 and 1e-6 < share < 1 - 1e-6:
                assert other == pytest.approx(epsilon, rel=1e-4)


def test_the_belief_of_a_share_of_nothing_is_the_rule_of_three_and_a_half():
    z = stats.norm.ppf(0.975)
    upper = share_believed(np.array(0.0), np.array(z**2 / 2 / 1000), True)
    assert upper == pytest.approx(1 - np.exp(-(z**2) / 2000), abs=1e-9)


def test_the_largest_mean_is_that_of_the_normal():
    at = np.linspace(-6, 6, 2001)
    q = stats.norm.pdf(at) / stats.norm.pdf(at).sum()
    found = mean_beyond(at, q, np.array(0.3**2 / 2))
    assert found == pytest.approx(0.3, abs=1e-4)


def brute_e_bh(e, alpha):
    order = np.argsort(-e)
    best = max(
        (k for k in range(1, len(e) + 1) if e[order[k - 1]] >= len(e) / (k * alpha)), default=0
    )
    return np.isin(np.arange(len(e)), order[:best])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(0, 500), max_size=12, unique=True), st.floats(0.01, 0.5))
def test_e_bh_is_its_definition(values, alpha):
    e = np.array(values)
    with np.errstate(divide="ignore"):
        assert e_bh(np.log(e), alpha).tolist() == brute_e_bh(e, alpha).tolist()


def test_e_bh_never_rejects_what_is_not_known():
    assert e_bh([np.nan, 50.0], 0.1).tolist() == [False, True]


def test_e_bh_holds_the_share_of_false_alarms():
    rng = np.random.default_rng(0)
    false = []
    for _ in range(400):
        z = rng.normal(size=50) + 4 * (np.arange(50) < 5)
        found = e_bh(3 * z - 4.5, 0.1)
        false.append(found[5:].sum() / max(found.sum(), 1))
    assert np.mean(false) <= 0.1
