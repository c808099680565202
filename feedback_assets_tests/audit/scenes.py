"""A loop with a past, written straight into its ledger and its models' folders: no run, no training.

Version 1 is of an older release, without details. 2 was refused by two gates, 3 was promoted with two
approvals and an overridden gate, 4 was refused by the evidence, 5 was promoted and taken back by the
watch, 6 is in shadow.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from feedback_assets.assets.ledger import record
from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.decisions import Decision, Kind
from feedback_assets_tests.worlds import World

START = dt.datetime(2024, 1, 10, 9, tzinfo=dt.UTC)
EVIL = "<script>document.title='pwned'</script>[bold]*x*|`y`"


def at(days: float) -> dt.datetime:
    """A moment so many days after the start."""
    return START + dt.timedelta(days=days)


def gate(
    name: str, passed: bool, observed: float | None, threshold: float | None, **more: str
) -> dict[str, Any]:
    """A gate's answer as decisions keep it."""
    asked = {"name": name, "passed": passed, "observed": observed, "threshold": threshold}
    reason = f"{name}: {observed} against {threshold}"
    return {**asked, "reason": reason, "overridden_by": "", **more}


GOOD = [gate("calibration", True, 0.02, 0.05), gate("rows", True, 400, 200)]
BAD = [gate("latency", False, 250.0, 200.0), gate("calibration", True, 0.04, 0.05),
       gate("disparate_impact", False, 0.6, 0.8)]  # fmt: skip
OVERRIDDEN = [*GOOD, gate("churn", True, 0.3, 0.2, overridden_by="cy")]


def past(root: Path, people: bool = True, **changes: Any) -> LoopSpace:
    """The loop with all of it recorded; what people said has no signature, and may be left out."""
    space = World(root, **changes).space
    for version in range(1, 7):
        folder(space, version)
    for decision in story(space.name):
        if people or decision.kind not in ("approve", "override"):
            record(space, decision)
    return space


def folder(space: LoopSpace, version: int) -> None:
    """A version's folder with what explains it."""
    place = space.models / str(version)
    (place / "plots").mkdir(parents=True)
    days = {f"2024-01-{day:02d}": {"digest": "d" * 64, "rows": 40} for day in range(1, 4 + version)}
    manifest = {
        "version": version, "loop": space.name, "onnx_digest": f"{version}" * 64,
        "training_digest": "t" * 64, "trained_at": at(version).isoformat(),
        "as_of": at(version).isoformat(), "cause": "drift", "dagster_run_id": "run",
        "pool": {"table": f"{space.name}/labeled_pool", "version": version, "partitions": days,
                 "fingerprint": "f" * 64},
        "sampling": {"window_days": None, "max_rows": 60_000, "seed": 7},
        "train_rows": 40 * len(days), "train_start": "2024-01-01T00:00:00+00:00",
        "train_end": f"2024-01-{3 + version:02d}T23:00:00+00:00", "holdout_rows": 120,
        "metrics": {"log_loss": 0.5, "accuracy": 0.8}, "parity": 1e-7,
        "estimator": "sklearn.linear_model._logistic.LogisticRegression", "params": {},
        "warnings": ["lbfgs failed to converge"], "config_digest": "c" * 64,
        "code_version": "0.1.0", "git_commit": "abc123+", "lock_digest": "l" * 64,
        "libraries": {"numpy": "1.0"},
    }  # fmt: skip
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (place / "evaluation-against-1.json").write_text(json.dumps(suite(version)), encoding="utf-8")


def both(value: float) -> dict[str, Any]:
    """A figure of both models, with an interval."""
    held = {"value": value, "lower": value - 0.05, "upper": value + 0.05}
    return {"champion": held, "candidate": held}


def suite(version: int) -> dict[str, Any]:
    """An evaluation suite of a version against version 1."""
    held = {"champion": 0.52, "candidate": 0.5, "improvement": 0.02, "lower": 0.01, "upper": 0.03}
    segments = [
        {"column": "region", "value": "north", "rows": 60, **held, "verdict": "not worse"},
        {"column": "region x colour", "value": EVIL, "rows": 90,
         **held, "improvement": -0.2, "lower": -0.3, "upper": -0.1, "verdict": "clearly worse"},
    ]  # fmt: skip
    groups = [
        {"group": name, "rows": 200, "judged": True,
         "selection_rate": {"champion": 0.4, "candidate": share},
         "true_positive_rate": {"champion": 0.7, "candidate": 0.7}}
        for name, share in (("a", 0.5), ("b", 0.3))
    ]  # fmt: skip
    return {
        "schema": 1, "loop": "tiny", "metric": "log_loss", "as_of": at(version).isoformat(),
        "candidate": {"version": str(version), "digest": f"{version}" * 64},
        "champion": {"version": "1", "digest": "1" * 64}, "rows": 400, "evaluation_digest": "e" * 64,
        "days": {"2024-01-08": {"rows": 200}, "2024-01-09": {"rows": 200}},
        "overall": {"log_loss": held, "accuracy": {**held, "improvement": None, "lower": None, "upper": None}},
        "segments": segments, "calibration": {"candidate": {"error": 0.02, "bins": []}},
        "latency": {"candidate": {"p50_ms": 0.1, "p95_ms": 0.2, "p99_ms": 0.4, "rows": 500}},
        "size": {"candidate": {"file_mb": 0.01, "memory_mb": 1.5}},
        "churn": {"changed_share": 0.1, "negative_flips": 0.02, "positive_flips": 0.05, "mean_score_change": 0.1},
        "robustness": [{"name": "a tenth missing", "kind": "missing", "columns": [],
                        "champion_increase": 0.1, "candidate_increase": 0.2}],
        "ablation": [], "unscored": {"champion": 0, "candidate": 3},
        "importance": [{"group": "size", "features": ["size"], "champion": 0.3, "champion_sd": 0.01,
                        "candidate": 0.4, "candidate_sd": 0.02}],
        "fairness": [{"attribute": "sex", "answer": "1", "disparate_impact": both(0.6),
                      "equal_opportunity_difference": both(0.0), "groups": groups}],
    }  # fmt: skip


