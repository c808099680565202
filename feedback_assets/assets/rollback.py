"""Taking a promotion back: the ledger first, then what the service reads, MLflow last."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from feedback_assets.assets.ledger import decisions, one_at_a_time, record
from feedback_assets.assets.models import ModelVersion, model_version, predecessor
from feedback_assets.assets.published import named, publish_models
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.stages import project_registry
from feedback_assets.errors import ServingError
from feedback_assets.promotion.decisions import Decision

LEAD = "lead"
"""Held while it changes who serves, for milliseconds; never while anything is judged."""


def roll_back(
    space: LoopSpace,
    *,
    to: int | None,
    reason: str,
    actor: str,
    cause: str,
    now: dt.datetime,
    undoes: str | None = None,
    rule: str = "by hand",
    by: Literal["watch", "hand"] = "hand",
    numbers: Mapping[str, float] | None = None,
    look: Mapping[str, Any] | None = None,
    run_id: str = "",
) -> Decision:
    """Take a promotion back, and tell MLflow; arguments, result and errors as of `undo`.

    A registry that is down does not stop it: who serves was changed before.
    """
    decision = undo(
        space, to=to, reason=reason, actor=actor, cause=cause, now=now, undoes=undoes, rule=rule,
        by=by, numbers=numbers, look=look, run_id=run_id,
    )  # fmt: skip
    project_registry(space)
    return decision


def undo(
    space: LoopSpace,
    *,
    to: int | None,
    reason: str,
    actor: str,
    cause: str,
    now: dt.datetime,
    undoes: str | None = None,
    rule: str = "by hand",
    by: Literal["watch", "hand"] = "hand",
    numbers: Mapping[str, float] | None = None,
    look: Mapping[str, Any] | None = None,
    run_id: str = "",
) -> Decision:
    """Record a rollback and have the services follow it.

    What is taken back is taken back once: however often and by whomever it is asked again, the first
    rollback stands, and the service's manifest is put right if that was not done.

    Args:
        space: The loop.
        to: The version that shall serve; the one before if absent.
        reason: In words, for people.
        actor: Who decides.
        cause: What asked for it.
        now: When.
        undoes: Id of the promotion that is taken back; of what the ledger did last if absent.
        rule: The rule that decided.
        by: The watch after a promotion, or a person.
        numbers: What decided.
        look: The paired evidence that decided.
        run_id: Of the run, for the decisions table.

    Returns:
        The rollback as it stands in the ledger.

    Raises:
        ServingError: Nothing serves, there is nothing to return to, `to` never served or does so
            already, its file is damaged, or `undoes` is not what serves any more.
        TrainingError: There is no version `to`.
    """
    with one_at_a_time(space, LEAD):
        standing = _standing(space, undoes, to)
        if standing is not None:
            # told, signed and shown, should that have been cut short
            return record(space, standing, run_id, publish_models)
        last = _last(space, undoes)
        target = _target(space, int(last.version or 0), to)
        decision = Decision(
            loop=space.name,
            kind="rollback",
            time=now,
            version=str(target.version),
            previous_version=last.version,
            actor=actor,
            cause=cause,
            rule=rule,
            reason=reason,
            evidence={"undoes": last.decision_id},
            numbers=dict(numbers or {}),
            details={"undoes": last.decision_id, "by": by, "look": dict(look) if look else None},
        )
        return record(space, decision, run_id, publish_models)


def _standing(space: LoopSpace, undoes: str | None, to: int | None) -> Decision | None:
    """The rollback that was asked for and is there already.

    Without a version, it is what the ledger did last: to go further back takes a version.
    """
    led = decisions(space, "promote", "rollback")
    if undoes is not None:
        taken = (d for d in led if d.kind == "rollback" and d.evidence.get("undoes") == undoes)
        return next(taken, None)
    if led and led[-1].kind == "rollback" and (to is None or led[-1].version == str(to)):
        return led[-1]
    return None


def _last(space: LoopSpace, undoes: str | None) -> Decision:
    """What brought the champion to its place."""
    led = decisions(space, "promote", "rollback")
    if not led:
        raise ServingError(f"{space.name} has no champion: there is nothing to roll back")
    if undoes is not None and led[-1].decision_id != undoes:
        raise ServingError(
            f"{space.name}: version {led[-1].version} serves since {led[-1].time:%Y-%m-%d %H:%M}, "
            f"not what decision {undoes[:12]} promoted: nothing is taken back"
        )
    return led[-1]


def _target(space: LoopSpace, serving: int, to: int | None) -> ModelVersion:
    """The version to return to, whose file is proven to be the registered one."""
    target = predecessor(space) if to is None else model_version(space, to)
    if target is None:
        raise ServingError(
            f"{space.name}: version {serving} is the first that serves, there is none before it; "
            "name another one that served with --to, or promote a better one"
        )
    served = sorted({int(d.version or 0) for d in decisions(space, "promote")})
    if target.version not in served:
        told = ", ".join(map(str, served))
        raise ServingError(
            f"{space.name}: version {target.version} never served, a rollback only returns to one "
            f"that did ({told}); try a new one with `feedback-assets challenge`"
        )
    if target.version == serving:
        raise ServingError(f"{space.name}: version {serving} serves already")
    named(space, target)
    return target
