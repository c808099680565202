"""How risky a promotion is, and when it needs nobody."""

from dataclasses import replace
from typing import Any

import pytest

from feedback_assets.config.rollout import RISKS, Risk
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.risk import alone, assess
from feedback_assets_tests.policy.situations import moment
from feedback_assets_tests.promotion.loops import loop_config
from feedback_assets_tests.promotion.suites import spoilt, suite, without_champion

PASSED = GateCheck("latency", True, 1.0, 2.0, "fast")
OVERRIDDEN = replace(PASSED, overridden_by="ann")
CHANGED = spoilt("churn.changed_share", 0.2)


@pytest.mark.parametrize(
    ("own", "found", "check", "risk"),
    [
        ("low", suite(), PASSED, "low"),
        ("low", suite(), OVERRIDDEN, "medium"),
        ("low", CHANGED, PASSED, "medium"),
        ("low", CHANGED, OVERRIDDEN, "high"),
        ("medium", CHANGED, PASSED, "high"),
        ("high", CHANGED, OVERRIDDEN, "high"),
        ("low", suite(churn=None), PASSED, "medium"),  # not known is no reassurance
        ("low", without_champion(), PASSED, "low"),  # there were no answers to change
    ],
)
def test_each_thing_out_of_the_ordinary_is_a_step(
    own: Risk, found: dict[str, Any], check: GateCheck, risk: Risk
) -> None:
    said = assess(loop_config(approval={"risk": own}), found, (PASSED, check))
    assert said.risk == risk
    assert said.why[0] == f"approval.risk is {own}"


def test_it_says_why() -> None:
    why = assess(loop_config(), CHANGED, (OVERRIDDEN,)).why
    assert why[1] == "overridden: latency by ann"
    assert why[2].startswith("20% of answers change")


def test_the_highest_risk_without_people() -> None:
    now = moment("2024-03-15T10:00")
    for automatic in RISKS:
        config = loop_config(approval={"automatic": automatic})
        allowed = [risk for risk in RISKS if alone(config, risk, now)[0]]
        assert allowed == list(RISKS[: RISKS.index(automatic) + 1])
    never = loop_config(approval={"automatic": None})
    assert [alone(never, risk, now)[0] for risk in RISKS] == [False] * 3


@pytest.mark.parametrize(
    ("when", "allowed"),
    [
        ("2024-10-02T10:00", True),
        ("2024-10-02T16:00", False),
        ("2024-10-03T10:00", False),  # a holiday
        ("2024-10-05T10:00", False),  # a Saturday
    ],
)
def test_promotion_without_people_keeps_office_hours(when: str, allowed: bool) -> None:
    office = {"time_zone": "Europe/Berlin", "country": "DE"}
    config = loop_config(approval={"office_hours": office})
    said, why = alone(config, "low", moment(when))
    assert said is allowed
    assert ("office is open" in why) is allowed
    assert ("outside office hours: they begin" in why) is not allowed
