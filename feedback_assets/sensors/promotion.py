"""A new candidate: let the gate judge it, once."""

import dagster as dg

from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.sensors.requests import caused_run

VERSION_TAG = "feedback_assets/candidate"
EVENTS_PER_TICK = 100


def promotion(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that has each new candidate compared with the champion exactly once."""

    @dg.sensor(
        name=f"{space.name}_promotion",
        target=[space.key("promoted_model")],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Each new candidate is compared with the champion on the same fresh rows.",
        tags={"feedback_assets/loop": space.name},
    )
    def _promotion(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=space.key("candidate_model"),
                after_storage_id=int(context.cursor) if context.cursor else None,
            ),
            limit=EVENTS_PER_TICK,
            ascending=True,
        ).records
        if not records:
            return dg.SkipReason("no candidate since the last look")
        judged = {d.version for d in decisions(space, "promote", "refuse")}
        waiting: dict[str, str] = {}
        for record in records:
            materialization = record.asset_materialization
            metadata = materialization.metadata if materialization else {}
            if "model_version" in metadata:
                version = str(metadata["model_version"].value)
                waiting[version] = str(metadata["onnx_digest"].value)
        new = {version: digest for version, digest in waiting.items() if version not in judged}
        cursor = str(records[-1].storage_id)
        if not new:
            return dg.SensorResult(
                cursor=cursor,
                skip_reason=f"candidates {', '.join(waiting) or 'none'}: judged already",
            )
        requests = [
            caused_run(
                space,
                ["promoted_model"],
                f"{space.name}:promotion:{version}:{digest}",
                "candidate",
                {"version": version, "onnx_digest": digest},
                {VERSION_TAG: version},
            )
            for version, digest in new.items()
        ]
        return dg.SensorResult(cursor=cursor, run_requests=requests)

    return _promotion
