"""Asks people every day, and takes what they answered."""

import datetime as dt
import json
from typing import Any

import dagster as dg

from feedback_assets.assets.annotations import TOLD, taken_so_far
from feedback_assets.assets.review_store import review_store
from feedback_assets.assets.space import LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_key_of
from feedback_assets.sensors.requests import attempt, caused_run

ASKING = ("review_queue", "annotations", "label_quality")
ANSWERED = ("annotations",)


def review(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that keeps questions and answers moving.

    It has no cursor: which batch was made and which answers were taken stands in the tables, so a
    crash forgets nothing.
    """

    @dg.sensor(
        name=f"{space.name}_review",
        target=[space.key(name) for name in dict.fromkeys((*ASKING, *ANSWERED))],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Draws a batch of questions a day (`review.per_day`) once there are new "
        f"predictions, and takes answers. `feedback-assets review status {space.name}` tells how far "
        "people have come.",
        tags={"feedback_assets/loop": space.name},
    )
    def _review(
        context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]
    ) -> dg.SensorResult:
        if not space.config.review.per_day and not review_store(space).path.exists():
            return dg.SensorResult(skip_reason="review.per_day is 0: nobody is asked")
        now = clock.now()
        wanted = [to_ask(space, now), to_take(space, now)]
        requests = [
            request
            for found in wanted
            if found is not None
            and (request := _asked(space, context.instance, *found)) is not None
        ]
        if not requests:
            return dg.SensorResult(skip_reason="today's questions are out, no new answer is in")
        return dg.SensorResult(run_requests=requests[:1])

    return _review


Wanted = tuple[tuple[str, ...], str, dict[str, Any]]


def to_ask(space: LoopSpace, now: dt.datetime) -> Wanted | None:
    """Today's batch, if it is not drawn and predictions came since the last one."""
    source = space.table("feedback_table").snapshot()
    if not space.config.review.per_day or source.version < 0:
        return None
    today = partition_key_of("daily", now)
    history = space.table("review_queue").history()
    last = history[0] if history else None
    if last is not None:
        asked = last.details.get("day", "") or max(last.partitions, default="")
        if asked >= today or last.inputs.get("feedback_table") == source.version:
            return None
    return ASKING, f"ask:{today}", {"day": today, "feedback_table": source.version}


def to_take(space: LoopSpace, now: dt.datetime) -> Wanted | None:
    """New answers, at most every `serve.take_minutes`; Label Studio is asked as often.

    Also what a crash left untold, and questions that close with fewer answers than were asked for.
    """
    store = review_store(space)
    if not store.path.exists():
        return None
    last, pause = store.last_answer(), dt.timedelta(minutes=space.config.serve.take_minutes)
    taken = taken_so_far(space)
    if space.config.review.label_studio is not None:
        slot = int(now.timestamp() // max(pause.total_seconds(), 60))
        return ANSWERED, f"exchange:{slot}", {"answers": last}
    if last > taken.through:
        return (ANSWERED, f"take:{last}", {"answers": last}) if now - taken.at >= pause else None
    told: dict[str, Any] = json.loads(store.recall(TOLD) or "{}")
    version = space.table("annotations").snapshot().version
    if version >= 0 and told.get("version") != version:
        return ANSWERED, f"tell:{version}", {"annotations": version}
    due = told.get("due")
    if due and dt.datetime.fromisoformat(due) <= now:
        return ANSWERED, f"close:{due}", {"closed": due}
    return None


def _asked(
    space: LoopSpace,
    instance: dg.DagsterInstance,
    assets: tuple[str, ...],
    key: str,
    evidence: dict[str, Any],
) -> dg.RunRequest | None:
    run_key = attempt(instance, f"{space.name}:review:{key}")
    if run_key is None:
        return None
    return caused_run(space, assets, run_key, "review", evidence)