def story(loop: str) -> list[Decision]:
    """The decisions, oldest first."""

    def made(
        kind: Kind, version: int, days: float, reason: str, before: int | None = None, **more: Any
    ) -> Decision:
        given = {
            "rule": f"rule of {kind}",
            "cause": "drift",
            "actor": f"sensor:{loop}_rollout",
            **more,
        }
        return Decision(
            loop=loop, kind=kind, time=at(days), reason=reason, version=str(version),
            previous_version=str(before) if before else None,
            evidence={"kind": kind, "version": version, "days": days}, **given,
        )  # fmt: skip

    metrics = suite(3)["overall"]
    first = made("promote", 1, 1, "the loop's first model", rule="no champion")
    third = made(
        "promote", 3, 6, "log loss better by 0.02", 1,
        numbers={"lower": 0.01, "rows": 400.0}, rule="utility",
        details={
            "gates": OVERRIDDEN, "metrics": metrics, "rollback_target": "1",
            "suite": {"file": f"models/{loop}/3/evaluation-against-1.json", "digest": "s" * 64},
            "evaluation": {"digest": "e" * 64, "rows": 400, "days": suite(3)["days"], "as_of": at(5).isoformat()},
            "verdict": {"outcome": "promote", "rule": "utility", "reason": "gain 0.018 expected", "numbers": {}},
            "rollout": [{"stage": "shadow", "from": at(4.1).isoformat(), "to": at(6).isoformat(),
                         "labels": 812, "requests": None, "reason": "all gates passed"}],
            "code": {"version": "0.1.0", "git_commit": "abc123", "dirty": True, "lock_digest": "l" * 64},
            "release_notes": "# Version 3\n\nBetter by 0.02.",
        },
    )  # fmt: skip
    fifth = made(
        "promote", 5, 10, "log loss better by 0.03", 3, details={"gates": GOOD, "metrics": metrics}
    )
    watched = {
        "verdict": {
            "outcome": "rollback",
            "rule": "worse",
            "reason": "worse",
            "numbers": {"log_worse": 3.4},
        }
    }
    return [
        made("retrain", 1, 0.5, "enough labels", actor="person:ada"),
        first,
        made("retrain", 2, 2, f"size drifted: {EVIL}"),
        made("gate", 2, 2.1, "latency: 250.0 against 200.0", 1, details={"gates": BAD}),
        made("refuse", 2, 2.2, "latency: 250.0 against 200.0", 1, rule="gate: latency, disparate_impact",
             details={"gates": BAD, "metrics": metrics}),
        made("retrain", 3, 4, "size drifted: PSI 0.4"),
        made("override", 3, 4.02, "churn is wanted", actor="person:cy", details={"statement": {"gate": "churn"}}),
        made("gate", 3, 4.05, "all gates passed", 1, details={"gates": OVERRIDDEN}),
        made("stage", 3, 4.1, "all gates passed", 1, details={"stage": "shadow", "before": "candidate"}),
        made("request", 3, 5, "outside office hours", 1, details={"risk": "high", "why": ["churn"], "people": 2}),
        made("approve", 3, 5.1, "looked at the segments", actor="person:ada", details={"key": "k1", "statement": {"by": "ada"}}),
        made("approve", 3, 5.2, EVIL, actor="person:bo", details={"key": "k2", "statement": {"by": "bo"}}),
        third,
        made("serving", 3, 6.01, "2 services follow", numbers={"seconds": 0.7},
             details={"for": third.decision_id, "generation": 3, "services": ["a-1", "b-2"]}),
        made("retrain", 4, 7, "size drifted again"),
        made("refuse", 4, 8, "not safe: e 1.2 below 20", 3, rule="safety", numbers={"log_safe": 0.18},
             details={"gates": GOOD, "verdict": {"outcome": "reject", "rule": "safety", "reason": "not safe",
                                                 "numbers": {"log_safe": 0.18, "needed": 3.0}}}),
        made("retrain", 5, 9, "cold month"),
        fifth,
        made("rollback", 3, 12, "worse than 3 by 0.05 on 300 labels", 5, cause="watch",
             details={"undoes": fifth.decision_id, "by": "watch", "look": watched}),
        made("retrain", 6, 13, "labels came"),
        made("gate", 6, 13.1, "all gates passed", 3, details={"gates": GOOD}),
        made("stage", 6, 13.2, "all gates passed", 3, details={"stage": "shadow", "before": "candidate"}),
    ]  # fmt: skip
