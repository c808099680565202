"""The policy as a table: which evidence trains, with which cause and key, and what a wait says."""

from dataclasses import replace
from typing import Any

import pytest

from feedback_assets.policy.decide import decide, explain
from feedback_assets_tests.policy.situations import CALM, DRIFTED, STABLE, loop, moment

DEFAULT = {"any": [{"drift": {}}, {"new_labels": 500}]}
CONFIG = loop(DEFAULT)


@pytest.mark.parametrize(
    ("change", "cause", "key"),
    [
        ({}, None, ""),
        ({"new_labels": 500}, "new labels", "labels:3:1"),
        ({"new_labels": 499}, None, ""),
        ({"new_labels": 1001}, "new labels", "labels:3:2"),
        ({"drift": [DRIFTED]}, "drift", "drift:2024-03-12:abc"),
        ({"drift": [DRIFTED, STABLE]}, "drift", "drift:2024-03-12:abc"),
        ({"drift": [DRIFTED], "new_labels": 500}, "drift", "drift:2024-03-12:abc"),
        ({"drift": [DRIFTED], "new_labels": 99}, None, ""),
        ({"drift": [DRIFTED], "days_since_retrain": 6.9}, None, ""),
        ({"drift": [DRIFTED], "days_since_retrain": 7.0}, "drift", "drift:2024-03-12:abc"),
        ({"new_labels": 5000, "days_since_retrain": 0.0}, None, ""),
        ({"new_labels": 5000, "in_flight": 1}, None, ""),
        ({"days_since_retrain": None, "new_labels": 500}, "new labels", "labels:3:1"),
        ({"last_version": None, "new_labels": 500}, "first model", "first:1"),
        ({"last_version": None, "new_labels": 499}, None, ""),
        ({"last_version": None, "new_labels": 500, "in_flight": 1}, None, ""),
        ({"last_version": None, "drift": [DRIFTED]}, None, ""),
    ],
)
def test_the_default_policy(change: dict[str, Any], cause: str | None, key: str) -> None:
    decision = decide(CONFIG, replace(CALM, **change))
    assert (decision.cause, decision.run_key) == (cause, key)


@pytest.mark.parametrize(
    ("when", "change", "cause"),
    [
        ({"new_labels": 500}, {"drift": [DRIFTED]}, None),
        ({"drift": {"columns": 3}}, {"drift": [DRIFTED]}, None),
        ({"drift": {"columns": 2}}, {"drift": [DRIFTED]}, "drift"),
        ({"drift": {}}, {"new_labels": 100_000}, None),
        ({"every_days": 10}, {}, "schedule"),
        ({"every_days": 11}, {}, None),
        ({"every_days": 10}, {"new_labels": 99}, None),
        ({"every_days": 1}, {"days_since_retrain": None}, None),
        ({"all": [{"drift": {}}, {"new_labels": 200}]}, {}, None),
        (
            {"all": [{"drift": {}}, {"new_labels": 200}]},
            {"drift": [DRIFTED]},
            "drift and new labels",
        ),
        (
            {"at_least": {"n": 2, "of": [{"drift": {}}, {"new_labels": 201}, {"every_days": 9}]}},
            {"drift": [DRIFTED]},
            "drift and schedule",
        ),
        (
            {"at_least": {"n": 2, "of": [{"drift": {}}, {"new_labels": 201}, {"every_days": 9}]}},
            {},
            None,
        ),
        (
            {"any": [{"all": [{"drift": {}}, {"coverage": 0.5}]}, {"every_days": 10}]},
            {"drift": [DRIFTED], "coverage": 0.49},
            "schedule",
        ),
        (
            {"any": [{"all": [{"drift": {}}, {"coverage": 0.5}]}, {"every_days": 10}]},
            {"drift": [DRIFTED], "coverage": 0.5},
            "drift and coverage",
        ),
    ],
)
def test_conditions_are_joined(when: Any, change: dict[str, Any], cause: str | None) -> None:
    assert decide(loop(when), replace(CALM, **change)).cause == cause


def test_numbers_of_the_trigger_count() -> None:
    soon = replace(CALM, new_labels=500, days_since_retrain=0.0)
    assert decide(loop(DEFAULT, cooldown_days=0), soon).cause == "new labels"
    nothing_new = replace(CALM, drift=[DRIFTED], new_labels=0)
    assert decide(loop(DEFAULT, min_new_labels=0), nothing_new).cause == "drift"


def test_what_is_asked_together_has_one_key() -> None:
    config = loop({"all": [{"drift": {}}, {"new_labels": 100}, {"every_days": 4}]})
    decision = decide(config, replace(CALM, drift=[DRIFTED]))
    assert decision.run_key == "drift:2024-03-12:abc+labels:3:2+schedule:3:2"
    assert decision.reason == (
        "2024-03-12: size 0.9 sd higher; 200 of 100 new labels; "
        "10.0 days since the last retrain, one is due every 4"
    )


