import hmac
import math
from collections import Counter

import pytest
from scipy.stats import chi2_contingency

from feedback_assets.config.serve import Routing
from feedback_assets.serving import routing
from feedback_assets.serving.routing import BUCKETS, Draw, Router, salt

N = 100_000
STICKS = [f"customer-{i}" for i in range(N)]


def shares(router: Router) -> tuple[list[bool], list[bool]]:
    return [router.in_shadow(s) for s in STICKS], [router.in_canary(s) for s in STICKS]


def dependence(router: Router) -> float:
    """p-value of shadow and canary being independent."""
    table = Counter(zip(*shares(router), strict=True))
    cells = [[table[a, b] for b in (False, True)] for a in (False, True)]
    return float(chi2_contingency(cells).pvalue)


def test_shares_are_what_was_asked_for() -> None:
    for seen, share in zip(shares(Router("shop", Routing())), (0.05, 0.10), strict=True):
        error = math.sqrt(share * (1 - share) / N)
        assert abs(sum(seen) / N - share) < 4 * error


def test_shadow_and_canary_are_independent() -> None:
    assert dependence(Router("shop", Routing())) > 1e-4


def test_one_salt_for_all_kinds_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        routing, "salt", lambda loop, experiment, kind: salt(loop, experiment, "shadow")
    )
    assert dependence(Router("shop", Routing())) < 1e-100


def test_buckets_are_even() -> None:
    draw = Draw("shop", "1", "explore")
    seen = Counter(draw.bucket(stick) * 10 // BUCKETS for stick in STICKS)
    assert set(seen) == set(range(10))
    assert sum((n - N / 10) ** 2 / (N / 10) for n in seen.values()) < 33  # chi2(9), p = 1e-4


def test_a_stick_keeps_its_arm_across_restarts() -> None:
    assert shares(Router("shop", Routing())) == shares(Router("shop", Routing()))
    draw = Draw("shop", "1", "canary")
    assert [draw.bucket(s) for s in ("a", "b", "日本")] == [8018, 4044, 9196]


def test_a_larger_share_keeps_those_who_were_in_the_smaller() -> None:
    small = Router("shop", Routing(canary_percent=5))
    large = Router("shop", Routing(canary_percent=20))
    assert all(large.in_canary(s) for s in STICKS if small.in_canary(s))


@pytest.mark.parametrize(
    "other", [Router("other", Routing()), Router("shop", Routing(experiment="2"))]
)
def test_another_loop_or_experiment_draws_anew(other: Router) -> None:
    one = [Router("shop", Routing()).in_canary(s) for s in STICKS]
    both = sum(a and other.in_canary(s) for a, s in zip(one, STICKS, strict=True))
    assert abs(both / N - 0.01) < 4 * math.sqrt(0.01 * 0.99 / N)


def test_salts_cannot_be_mixed_up() -> None:
    kinds = ("shadow", "canary", "explore")
    salts = {salt(loop, e, k) for loop in ("a", "ab") for e in ("b", "") for k in kinds}  # type: ignore[arg-type]
    assert len(salts) == 12


@pytest.mark.parametrize("percent", [0, 100, 0.01, 0.07, 0.29])
def test_percentages_are_exact_in_buckets(percent: float) -> None:
    router, draw = Router("shop", Routing(canary_percent=percent)), Draw("shop", "1", "canary")
    inside = {draw.bucket(s) for s in STICKS if router.in_canary(s)}
    assert {b for b in inside if b < 40} == set(range(min(40, round(percent * 100))))
    assert not inside or max(inside) < round(percent * 100)


def test_it_is_hmac_sha256() -> None:
    expected = hmac.digest(salt("shop", "1", "canary"), "日本".encode(), "sha256")
    assert Draw("shop", "1", "canary").digest("日本") == expected
