"""Decisions are recorded once, and come back as they were."""

import datetime as dt
import math
from dataclasses import replace

import pytest

from feedback_assets.promotion.decisions import COLUMNS, Decision, from_frame, to_frame

DECISION = Decision(
    loop="toy",
    kind="promote",
    time=dt.datetime(2024, 3, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
    cause="new candidate",
    rule="log_loss better beyond uncertainty",
    reason="log loss 0.5 → 0.4",
    evidence={"candidate": "c1", "champion": None, "evaluation": "e1"},
    version="3",
    numbers={"improvement": 0.1, "upper": math.nan},
)


def test_the_id_follows_the_evidence_alone() -> None:
    later = replace(DECISION, time=DECISION.time + dt.timedelta(days=1), reason="other words")
    assert later.decision_id == DECISION.decision_id
    turned = replace(DECISION, evidence=dict(reversed(list(DECISION.evidence.items()))))
    assert turned.decision_id == DECISION.decision_id
    others = {
        replace(DECISION, loop="other").decision_id,
        replace(DECISION, kind="refuse").decision_id,
        replace(DECISION, evidence={"candidate": "c2"}).decision_id,
    }
    assert len(others - {DECISION.decision_id}) == 3


def test_decisions_survive_the_ledger() -> None:
    frame = to_frame([DECISION, replace(DECISION, kind="refuse", version=None)])
    assert tuple(frame.columns) == COLUMNS
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"
    first, second = from_frame(frame)
    assert first.decision_id == DECISION.decision_id
    assert first.time == DECISION.time
    assert first.previous_version is None
    assert first.numbers["improvement"] == 0.1
    assert math.isnan(first.numbers["upper"])
    assert second.version is None


def test_one_decision_is_one_partition_however_often_it_is_made() -> None:
    later = replace(DECISION, time=DECISION.time + dt.timedelta(days=9))
    keys = to_frame([DECISION, later, replace(DECISION, kind="refuse")])["partition_key"]
    assert keys[0] == keys[1] == DECISION.decision_id
    assert keys[2] != keys[0]


def test_no_decision_gives_an_empty_ledger_with_its_types() -> None:
    empty = to_frame([])
    assert len(empty) == 0
    assert dict(empty.dtypes.astype(str)) == dict(to_frame([DECISION]).dtypes.astype(str))


def test_unknown_kinds_and_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="'guess' is none of config"):
        replace(DECISION, kind="guess")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="aware"):
        replace(DECISION, time=dt.datetime(2024, 3, 1))  # noqa: DTZ001
