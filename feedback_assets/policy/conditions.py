"""A loop's trigger held against the evidence, condition by condition."""

import json

from feedback_assets.config.policy import Condition
from feedback_assets.config.schema import Config
from feedback_assets.policy.drifting import explain_drift
from feedback_assets.policy.evidence import Evidence
from feedback_assets.policy.explained import Explained, joined
from feedback_assets.policy.losses import explain_loss, explain_streak


def explain_condition(condition: Condition, config: Config, evidence: Evidence) -> Explained:
    """One condition with all that it joins."""
    if condition.parts:
        parts = [explain_condition(part, config, evidence) for part in condition.parts]
        some = condition.at_least.n if condition.at_least else 1
        return joined(condition.kind, len(parts) if condition.all else some, parts)
    identity = json.dumps(condition.model_dump(mode="json"), separators=(",", ":"))
    rearm = config.trigger.rearm
    if condition.drift:
        return explain_drift(condition.drift, evidence, identity, rearm)
    if loss := condition.estimated_loss:
        metric = loss.metric or config.metric
        return explain_loss(loss, "estimated", metric, evidence, identity, rearm)
    if loss := condition.realised_loss:
        metric = loss.metric or config.metric
        return explain_loss(loss, "realised", metric, evidence, identity, rearm)
    if condition.sla_streak:
        return explain_streak(condition.sla_streak, evidence, identity, rearm)
    if condition.new_labels:
        return new_labels(condition.new_labels, evidence)
    if condition.coverage:
        return coverage(condition.coverage, evidence)
    return schedule(condition.every_days or 0.0, evidence)


def new_labels(quota: int, evidence: Evidence) -> Explained:
    """Enough labels since the newest version; another quota of them is new evidence."""
    now = evidence.new_labels
    told = f"{now:,} of {quota:,} new labels"
    return Explained(
        name="new labels",
        met=now >= quota,
        value=now,
        threshold=quota,
        told=told,
        missing="" if now >= quota else f"{quota - now:,} labels",
        why=told,
        key=f"labels:{evidence.last_version}:{now // quota}",
    )


def coverage(share: float, evidence: Evidence) -> Explained:
    """Enough of the drifted days' rows have their label; not known while no day has drifted."""
    now = evidence.coverage
    if now is None or not evidence.drifted:
        lacking = "rows of the drifted days" if evidence.drifted else "drifted day"
        return Explained(
            name="coverage",
            met=None,
            threshold=share,
            told="nothing drifted to cover with labels",
            missing=f"no {lacking} since the last retrain",
        )
    told = f"labels on {now:.0%} of the drifted days' rows, {share:.0%} asked"
    return Explained(
        name="coverage",
        met=now >= share,
        value=now,
        threshold=share,
        told=told,
        missing="" if now >= share else f"{(share - now) * 100:.1f} percentage points",
        why=told,
        key=f"coverage:{evidence.last_version}:{evidence.drifted[-1].partition}",
    )


def schedule(every: float, evidence: Evidence) -> Explained:
    """So many days since the last retrain; one key a period."""
    since = evidence.days_since_retrain
    if since is None:
        return Explained(
            name="schedule",
            met=None,
            threshold=every,
            told=f"one is due every {every:g} days",
            missing="no retrain yet to count from",
        )
    told = f"{since:.1f} days since the last retrain, one is due every {every:g}"
    return Explained(
        name="schedule",
        met=since >= every,
        value=since,
        threshold=every,
        told=told,
        missing="" if since >= every else f"{every - since:.1f} days",
        why=told,
        key=f"schedule:{evidence.last_version}:{int(since // every)}",
    )
