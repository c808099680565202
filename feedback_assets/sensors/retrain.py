"""Starts a training when the loop's trigger policy says so, once per cause."""

import dagster as dg

from feedback_assets.assets.evidence import gather, run_key
from feedback_assets.assets.space import RETRAIN_TAG, LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.policy.decide import decide
from feedback_assets.sensors.requests import caused_run


def retrain(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that starts the training of a candidate.

    It has no cursor: what it knows is in the ledger, the tables, the assets' events and the runs.
    """

    @dg.sensor(
        name=f"{space.name}_retrain",
        target=[space.key("labeled_pool"), space.key("candidate_model")],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Trains a candidate when the trigger's condition holds: one at a time, once "
        f"per cause. `feedback-assets explain-trigger {space.name}` tells what is missing.",
        tags={"feedback_assets/loop": space.name},
    )
    def _retrain(
        context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]
    ) -> dg.SensorResult:
        decision = decide(space.config, gather(space, context.instance, clock.now()))
        if decision.cause is None:
            return dg.SensorResult(skip_reason=decision.reason)
        request = caused_run(
            space,
            ["labeled_pool", "candidate_model"],
            run_key(space, decision.run_key),
            decision.cause,
            {"reason": decision.reason, "key": decision.run_key, "fired": dict(decision.fired)},
            {RETRAIN_TAG: space.name},
        )
        return dg.SensorResult(run_requests=[request])

    return _retrain
