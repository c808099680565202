"""Gates: each refuses what it is for, fails without threshold or data, and says so."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError
from feedback_assets.promotion.approval import Override
from feedback_assets.promotion.gates import (
    GATES,
    GateCheck,
    GateFacts,
    LabelAudit,
    check_gates,
    still_overridden,
)
from feedback_assets.promotion.limits import surely_right
from feedback_assets_tests.promotion.loops import loop_config
from feedback_assets_tests.promotion.suites import (
    ALL_GATES,
    GOOD_FACTS,
    NOW,
    spoilt,
    suite,
    without_champion,
)

COLUMNS = {"protected": ["sex", "age"]}


def config(**gate: Any) -> Config:
    return loop_config(columns=COLUMNS, gate={**ALL_GATES, **gate})


def ask(
    found: dict[str, Any],
    facts: GateFacts = GOOD_FACTS,
    overrides: tuple[Override, ...] = (),
    staged: bool = False,
    loop: Config | None = None,
) -> dict[str, GateCheck]:
    checks = check_gates(loop or config(), found, facts, overrides, NOW, staged)
    return {check.name: check for check in checks}


def failed(checks: dict[str, GateCheck]) -> list[str]:
    return [name for name, check in checks.items() if not check.passed]


def test_a_good_candidate_passes_every_gate() -> None:
    checks = ask(suite())
    assert tuple(checks) == GATES
    assert failed(checks) == []
    assert all(check.passed for check in checks.values())


@pytest.mark.parametrize(
    ("gate", "path", "value", "words"),
    [
        ("better", "overall.log_loss.lower", -0.001, "must exceed 0 (gate.min_improvement)"),
        ("better", "overall.log_loss.lower", 0.0, "log loss 0.5000 → 0.4700, better by 0.0300"),
        ("calibration", "calibration.candidate.error", 0.06, "0.06, at most 0.05"),
        ("latency", "latency.candidate.p95_ms", 201.0, "201, at most 200 (gate.latency.p95_ms)"),
        ("size", "size.candidate.file_mb", 101.0, "gate.size.max_mb"),
        ("memory", "size.candidate.memory_mb", 301.0, "gate.size.max_memory_mb"),
        ("churn", "churn.changed_share", 0.21, "gate.churn.max_share"),
        ("negative_flips", "churn.negative_flips", 0.06, "the champion gets right"),
        ("disparate_impact", "fairness.1.disparate_impact.candidate.value", 0.79, "(age): 0.79"),
        (
            "equal_opportunity",
            "fairness.0.equal_opportunity_difference.candidate.value",
            0.11,
            "(sex): 0.11, at most 0.1",
        ),
        ("robustness", "robustness.1.candidate_increase", 0.51, "(unseen): 0.51, at most 0.5"),
        ("reliance", "importance.0.candidate", 1.0, "worth that x has alone: 0.8333"),
        ("rows", "rows", 199, "fresh rows: 199, at least 200 (gate.min_rows)"),
        ("rows", "unscored.candidate", 3, "gives no score for 3 of 400 rows"),
    ],
)
def test_one_bad_figure_is_refused_by_its_own_gate_alone(
    gate: str, path: str, value: float, words: str
) -> None:
    checks = ask(spoilt(path, value))
    assert failed(checks) == [gate]
    assert words in checks[gate].reason


@pytest.mark.parametrize(
    ("gate", "path"),
    [
        ("better", "overall.log_loss.lower"),
        ("better", "overall"),
        ("segments", "segments"),
        ("calibration", "calibration"),
        ("latency", "latency.candidate.p95_ms"),
        ("size", "size.candidate.file_mb"),
        ("memory", "size.candidate.memory_mb"),
        ("churn", "churn.changed_share"),
        ("negative_flips", "churn.negative_flips"),
        ("disparate_impact", "fairness.0.disparate_impact"),
        ("equal_opportunity", "fairness.1.equal_opportunity_difference.candidate.value"),
        ("robustness", "robustness"),
        ("robustness", "robustness.0.candidate_increase"),
        ("reliance", "importance"),
        ("reliance", "importance.2.candidate"),
        ("rows", "rows"),
    ],
)
def test_a_gate_without_data_fails_and_says_so(gate: str, path: str) -> None:
    checks = ask(spoilt(path, None))
    assert failed(checks) == [gate]
    assert "no data" in checks[gate].reason
    assert checks[gate].observed is None


@pytest.mark.parametrize("nothing", [float("nan"), float("inf"), "3", True, [], {}])
def test_what_is_no_finite_number_is_no_data(nothing: Any) -> None:
    checks = ask(spoilt("latency.candidate.p95_ms", nothing))
    assert failed(checks) == ["latency"]
    assert checks["latency"].observed is None  # the ledger holds no infinite number


@pytest.mark.parametrize(
    ("section", "gates"),
    [
        ("calibration", ["calibration"]),
        ("latency", ["latency"]),
        ("size", ["size"]),
        ("churn", ["churn"]),
        ("fairness", ["disparate_impact", "equal_opportunity"]),
        ("robustness", ["robustness"]),
        ("reliance", ["reliance"]),
    ],
)
def test_a_gate_without_a_threshold_fails_and_says_which_field(
    section: str, gates: list[str]
) -> None:
    checks = ask(suite(), loop=config(**{section: {}}))
    assert failed(checks) == gates
    for gate in gates:
        assert "is not given" in checks[gate].reason
        assert f"gate.{section}." in checks[gate].reason
        assert checks[gate].threshold is None


def test_label_quality_needs_threshold_auditors_and_rows() -> None:
    def said(facts: GateFacts = GOOD_FACTS, **section: Any) -> GateCheck:
        return ask(suite(), facts, loop=config(label_quality=section))["label_quality"]

    assert "min_share is not given" in said(auditors=["audit"]).reason
    assert "auditors names nobody" in said(min_share=0.95).reason
    full = {"min_share": 0.95, "auditors": ["audit"]}
    assert said(**full).passed
    for audit in (None, LabelAudit(99, 99)):
        few = said(replace(GOOD_FACTS, label_audit=audit), **full)
        assert not few.passed
        assert "no data" in few.reason
    # 192 of 200 are 96 %, but the interval reaches below 95 %.
    noisy = said(replace(GOOD_FACTS, label_audit=LabelAudit(200, 192)), **full)
    assert not noisy.passed
    assert "192 of 200" in noisy.reason


def test_gates_that_are_not_in_the_file_are_not_asked() -> None:
    absent = dict.fromkeys(ALL_GATES)
    assert tuple(ask(suite(), loop=config(**absent))) == ("better", "segments", "rows")
    optional = config(size={"max_mb": 10}, churn={"max_share": 0.5})
    assert not {"memory", "negative_flips"} & set(ask(suite(), loop=optional))


def test_a_rollout_proves_the_gain_itself() -> None:
    worse = spoilt("overall.log_loss.lower", -1.0)
    assert failed(ask(worse)) == ["better"]
    assert "better" not in ask(worse, staged=True)


def test_the_first_model_is_compared_with_nobody() -> None:
    checks = ask(without_champion())
    assert not {"better", "segments", "churn", "negative_flips"} & set(checks)
    assert failed(checks) == []
    few = {**without_champion(), "rows": 30}
    assert failed(ask(few)) == []
    assert failed(ask({**few, "unscored": {"candidate": 1}})) == ["rows"]


def test_a_segment_is_worse_only_beyond_its_interval_and_margin() -> None:
    bad = {"candidate": 0.6, "improvement": -0.1, "upper": -0.05, "verdict": "clearly worse"}
    found = suite()
    found["segments"][1].update(bad)
    check = ask(found)["segments"]
    assert not check.passed
    assert check.observed == pytest.approx(0.1)
    assert "c blue (0.5000 → 0.6000, at least 10.0% worse)" in check.reason
    assert check.threshold == 0.05


def test_segments_that_are_all_too_small_are_no_data() -> None:
    small = [{"column": "c", "value": "red", "rows": 9, "verdict": "shown only"}]
    check = ask(suite(segments=small))["segments"]
    assert not check.passed
    assert "gate.segment_min_rows" in check.reason
    none = loop_config(columns={"segments": []}, gate=dict.fromkeys(ALL_GATES))
    assert ask(suite(segments=[]), loop=none)["segments"].passed


def test_fairness_is_judged_by_the_attributes_that_are_named() -> None:
    unfair = spoilt("fairness.1.disparate_impact.candidate.value", 0.1)
    limits = {**ALL_GATES["fairness"], "attributes": ["sex"]}
    assert failed(ask(unfair, loop=config(fairness=limits))) == []
    missing = suite(fairness=[row for row in suite()["fairness"] if row["attribute"] == "sex"])
    assert failed(ask(missing)) == ["disparate_impact", "equal_opportunity"]
    nobody = loop_config(gate={"fairness": ALL_GATES["fairness"]})
    assert "columns.protected" in ask(suite(), loop=nobody)["disparate_impact"].reason


def test_facts_of_the_data_and_the_export() -> None:
    broken = replace(GOOD_FACTS, data_problems=tuple(f"day {i}" for i in range(7)))
    assert "and 2 more" in ask(suite(), broken)["data"].reason
    assert failed(ask(suite(), replace(GOOD_FACTS, data_problems=None))) == ["data"]
    other = replace(GOOD_FACTS, columns_problem="reads c, x; declared is x, c")
    assert ask(suite(), other)["parity"].reason == "reads c, x; declared is x, c"
    assert failed(ask(suite(), replace(GOOD_FACTS, parity=None))) == ["parity"]
    assert failed(ask(suite(), replace(GOOD_FACTS, parity=0.5))) == ["parity"]


def _override(gate: str, hours: float = 1) -> Override:
    return Override(gate, "ann", "seen and fine", NOW + dt.timedelta(hours=hours), "d" * 64)


def test_an_override_lets_through_and_stays_visible() -> None:
    slow = spoilt("latency.candidate.p95_ms", 300.0)
    check = ask(slow, overrides=(_override("latency"),))["latency"]
    assert check.passed
    assert check.overridden_by == "ann"
    assert check.observed == 300
    assert "300, at most 200" in check.reason
    assert "overridden by ann until 2024-03-01 13:00 UTC: seen and fine" in check.reason


def test_an_override_does_nothing_when_expired_or_for_another_gate() -> None:
    slow = spoilt("latency.candidate.p95_ms", 300.0)
    assert failed(ask(slow, overrides=(_override("latency", hours=0),))) == ["latency"]
    assert failed(ask(slow, overrides=(_override("size"),))) == ["latency"]
    assert ask(suite(), overrides=(_override("latency"),))["latency"].overridden_by == ""


def test_an_override_that_stands_no_more_lets_nobody_through() -> None:
    slow = spoilt("latency.candidate.p95_ms", 300.0)
    given = _override("latency")
    recorded = tuple(ask(slow, overrides=(given,)).values())
    assert still_overridden(recorded, (given,), NOW) == recorded
    for overrides, when in (((), NOW), ((_override("size"),), NOW), ((given,), given.expires_at)):
        now = {check.name: check for check in still_overridden(recorded, overrides, when)}
        assert failed(now) == ["latency"]
        assert now["latency"].overridden_by == ""
        assert "has expired or counts no more" in now["latency"].reason


def test_nobody_overrides_the_proof() -> None:
    worse = spoilt("overall.log_loss.lower", -1.0)
    assert failed(ask(worse, overrides=(_override("better"),))) == ["better"]


def test_an_evaluation_of_another_form_is_not_guessed_at() -> None:
    with pytest.raises(GateError, match="schema 2"):
        ask(suite(schema=2))
    with pytest.raises(GateError, match="schema None"):
        ask({})


@settings(deadline=None)
@given(st.integers(1, 2_000), st.data())
def test_the_bound_of_a_share_is_below_it_and_grows_with_it(rows: int, data: Any) -> None:
    right = data.draw(st.integers(0, rows))
    bound = surely_right(LabelAudit(rows, right), 0.95)
    assert 0 <= bound <= right / rows
    if right:
        assert surely_right(LabelAudit(rows, right - 1), 0.95) < bound


def test_the_bound_of_a_share_keeps_its_confidence() -> None:
    """Of 200 labels that are right with 95 %, the bound lies above 95 % in at most 5 % of samples."""
    from scipy.stats import binom

    rows, share = 200, 0.95
    said = [surely_right(LabelAudit(rows, right), 0.95) > share for right in range(rows + 1)]
    assert sum(binom.pmf(right, rows, share) for right in range(rows + 1) if said[right]) <= 0.05
