"""Feedback for days long past: bring exactly those days up to date."""

import hashlib
import json

import dagster as dg

from feedback_assets.assets.space import JUDGEMENTS, LoopSpace
from feedback_assets.sensors.requests import (
    DATAFLOW_RETRIES,
    caused_run,
    contiguous,
    partition_tags,
)

EVENTS_PER_TICK = 500
FOLLOWING = ("feedback_table", *JUDGEMENTS)


def late_feedback(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that re-materializes the days that newly arrived feedback is about."""

    @dg.sensor(
        name=f"{space.name}_late_feedback",
        target=[space.key(asset) for asset in FOLLOWING],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Late feedback re-materializes exactly the days that it is about.",
        tags={"feedback_assets/loop": space.name},
    )
    def _late_feedback(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=space.key("feedback_events"),
                after_storage_id=int(context.cursor) if context.cursor else None,
            ),
            limit=EVENTS_PER_TICK,
            ascending=True,
        ).records
        if not records:
            return dg.SkipReason("no feedback since the last look")
        affected: dict[str, int] = {}
        for record in records:
            for key, version in told(record).items():
                affected[key] = max(version, affected.get(key, -1))
        behind = not_joined(space, affected)
        cursor = str(records[-1].storage_id)
        if not behind:
            return dg.SensorResult(
                cursor=cursor,
                skip_reason=f"feedback for {len(affected)} partitions, all joined already",
            )
        return dg.SensorResult(cursor=cursor, run_requests=runs(space, behind))

    return _late_feedback


def told(record: dg.EventLogRecord) -> dict[str, int]:
    """Prediction partitions that a materialization of feedback events concerns, and its version."""
    materialization = record.asset_materialization
    metadata = materialization.metadata if materialization else {}
    if "affected_partitions" not in metadata:
        return {}
    version = int(str(metadata["table_version"].value))
    keys = json.loads(str(metadata["affected_partitions"].value))
    return dict.fromkeys(keys, version)


def not_joined(space: LoopSpace, affected: dict[str, int]) -> dict[str, int]:
    """The partitions whose feedback table was made from older feedback than it should know."""
    table = space.table("feedback_table").snapshot()
    known = table.partitions()
    predicted = space.table("prediction_log").snapshot().partitions()
    return {
        key: version
        for key, version in affected.items()
        if key in predicted
        and (key not in known or table.inputs(key).get("feedback_events", -1) < version)
    }


def runs(space: LoopSpace, behind: dict[str, int]) -> list[dg.RunRequest]:
    """One run for each stretch of neighbouring days; no day that the feedback is not about."""
    calendar = space.partitions.get_partition_keys()
    requests = []
    for keys in contiguous(behind, calendar, space.config.partitions.chunk):
        evidence = {key: behind[key] for key in keys}
        digest = hashlib.sha256(json.dumps(evidence, sort_keys=True).encode()).hexdigest()
        requests.append(
            caused_run(
                space,
                FOLLOWING,
                f"{space.name}:late_feedback:{digest}",
                "late_feedback",
                {
                    "partitions": f"{keys[0]}..{keys[-1]}",
                    "feedback_version": max(evidence.values()),
                },
                {**partition_tags(keys), **DATAFLOW_RETRIES},
            )
        )
    return requests
