"""What a version was compared with, and by how much it was better: from whatever record there is."""

from collections.abc import Mapping
from typing import Any

from feedback_assets.audit.story import Story
from feedback_assets.config.schema import Config
from feedback_assets.promotion.decisions import Decision

Json = dict[str, Any]


def comparison(story: Story, config: Config) -> Json | None:
    """Metrics of both on the same rows with the improvement and its interval.

    Returns:
        `against` (version or None), `rows`, `days` (first, last), `as_of`, `evaluation_digest`,
        `metrics` {metric: champion, candidate, improvement, lower, upper}, `verdict`; None where
        the version was never judged.
    """
    decision = story.evidence
    if decision is None or decision.kind == "retrain":
        return None
    evaluation: Mapping[str, Any] = story.detail("evaluation") or {}
    days = sorted(evaluation.get("days", {}))
    rows = evaluation.get("rows", decision.numbers.get("rows"))
    return {
        "against": decision.previous_version,
        "decision_id": decision.decision_id,
        "rows": None if rows is None else int(rows),
        "days": [days[0], days[-1]] if days else None,
        "as_of": evaluation.get("as_of"),
        "evaluation_digest": evaluation.get("digest") or decision.evidence.get("evaluation"),
        "metric": config.metric,
        "metrics": story.detail("metrics") or _numbers(decision, config.metric),
        "verdict": story.detail("verdict"),
        "rule": decision.rule,
        "reason": decision.reason,
    }


def gates(story: Story) -> list[Json]:
    """Each gate with what was observed and by how much it passed or failed."""
    found = story.detail("gates") or []
    return [{**gate, "by": distance(gate)} for gate in found]


def distance(gate: Mapping[str, Any]) -> Json | None:
    """How far what was observed lies from the threshold: absolute, and as a share of it."""
    observed, threshold = gate.get("observed"), gate.get("threshold")
    if observed is None or threshold is None:
        return None
    apart = abs(float(observed) - float(threshold))
    return {"absolute": apart, "relative": apart / abs(threshold) if threshold else None}


def _numbers(decision: Decision, metric: str) -> Json:
    """The same of a record that has only the deciding numbers."""
    known = decision.numbers
    names = {
        "champion": f"champion_{metric}", "candidate": f"candidate_{metric}",
        "improvement": "improvement", "lower": "lower", "upper": "upper",
    }  # fmt: skip
    held = {name: finite(known.get(key)) for name, key in names.items()}
    return {metric: held} if any(v is not None for v in held.values()) else {}


def finite(value: float | None) -> float | None:
    """The number, or None where it is none.

    >>> finite(float("nan")), finite(0.5)
    (None, 0.5)
    """
    return value if value is not None and value == value and abs(value) != float("inf") else None