def test_a_schedule_has_one_key_a_period() -> None:
    config = loop({"every_days": 10}, min_new_labels=0)
    now = [decide(config, replace(CALM, days_since_retrain=d)).run_key for d in (10.0, 19.9, 20.0)]
    assert now == ["schedule:3:1", "schedule:3:1", "schedule:3:2"]


def test_what_was_asked_for_gives_way_to_the_next_cause() -> None:
    both = replace(CALM, drift=[DRIFTED], new_labels=500)
    asked = replace(both, asked=frozenset({"drift:2024-03-12:abc"}))
    assert decide(CONFIG, asked).run_key == "labels:3:1"
    asked = replace(both, asked=frozenset({"drift:2024-03-12:abc", "labels:3:1"}))
    assert decide(CONFIG, asked).cause is None
    assert decide(CONFIG, asked).reason.startswith("asked already; waits for new evidence")
    assert decide(CONFIG, replace(asked, new_labels=1000)).run_key == "labels:3:2"


def test_the_first_model_waits_for_the_largest_number_of_labels_that_is_named() -> None:
    none_yet = replace(CALM, last_version=None, days_since_retrain=None, drift=(), new_labels=600)
    when = {"any": [{"all": [{"drift": {}}, {"new_labels": 500}]}, {"new_labels": 700}]}
    assert decide(loop(when), none_yet).cause is None
    assert decide(loop(when), replace(none_yet, new_labels=700)).run_key == "first:1"
    # Nothing says how many: as many as a training needs (pool.min_rows, 200).
    assert decide(loop({"drift": {}}), replace(none_yet, new_labels=199)).cause is None
    assert decide(loop({"drift": {}}), replace(none_yet, new_labels=200)).cause == "first model"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "0 of 1 drifted columns; 200 of 500 new labels"),
        ({"in_flight": 1}, "in flight; 0 of 1 drifted columns; 200 of 500"),
        ({"days_since_retrain": 2.5}, "another 4.5 of 7 days; 0 of 1 drifted columns; 200 of 500"),
        ({"new_labels": 7, "drift": [DRIFTED]}, "7 of at least 100 new labels; 2 of 1 drifted"),
        ({"last_version": None}, "no model yet; 200 of 500 new labels"),
    ],
)
def test_a_wait_is_explained_with_numbers(change: dict[str, Any], words: str) -> None:
    assert words in decide(CONFIG, replace(CALM, **change)).reason


def test_the_explanation_holds_every_condition_and_gate() -> None:
    config = loop(
        {"all": [DEFAULT, {"coverage": 0.5}]},
        budget_per_month=2,
        office_hours={"time_zone": "Europe/Berlin"},
    )
    found = explain(config, CALM)
    assert [leaf.name for leaf in found.condition.leaves()] == ["drift", "new labels", "coverage"]
    assert {gate.name for gate in found.gates} == {
        "one at a time", "office hours", "cooldown", "least news", "budget",
    }  # fmt: skip
    assert found.decision == decide(config, CALM)
    for leaf in found.condition.leaves():
        assert leaf.missing, leaf.name


def test_a_full_budget_and_closed_doors_wait() -> None:
    labels = replace(CALM, new_labels=500)
    used = replace(
        labels, retrains=[moment("2024-02-28"), moment("2024-03-01"), moment("2024-03-08")]
    )
    assert decide(loop(DEFAULT, budget_per_month=3), used).cause == "new labels"
    told = decide(loop(DEFAULT, budget_per_month=2), used)
    assert (told.cause, told.reason[:40]) == (None, "2 of this month's 2 retrains are used; 0")
    late = replace(labels, now=moment("2024-03-15T16:30"))
    assert decide(loop(DEFAULT, office_hours={}), late).cause == "new labels"
    closed = decide(loop(DEFAULT, office_hours={"time_zone": "Europe/Berlin"}), late)
    assert closed.cause is None
    assert "outside mon, tue, wed, thu, fri 09:00 to 17:00 Europe/Berlin" in closed.reason


def test_the_budget_also_counts_the_first_hours_of_the_offices_month() -> None:
    now = moment("2024-02-29T23:30")
    evidence = replace(CALM, new_labels=500, now=now, retrains=[moment("2024-02-10")])
    assert decide(loop(DEFAULT, budget_per_month=1), evidence).cause is None
    open_all_day = {"time_zone": "Europe/Berlin", "start": "00:00", "end": "00:00"}
    config = loop(DEFAULT, budget_per_month=1, office_hours=open_all_day)
    assert decide(config, evidence).cause == "new labels"  # in Berlin it is March
