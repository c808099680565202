"""An evaluation suite as the examination makes it, all good, to be spoilt by tests."""

import copy
import datetime as dt
from collections.abc import Mapping
from typing import Any

from feedback_assets.promotion.gates import GateFacts, LabelAudit

NOW = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
GOOD_FACTS = GateFacts(
    parity=1e-7, columns_problem="", data_problems=(), label_audit=LabelAudit(200, 200)
)
ALL_GATES: dict[str, Any] = {
    "calibration": {"max_error": 0.05},
    "latency": {"p95_ms": 200},
    "size": {"max_mb": 100, "max_memory_mb": 300},
    "churn": {"max_share": 0.2, "max_negative_flips": 0.05},
    "fairness": {"min_disparate_impact": 0.8, "max_equal_opportunity_difference": 0.1},
    "robustness": {"max_loss": 0.5},
    "reliance": {"max_share": 0.8},
    "label_quality": {"min_share": 0.95, "auditors": ["audit"]},
    "data": {},
    "parity": {},
}
"""The section `gate` with every gate and a threshold for each."""


def suite(**changes: Any) -> dict[str, Any]:
    """A suite whose candidate is better in everything; `changes` replace whole parts."""
    whole = copy.deepcopy(_GOOD)
    whole.update(changes)
    return whole


def spoilt(path: str, value: Any) -> dict[str, Any]:
    """A good suite with another value at a path: `latency.candidate.p95_ms`; None takes it away."""
    whole: Any = suite()
    *way, last = path.split(".")
    place = whole
    for name in way:
        place = place[int(name)] if isinstance(place, list) else place[name]
    key = int(last) if isinstance(place, list) else last
    if value is None:
        del place[key]
    else:
        place[key] = value
    return dict(whole)


def without_champion() -> dict[str, Any]:
    """The suite of a loop's first model."""

    def alone(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: None if k == "champion" else alone(v) for k, v in value.items()}
        return [alone(v) for v in value] if isinstance(value, list) else value

    first: dict[str, Any] = alone(suite(churn=None))
    for row in first["segments"]:
        row.update(improvement=None, lower=None, upper=None, verdict="shown only")
    for figures in first["overall"].values():
        figures.update(improvement=None, lower=None, upper=None)
    return first


def _segment(value: str, **figures: Any) -> dict[str, Any]:
    good = {
        "column": "c", "value": value, "rows": 200, "champion": 0.5, "candidate": 0.48,
        "improvement": 0.02, "lower": 0.0, "upper": 0.04, "verdict": "ok",
    }  # fmt: skip
    return good | figures


def _fairness(attribute: str) -> dict[str, Any]:
    both = {"value": 0.95, "lower": 0.9, "upper": 1.0}
    gap = {"value": 0.02, "lower": 0.0, "upper": 0.05}
    return {
        "attribute": attribute,
        "answer": "1",
        "disparate_impact": {"champion": both, "candidate": dict(both)},
        "equal_opportunity_difference": {"champion": gap, "candidate": dict(gap)},
        "groups": [],
    }


_GOOD: dict[str, Any] = {
    "schema": 1,
    "loop": "toy",
    "metric": "log_loss",
    "candidate": {"version": "2", "digest": "b" * 64},
    "champion": {"version": "1", "digest": "a" * 64},
    "rows": 400,
    "unscored": {"champion": 0, "candidate": 0},
    "overall": {
        "log_loss": {
            "champion": 0.50, "candidate": 0.47, "improvement": 0.03, "lower": 0.01, "upper": 0.05,
        }
    },
    "segments": [_segment("red"), _segment("blue")],
    "calibration": {"champion": {"error": 0.03}, "candidate": {"error": 0.02}},
    "latency": {
        "champion": {"p50_ms": 0.1, "p95_ms": 0.2}, "candidate": {"p50_ms": 0.1, "p95_ms": 0.2},
    },
    "size": {
        "champion": {"file_mb": 1.0, "memory_mb": 5.0},
        "candidate": {"file_mb": 1.0, "memory_mb": 5.0},
    },
    "churn": {"changed_share": 0.06, "negative_flips": 0.02, "positive_flips": 0.04},
    "robustness": [
        {"name": "missing", "kind": "missing", "columns": ["x"], "candidate_increase": 0.1},
        {"name": "unseen", "kind": "unseen", "columns": ["c"], "candidate_increase": 0.2},
        {"name": "none", "kind": "shifted", "columns": [], "candidate_increase": None},
    ],
    "importance": [
        {"group": "x", "features": ["x"], "candidate": 0.3},
        {"group": "c", "features": ["c"], "candidate": 0.2},
        {"group": "z", "features": ["z"], "candidate": -0.01},
    ],
    "fairness": [_fairness("sex"), _fairness("age")],
}  # fmt: skip
