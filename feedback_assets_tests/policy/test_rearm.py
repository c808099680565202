"""Hysteresis: a cause that was answered must go away, or grow, before it is one again."""

from dataclasses import replace
from typing import Any

import pytest

from feedback_assets.policy.decide import decide
from feedback_assets.policy.evidence import DriftDay
from feedback_assets_tests.policy.situations import CALM, day, loop

DRIFT = {"drift": {"columns": 2}}
LOSS = {"estimated_loss": {"worse_by": 0.1}}


def drifted(*columns: int) -> list[DriftDay]:
    return [DriftDay(f"2024-03-0{n + 1}", c, float(c), f"d{n}") for n, c in enumerate(columns)]


def losses(*shares: float) -> list[Any]:
    """Days whose log loss is surely worse by these shares of 0.5."""
    ends = [0.5 * (1 + share) for share in shares]
    return [day(f"2024-03-0{n + 1}", (e + 0.1, e, e + 0.2)) for n, e in enumerate(ends)]


def fired(when: Any, rearm: float | None, **evidence: Any) -> dict[str, float]:
    """What the first retrain leaves behind."""
    decision = decide(loop(when, rearm=rearm), replace(CALM, **evidence))
    assert decision.cause
    return dict(decision.fired)


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ((), None),
        ((2, 2), None),  # the drift that was answered goes on
        ((3, 2), None),
        ((1, 2), None),  # half of the threshold is not below half of it
        ((2, 0), None),  # it went away and has not come back
        ((2, 0, 2, 1), "drift:2024-03-03:d2"),  # it came back
        ((2, 5, 5), "drift:2024-03-03:d2"),  # it has more than doubled
    ],
)
def test_drift(columns: tuple[int, ...], key: str | None) -> None:
    before = fired(DRIFT, 0.5, drift=drifted(2))
    now = replace(CALM, drift=drifted(*columns), fired=before)
    decision = decide(loop(DRIFT, rearm=0.5), now)
    assert (decision.run_key or None) == key


def test_it_is_off_unless_asked_for() -> None:
    before = fired(DRIFT, None, drift=drifted(2))
    now = replace(CALM, drift=drifted(2, 2), fired=before)
    assert decide(loop(DRIFT), now).cause == "drift"


def test_another_champion_is_another_matter() -> None:
    before = fired(DRIFT, 0.5, drift=drifted(2))
    now = replace(CALM, drift=drifted(2), fired=before, promoted_since=True)
    assert decide(loop(DRIFT, rearm=0.5), now).cause == "drift"


def test_only_the_condition_that_fired_is_spent() -> None:
    before = fired(DRIFT, 0.5, drift=drifted(2))
    both = {"any": [DRIFT, {"new_labels": 200}]}
    now = replace(CALM, drift=drifted(2), fired=before)
    assert decide(loop(both, rearm=0.5), now).cause == "new labels"
    waits = decide(loop(DRIFT, rearm=0.5), now)
    assert waits.reason == "drift caused the last retrain"
    # Another threshold is another condition.
    assert decide(loop({"drift": {"columns": 1}}, rearm=0.5), now).cause == "drift"


@pytest.mark.parametrize(
    ("shares", "met"),
    [
        ((0.12, 0.15), False),
        ((0.04, 0.12), True),
        ((0.06, 0.12), False),
        ((0.12, 0.25), True),
        ((0.23,), False),
    ],
)
def test_a_loss(shares: tuple[float, ...], met: bool) -> None:
    before = fired(LOSS, 0.5, performance=losses(0.12))
    assert list(before.values()) == [pytest.approx(1.2)]
    now = replace(CALM, performance=losses(*shares), fired=before)
    assert bool(decide(loop(LOSS, rearm=0.5), now).cause) == met


def test_a_streak_is_a_level_too() -> None:
    when = {"sla_streak": 4}
    before = fired(when, 0.5, performance=[day("2024-03-01", streak=4)])

    def again(*streaks: int) -> bool:
        days = [day(f"2024-03-0{n + 1}", streak=s) for n, s in enumerate(streaks)]
        now = replace(CALM, performance=days, fired=before)
        return bool(decide(loop(when, rearm=0.5), now).cause)

    assert not again(5, 6, 7)
    assert again(0, 1, 2, 3, 4)
    assert again(8, 9)


def test_what_is_counted_anew_after_each_retrain_is_never_spent() -> None:
    when = {"any": [{"new_labels": 200}, {"every_days": 10}]}
    assert fired(when, 0.5) == {}
