"""From candidate to champion: every stage is left by a rule, and nothing is taken for granted."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.config.rollout import Rollout
from feedback_assets.promotion.approval import Standing
from feedback_assets.promotion.decisions import Decision
from feedback_assets.promotion.gates import GateCheck
from feedback_assets.promotion.rollout import (
    CanaryRecord,
    Candidacy,
    Situation,
    candidacy,
    next_move,
    on_trial,
    open_candidates,
    trials,
)
from feedback_assets.promotion.verdict import Verdict

START = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
CONFIG = "c" * 64
STAGES = Rollout.model_validate({"stages": ["shadow", "canary"]})
PROMOTE = Verdict("promote", "safe and worth it", "better by 0.02", {})
WAIT = Verdict("wait", "not proven", "gain 0.001, from -0.01 to 0.02", {})
REJECT = Verdict("reject", "worse", "worse by 0.02", {})
GOOD = CanaryRecord(500, 1, 0.001, 1.1)


def decision(
    kind: str, day: float, version: str = "2", before: str | None = "1", **more: Any
) -> Decision:
    details = more.pop("details", {})
    return Decision(
        loop="toy",
        kind=kind,  # type: ignore[arg-type]
        time=START + dt.timedelta(days=day),
        cause="drift",
        rule="r",
        reason="because",
        evidence={"day": day, "version": version, **more},
        version=version,
        previous_version=before,
        details=details,
    )


def stage(name: str, day: float, version: str = "2", **details: Any) -> Decision:
    return decision("stage", day, version, details={"stage": name, **details})


FIRST = decision("promote", -30, "1", None)
GATE = decision("gate", 0, lead=FIRST.decision_id, config_digest=CONFIG)
TRAINED = decision("retrain", 0)
STORY = [FIRST, TRAINED, GATE]


def at(*later: Decision) -> Candidacy:
    return candidacy([*STORY, *later], "2", CONFIG)


def seen(day: float = 1, **changes: Any) -> Situation:
    usual = Situation(
        now=START + dt.timedelta(days=day),
        gates=(GateCheck("size", True, 1.0, 200.0, "small"),),
        verdict=None,
        labels=1_000,
        canary_by=None,
        served=True,
        canary=None,
        risk="low",
        alone=(True, "low risk"),
        standing=None,
    )
    return replace(usual, **changes)


def move(where: Candidacy, rollout: Rollout = STAGES, **changes: Any) -> str:
    found = next_move(rollout, where, seen(**changes))
    return f"{found.to} {found.stage}" if found.stage else found.to


def test_the_whole_way() -> None:
    assert move(at()) == "stage shadow"
    shadow = stage("shadow", 0)
    assert move(at(shadow), verdict=WAIT) == "stay"
    assert move(at(shadow), verdict=PROMOTE) == "stage canary"
    canary = stage("canary", 1)
    assert move(at(shadow, canary), day=2, verdict=PROMOTE, canary=GOOD) == "promote"


def test_a_failed_gate_refuses_wherever_it_is() -> None:
    failed = (GateCheck("latency", False, 300.0, 200.0, "too slow"),)
    for where in (at(), at(stage("shadow", 0)), at(stage("shadow", 0), stage("canary", 1))):
        found = next_move(STAGES, where, seen(gates=failed, verdict=PROMOTE, canary=GOOD))
        assert (found.to, found.rule, found.reason) == ("refuse", "gate: latency", "too slow")


def test_no_gate_at_all_lets_nobody_through() -> None:
    for where in (at(), at(stage("shadow", 0)), at(stage("shadow", 0), stage("canary", 1))):
        assert move(where, gates=(), verdict=PROMOTE, canary=GOOD) == "refuse"


def test_a_worse_candidate_is_refused_in_each_stage() -> None:
    assert move(at(stage("shadow", 0)), verdict=REJECT) == "refuse"
    assert move(at(stage("shadow", 0), stage("canary", 1)), verdict=REJECT, canary=GOOD) == "refuse"


def test_shadow_waits_for_labels_and_days_and_ends() -> None:
    patient = Rollout.model_validate(
        {"stages": ["shadow"], "shadow": {"min_days": 2, "min_labels": 300, "max_days": 7}}
    )
    shadow = at(stage("shadow", 0))
    assert move(shadow, patient, day=1, verdict=PROMOTE) == "stay"
    assert move(shadow, patient, day=3, verdict=PROMOTE, labels=299) == "stay"
    assert move(shadow, patient, day=3, verdict=PROMOTE, labels=300) == "promote"
    assert move(shadow, patient, day=6.9, verdict=WAIT) == "stay"
    assert move(shadow, patient, day=7.1, verdict=WAIT) == "refuse"


@pytest.mark.parametrize("stages", [["shadow"], ["canary"], ["shadow", "canary"]])
@pytest.mark.parametrize("verdict", [None, WAIT])
def test_nothing_is_promoted_without_a_proof(stages: list[str], verdict: Verdict | None) -> None:
    rollout = Rollout.model_validate({"stages": stages, "shadow": {"max_days": 14}})
    last = stage(stages[-1], 0, passed_over=stages[-1] == "canary")
    for day in (0.5, 5, 13):
        found = move(at(last), rollout, day=day, verdict=verdict, canary=GOOD, served=False)
        assert found == "stay"
    assert move(at(last), rollout, day=30, verdict=verdict, served=False) == "refuse"


def test_a_canary_that_nobody_asks_is_passed_over_and_said_so() -> None:
    found = next_move(STAGES, at(stage("shadow", 0)), seen(verdict=PROMOTE, served=False))
    assert (found.to, found.stage, found.passed_over) == ("stage", "canary", True)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (GOOD, "promote"),
        (CanaryRecord(500, 50, 0.001, 1.0), "refuse"),
        (CanaryRecord(500, 50, 0.1, 1.0), "promote"),
        (CanaryRecord(500, 0, 0.0, 3.0), "refuse"),
        (CanaryRecord(199, 0, 0.0, 3.0), "stay"),
        (CanaryRecord(10, 9, 0.0, None), "refuse"),
        (CanaryRecord(10, 1, 0.0, None), "stay"),
        (CanaryRecord(500, 0, None, 1.0), "stay"),
        (CanaryRecord(500, 0, 0.0, None), "stay"),
        (None, "stay"),
    ],
)
def test_what_the_canary_may_do(record: CanaryRecord | None, expected: str) -> None:
    where = at(stage("shadow", 0), stage("canary", 1))
    assert move(where, day=2, verdict=PROMOTE, canary=record) == expected


def test_the_canary_ends_when_it_learns_nothing() -> None:
    where = at(stage("shadow", 0), stage("canary", 1))
    assert move(where, day=16, verdict=PROMOTE, canary=CanaryRecord(20, 0, 0.0, 1.0)) == "refuse"


def test_people_are_asked_once_and_heard() -> None:
    shadow_only = Rollout.model_validate({"stages": ["shadow"]})
    alone = (False, "outside office hours")
    asked = decision("request", 1, details={"statement": {}})

    def people(*said: Decision, **standing: Any) -> str:
        nobody = Standing(approved_by=(), rejected_by=(), missing=2, problems=())
        return move(
            at(stage("shadow", 0), *said),
            shadow_only,
            verdict=PROMOTE,
            alone=alone,
            standing=replace(nobody, **standing) if said else None,
        )

    assert people() == "ask"
    assert people(asked) == "stay"
    assert people(asked, approved_by=("ann",), missing=1) == "stay"
    assert people(asked, approved_by=("ann", "bob"), missing=0) == "promote"
    assert people(asked, approved_by=("ann", "bob"), missing=0, rejected_by=("eve",)) == "refuse"


def test_a_person_may_reject_at_any_time() -> None:
    no = Standing(approved_by=(), rejected_by=("eve",), missing=2, problems=())
    for where in (at(), at(stage("shadow", 0)), at(stage("shadow", 0), stage("canary", 1))):
        assert move(where, verdict=PROMOTE, canary=GOOD, standing=no) == "refuse"


def test_the_first_model_needs_its_gates_only() -> None:
    gate = decision("gate", 0, before=None, lead=None, config_digest=CONFIG)
    where = candidacy([TRAINED, gate], "2", CONFIG)
    assert move(where) == "promote"
    assert move(where, alone=(False, "high risk")) == "ask"


def test_without_stages_the_gates_decide() -> None:
    assert move(at(), Rollout.model_validate({"stages": []})) == "promote"


def test_a_new_champion_or_an_override_or_another_config_begins_anew() -> None:
    shadow = stage("shadow", 0)
    assert at(shadow).place == "shadow"
    back = decision("rollback", 1, "0", "1")
    assert at(shadow, back).place == "candidate"
    assert at(shadow, back).gate is None
    assert at(shadow, decision("override", 1)).gate is None
    assert candidacy([*STORY, shadow], "2", "other").gate is None


def test_an_override_reopens_what_was_refused() -> None:
    refused = decision("refuse", 1)
    assert at(refused).final == refused
    assert open_candidates([*STORY, refused]) == []
    override = decision("override", 2)
    assert at(refused, override).final is None
    assert open_candidates([*STORY, refused, override]) == ["2"]
    again = decision("refuse", 3)
    assert at(refused, override, again).final == again


def test_many_are_in_shadow_and_one_in_canary() -> None:
    newer = [
        decision("retrain", 2, "3"),
        decision("gate", 2, "3", lead=FIRST.decision_id, config_digest=CONFIG),
        stage("shadow", 2, "3"),
    ]
    story = [*STORY, stage("shadow", 0), *newer]
    assert [one.version for one in trials(story, CONFIG)] == ["2", "3"]
    assert tried(story) == "3"
    assert tried([*story, stage("canary", 3)]) == "2"
    assert tried([*story, stage("canary", 3, passed_over=True)]) == "3"
    shadow = candidacy(story, "3", CONFIG)
    assert move(shadow, day=3, verdict=PROMOTE, canary_by="2") == "stay"
    assert move(shadow, day=3, verdict=PROMOTE) == "stage canary"


def tried(story: list[Decision]) -> str | None:
    found = on_trial(story, CONFIG)
    return found.version if found else None


@given(
    st.sampled_from([None, WAIT, REJECT, PROMOTE]),
    st.integers(0, 1_000),
    st.floats(0, 40),
    st.booleans(),
    st.sampled_from([None, GOOD, CanaryRecord(10, 10, 0.0, 1.0)]),
    st.sampled_from([(), ("shadow",), ("shadow", "canary")]),
)
def test_a_promotion_always_has_a_proof(
    verdict: Verdict | None,
    labels: int,
    day: float,
    served: bool,
    record: CanaryRecord | None,
    path: tuple[str, ...],
) -> None:
    where = at(*(stage(name, 0) for name in path))
    found = move(where, day=day, verdict=verdict, labels=labels, served=served, canary=record)
    if found == "promote":
        assert path == ("shadow", "canary")
        assert verdict is PROMOTE
        assert labels >= STAGES.shadow.min_labels
