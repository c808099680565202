"""A new candidate: have it examined and asked by the gates, once."""

import dagster as dg

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import VERSION_TAG, LoopSpace
from feedback_assets.promotion.rollout import open_candidates
from feedback_assets.sensors.requests import attempt, caused_run


def promotion(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that has each new candidate compared with the champion exactly once.

    It has no cursor: a candidate is new as long as the ledger holds no word of a gate about it, so
    one whose run was killed is taken up again.
    """

    @dg.sensor(
        name=f"{space.name}_promotion",
        target=[space.key("evaluation_report"), space.key("promoted_model")],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Each new candidate is examined beside the champion on the same fresh rows, and "
        "must pass the gates.",
        tags={"feedback_assets/loop": space.name},
    )
    def _promotion(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = decisions(space)
        judged = {decision.version for decision in known if decision.kind == "gate"}
        new = [version for version in open_candidates(known) if version not in judged]
        if not new:
            return dg.SensorResult(skip_reason="every candidate was asked by the gates")
        trained = {d.version: d.evidence["training_digest"] for d in known if d.kind == "retrain"}
        requests = [_asked(space, context.instance, v, trained[v]) for v in new]
        found = [request for request in requests if request is not None]
        if not found:
            return dg.SensorResult(
                skip_reason=f"judging {', '.join(new)} failed; it is tried again in some minutes"
            )
        return dg.SensorResult(run_requests=found)

    return _promotion


def _asked(
    space: LoopSpace, instance: dg.DagsterInstance, version: str, digest: str
) -> dg.RunRequest | None:
    key = attempt(instance, f"{space.name}:promotion:{version}:{digest}")
    if key is None:
        return None
    return caused_run(
        space,
        ["evaluation_report", "promoted_model"],
        key,
        "candidate",
        {"version": version, "training_digest": digest},
        {VERSION_TAG: version},
    )
