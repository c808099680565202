"""Waiting for labels: when it is worth it, that it ends, and that it is explained."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.config.policy import Trigger, Wait
from feedback_assets.policy.decide import decide, explain
from feedback_assets.policy.evidence import Coming, Evidence
from feedback_assets.policy.explained import Explained
from feedback_assets.policy.waiting import NAME, choices, labels_to_come, serves
from feedback_assets_tests.policy.situations import CALM, DRIFTED, loop

SOON = (Coming(0, 200), Coming(2, 900), Coming(10, 1_000))
LITTLE = (Coming(0, 5_000), Coming(2, 5_600))


def gate(coming: Any, **wait: Any) -> Explained:
    trigger = Trigger(min_new_labels=500)
    return labels_to_come(Wait(**wait), trigger, replace(CALM, coming=coming))


def test_many_labels_soon_are_waited_for_and_the_numbers_say_why() -> None:
    found = gate(SOON)
    assert found.met is False
    assert found.told == (
        "worth waiting: now 200 new labels give 8.6 full days of 30 (500 labels are half the gain); "
        "in 2 days 900 new labels give 18.0 full days"
    )
    assert found.missing == "700 labels, expected in 2 days"


def test_few_more_labels_are_not_worth_the_delay() -> None:
    found = gate(LITTLE)
    assert found.met is True
    assert found.told.startswith(
        "not worth waiting: now 5,000 new labels give 27.3 full days of 30"
    )


@pytest.mark.parametrize(
    ("coming", "wait", "met"),
    [
        (SOON, {"half_labels": 1}, True),
        (SOON, {"half_labels": 100_000}, False),
        (SOON, {"serves_days": 2.5}, True),
        (LITTLE, {"half_labels": 50_000}, False),
        (LITTLE, {"half_labels": 50_000, "least_gain": 0.05}, True),
        ((Coming(0, 0), Coming(3, 50)), {}, False),
        ((Coming(0, 300),), {}, True),
        ((), {}, True),
    ],
)
def test_the_numbers_of_the_file_decide(coming: Any, wait: dict[str, Any], met: bool) -> None:
    assert gate(coming, **wait).met is met


def test_a_wait_holds_back_every_cause_but_not_the_first_model() -> None:
    evidence = replace(CALM, drift=[DRIFTED], coming=SOON)
    patient = loop({"drift": {}}, wait={})
    waits = explain(patient, evidence)
    assert waits.decision.cause is None
    assert "worth waiting" in waits.decision.reason
    assert [g.name for g in waits.gates][-1] == NAME
    assert decide(patient, replace(evidence, coming=LITTLE)).cause == "drift"
    assert decide(loop({"drift": {}}), evidence).cause == "drift", "off if absent"
    first = replace(evidence, last_version=None, new_labels=10_000)
    assert decide(patient, first).cause == "first model"


def test_a_model_serves_as_long_as_models_have() -> None:
    day = dt.timedelta(days=1)
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    moments = [start, start + 10 * day, start + 14 * day, start + 26 * day]
    assert serves(replace(CALM, retrains=moments)) == 10
    assert serves(replace(CALM, retrains=moments[:1])) == 30


@given(
    st.floats(1, 1e5), st.floats(1, 1e5), st.floats(1, 400), st.floats(0.1, 5_000), st.floats(0, 60)
)
def test_waiting_is_never_chosen_where_it_is_worth_less(
    labels: float, half: float, days: float, rate: float, ahead: float
) -> None:
    now, later = choices([Coming(0, labels), Coming(ahead, labels + rate * ahead)], half, days)
    assert later.share >= now.share
    assert 0 <= later.worth <= days
    if ahead >= days:
        assert later.worth == 0


def test_a_steady_stream_is_not_waited_for_without_end() -> None:
    """Each day another 100 labels: waiting stops about where n (n + h) = r h H."""
    rate, half, days = 100.0, 500, 30.0
    wait = Wait(half_labels=half, serves_days=days, least_gain=0)
    labels, waited = 0.0, 0
    while waited < 200:
        coming = tuple(Coming(float(d), labels + rate * d) for d in range(15))
        evidence = Evidence(now=CALM.now, new_labels=int(labels), last_version=1, coming=coming)
        if labels_to_come(wait, Trigger(), evidence).met:
            break
        labels, waited = labels + rate, waited + 1
    stop = (-half + (half**2 + 4 * rate * half * days) ** 0.5) / 2
    assert labels == pytest.approx(stop, abs=1.5 * rate)
