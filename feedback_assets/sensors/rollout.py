"""Moves candidates through their stages, watches promotions, heals what a crash left behind."""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import dagster as dg

from feedback_assets.assets.ledger import decisions, ledger_of
from feedback_assets.assets.models import champion
from feedback_assets.assets.projections import behind
from feedback_assets.assets.published import generation, is_published
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial import Trial, open_trials
from feedback_assets.clock import Clock
from feedback_assets.policy.hours import is_open
from feedback_assets.promotion.rollout import Candidacy, candidacy, open_candidates
from feedback_assets.sensors.requests import attempt, caused_run

READ = ("feedback_table", "serving_log")
"""Tables whose news may move a rollout."""


def rollout(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that asks for a look whenever there is something new to see.

    It has no cursor: what it knows is in the ledger and the tables, so a crash forgets nothing.
    """

    @dg.sensor(
        name=f"{space.name}_rollout",
        target=[space.key("canary_report"), space.key("promoted_model")],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Moves a candidate through shadow and canary, and takes a promotion back that "
        f"turns out worse. `feedback-assets approvals {space.name}` tells who must approve.",
        tags={"feedback_assets/loop": space.name},
    )
    def _rollout(
        context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]
    ) -> dg.SensorResult:
        now = clock.now()
        lagging = unlike_ledger(space)
        waiting, watched = to_see(space), open_trials(space, now)
        if not lagging and not waiting and not watched:
            return dg.SensorResult(skip_reason="no candidate is on trial and no promotion on watch")
        seen = evidence(space, waiting, watched, now)
        if lagging:
            seen |= {"behind": lagging, "manifest": generation(space)}
        cause = "heal" if lagging else "rollout" if waiting else "watch"
        return asked(space, context.instance, cause, seen)

    return _rollout


def to_see(space: LoopSpace) -> list[Candidacy]:
    """The candidates whose gates were asked and that are neither promoted nor refused."""
    known = decisions(space)
    asked_before = {d.version for d in known if d.kind == "gate"}
    return [
        candidacy(known, version, space.config_digest)
        for version in open_candidates(known)
        if version in asked_before
    ]


def unlike_ledger(space: LoopSpace) -> str:
    """What does not say what the ledger says, or an empty text."""
    if champion(space) is None:
        return ""
    if not is_published(space):
        return "the service's manifest"
    return "the registry" if behind(space) else ""


def evidence(
    space: LoopSpace, waiting: Sequence[Candidacy], watched: Sequence[Trial], now: dt.datetime
) -> dict[str, Any]:
    """All that a look could see; as long as it stays the same no other run is asked for."""
    hours = space.config.approval.office_hours
    return {
        "head": head(space),
        "tables": {name: space.table(name).snapshot().version for name in READ},
        "trials": [trial.name for trial in watched],
        "due": {at.version: due(space, at, now) for at in waiting},
        "office": is_open(hours, now) if hours else True,
    }


def due(space: LoopSpace, at: Candidacy, now: dt.datetime) -> list[str]:
    """The durations of the YAML file that are over for a candidate in its stage."""
    rollout = space.config.rollout
    rules = rollout.canary if at.place == "canary" else rollout.shadow
    days = at.days_in_place(now)
    return [name for name in ("min_days", "max_days") if days > getattr(rules, name)]


def head(space: LoopSpace) -> str:
    """How far the ledger has come."""
    size, digest = ledger_of(space).head()
    return f"{size}:{digest[:16]}"


def asked(
    space: LoopSpace, instance: dg.DagsterInstance, cause: str, seen: dict[str, Any]
) -> dg.SensorResult:
    """One run for what is seen now; again after one that failed or was killed."""
    text = json.dumps(seen, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    run_key = attempt(instance, f"{space.name}:rollout:{cause}:{key}")
    if run_key is None:
        return dg.SensorResult(
            skip_reason="the last look failed; it is tried again in some minutes"
        )
    request = caused_run(space, ["canary_report", "promoted_model"], run_key, cause, seen)
    return dg.SensorResult(run_requests=[request])
