"""The demo's loop: a schedule, whatever drifts; a first model of three weeks' labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.config.load import load_loop
from feedback_assets.policy.decide import decide
from feedback_assets_tests.policy.situations import CALM, DRIFTED

LOOPS = Path(__file__).parents[2] / "configs" / "loops"
DRIFT = replace(CALM, drift=[DRIFTED], new_labels=3_999)


@pytest.mark.parametrize(
    ("loop", "change", "cause"),
    [
        ("flights", {"days_since_retrain": 13.9}, None),
        ("flights", {"days_since_retrain": 14.0}, "schedule"),
        ("flights", {"days_since_retrain": 14.0, "new_labels": 499}, None),
        ("flights", {"days_since_retrain": 7.0, "new_labels": 20_000}, "new labels"),
        ("flights", {"days_since_retrain": 6.9, "new_labels": 20_000}, None),
        ("flights", {"last_version": None, "new_labels": 19_999}, None),
        ("flights", {"last_version": None, "new_labels": 20_000}, "first model"),
        ("energy", {}, "drift"),
        ("energy", {"drift": ()}, None),
        ("energy", {"drift": (), "new_labels": 4_000}, "new labels"),
        ("energy", {"days_since_retrain": 6.9}, None),
        ("energy", {"last_version": None}, None),
        ("energy", {"last_version": None, "new_labels": 4_000}, "first model"),
    ],
)
def test_when_a_shipped_loop_trains(loop: str, change: dict[str, Any], cause: str | None) -> None:
    config = load_loop(LOOPS / f"{loop}.yaml", {})
    assert decide(config, replace(DRIFT, **change)).cause == cause
