"""From the evidence to a retrain with cause and run key, or to a wait with the numbers that say why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from feedback_assets.config.schema import Config
from feedback_assets.policy.conditions import explain_condition, new_labels
from feedback_assets.policy.evidence import Evidence
from feedback_assets.policy.explained import Explained
from feedback_assets.policy.gates import gates


@dataclass(frozen=True)
class Decision:
    """Train, with cause and evidence; or wait, with the numbers that say why.

    Attributes:
        cause: what asks for a retrain; None to wait.
        run_key: made from the evidence, never from a date: the same evidence cannot train twice,
            and evidence that has grown can, even after a failed run.
        reason: in words with numbers.
        fired: the conditions that decided, with the levels that they had.
    """

    cause: str | None
    run_key: str
    reason: str
    fired: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Explanation:
    """The whole policy held against the evidence.

    Attributes:
        gates: what must let a retrain through, whatever its cause.
        condition: what may cause it.
        decision: what follows from both.
    """

    gates: tuple[Explained, ...]
    condition: Explained
    decision: Decision


def decide(config: Config, evidence: Evidence) -> Decision:
    """Whether the evidence meets the loop's trigger policy."""
    return explain(config, evidence).decision


def explain(config: Config, evidence: Evidence) -> Explanation:
    """Every condition and gate, and the decision.

    Of several ways in which the condition holds, the first that has not been asked for yet counts:
    a run that failed is not asked for again by the same evidence.
    """
    passes = gates(config.trigger, evidence)
    condition = _condition(config, evidence)
    blocked = [gate for gate in passes if not gate.met]
    if blocked or not condition.met:
        return Explanation(passes, condition, _wait(blocked, condition))
    ways = {"+".join(leaf.key for leaf in way): way for way in condition.ways()}
    fresh = next((key for key in ways if key not in evidence.asked), None)
    if fresh is None:
        words = "; ".join(leaf.why for leaf in next(iter(ways.values())))
        decision = Decision(None, "", f"asked already; waits for new evidence; {words}")
    else:
        decision = _train(fresh, ways[fresh])
    return Explanation(passes, condition, decision)


def _condition(config: Config, evidence: Evidence) -> Explained:
    if evidence.last_version is not None:
        return explain_condition(config.trigger.when, config, evidence)
    quota = config.trigger.label_quota or config.pool.min_rows
    told = new_labels(quota, evidence)
    return Explained(
        name="first model",
        met=told.met,
        value=told.value,
        threshold=quota,
        told=told.told if told.met else f"no model yet; {told.told}",
        missing=told.missing,
        why=told.why,
        key=f"first:{evidence.new_labels // quota}",
    )


def _train(key: str, way: tuple[Explained, ...]) -> Decision:
    return Decision(
        cause=" and ".join(dict.fromkeys(leaf.name for leaf in way)),
        run_key=key,
        reason="; ".join(leaf.why for leaf in way),
        fired={leaf.identity: leaf.level for leaf in way if leaf.level is not None},
    )


def _wait(blocked: list[Explained], condition: Explained) -> Decision:
    words = [gate.told for gate in blocked] + [leaf.told for leaf in condition.leaves()]
    return Decision(None, "", "; ".join(words))
