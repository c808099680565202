"""The loop's decisions: the ledger is the truth, the decisions table its readable projection."""

import datetime as dt
import fcntl
import getpass
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.storage.tags import SENSOR_NAME_TAG

from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import LedgerError
from feedback_assets.ledger.heads import sign_head
from feedback_assets.ledger.records import Entry, Record
from feedback_assets.ledger.store import Ledger
from feedback_assets.promotion.decisions import (
    Decision,
    Kind,
    from_body,
    from_frame,
    to_body,
    to_frame,
)
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause

SHOWN_CHANGES = 5
BEFORE_LEDGER = ("retrain", "promote", "refuse")
"""What earlier releases decided, without a ledger."""
logger = logging.getLogger(__name__)
_READ: dict[str, tuple[tuple[str, Decision], ...]] = {}
"""Hash and decision of what was read before, by ledger: records never change. Replaced as a whole,
because sensors are evaluated in threads."""


def ledger_of(space: LoopSpace) -> Ledger:
    """The loop's ledger."""
    return Ledger(space.settings.ledger, space.name)


def decisions(space: LoopSpace, *kinds: Kind) -> list[Decision]:
    """The loop's decisions of these kinds (all if none is named), oldest first."""
    ledger = ledger_of(space)
    known = _READ.get(str(ledger.path), ())
    if known and not ledger.holds(len(known), known[-1][0]):
        known = ()  # another ledger is in its place: a replay began anew
    if not known:
        adopt(space)
    newer = tuple((record.hash, _decision(record)) for record in ledger.records(after=len(known)))
    _READ[str(ledger.path)] = known = known + newer
    return [decision for _, decision in known if not kinds or decision.kind in kinds]


def adopt(space: LoopSpace) -> None:
    """Take over the decisions of a home that an earlier release made without a ledger."""
    ledger = ledger_of(space)
    if ledger.head()[0]:
        return
    snapshot = space.table("decisions").snapshot()
    if not snapshot.partitions():
        return
    with connect(space.settings) as con:
        old = from_frame(con.execute(f"SELECT * FROM {snapshot.relation()} ORDER BY time").df())
    if any(decision.kind not in BEFORE_LEDGER for decision in old):
        raise LedgerError(
            f"{ledger.path} is gone or empty, but {space.name}.decisions shows what stood in it: "
            "restore it from a backup; nothing is decided without it"
        )
    ledger_of(space).append([_entry(decision) for decision in sorted(old, key=_order)])


def _order(decision: Decision) -> tuple[object, ...]:
    """By time; at one moment a version is trained before it is judged."""
    return decision.time, int(decision.version or 0), decision.kind != "retrain"


def record(
    space: LoopSpace,
    decision: Decision,
    run_id: str = "",
    then: Callable[[LoopSpace], object] | None = None,
) -> Decision:
    """Write a decision unless it is recorded already; what stands in the ledger is returned.

    A decision's id is a digest of its evidence: however often a crashed run is repeated, and by
    however many processes, it is there once. The table is brought in line with the ledger, also
    with what a process that died in between had recorded. A configuration that is not the one of the
    record before is recorded first.

    Args:
        space: The loop.
        decision: What was decided.
        run_id: Of the run, for the decisions table.
        then: What must follow at once, before witnesses and table: that the services are told.

    Raises:
        LedgerError: The ledger is damaged, or no continuation of what was signed before.
    """
    changed = changed_config(space, decision)
    written = ledger_of(space).append([_entry(d) for d in (*changed, decision)])[-1]
    if then is not None:
        then(space)
    sign_newest(space)
    project(space, run_id)
    return _decision(written)


def changed_config(space: LoopSpace, decision: Decision) -> list[Decision]:
    """The record of a configuration that no decision was made by before; none while it is the same."""
    known = decisions(space, "config")
    before = known[-1] if known else None
    if before is not None and before.evidence["digest"] == space.config_digest:
        return []
    now: dict[str, Any] = space.config.model_dump(mode="json")
    changes = differences(before.details["config"], now) if before else []
    told = ", ".join(change["field"] for change in changes[:SHOWN_CHANGES])
    return [
        Decision(
            loop=space.name,
            kind="config",
            time=decision.time,
            actor=decision.actor,
            cause=decision.cause,
            rule="seen when the next decision was made",
            reason=f"{len(changes)} fields changed: {told}" if changes else "as first seen",
            evidence={
                "digest": space.config_digest,
                "before": before.decision_id if before else None,
            },
            details={"changes": changes, "config": now},
        )
    ]


def differences(before: Any, after: Any, field: str = "") -> list[dict[str, Any]]:
    """Fields whose values differ, by their path.

    >>> differences({"gate": {"min_rows": 200}}, {"gate": {"min_rows": 50}})
    [{'field': 'gate.min_rows', 'before': 200, 'after': 50}]
    """
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            change
            for name in sorted({*before, *after})
            for change in differences(
                before.get(name), after.get(name), f"{field}.{name}" if field else name
            )
        ]
    return [] if before == after else [{"field": field, "before": before, "after": after}]


def project(space: LoopSpace, run_id: str = "") -> None:
    """Write into the decisions table what the ledger has and the table has not."""
    table = space.table("decisions")
    there = table.snapshot().partitions()
    missing = [d for d in decisions(space) if d.decision_id not in there]
    if not missing:
        return
    with connect(space.settings) as con:
        con.register("decided", to_frame(missing))
        try:
            table.replace(
                con,
                "SELECT * FROM decided",
                [decision.decision_id for decision in missing],
                Cause(run_id, f"{space.name}/decisions", {}),
            )
        finally:
            con.unregister("decided")


def sign_newest(space: LoopSpace) -> str:
    """Sign what the ledger says by now and hand it to the witnesses; none may stop a decision.

    Returns:
        The signed head as one line; empty before the first decision.

    Raises:
        LedgerError: The ledger is no continuation of what was signed before.
    """
    signed = sign_head(space.settings, space.name, dt.datetime.now(dt.UTC))
    for problem in signed.problems:
        logger.warning("ledger of %s: %s", space.name, problem)
    if signed.head is None:
        return ""
    logger.info("ledger of %s: %s", space.name, signed.head.text())
    return signed.head.text()


def actor_of(context: dg.AssetExecutionContext, settings: Settings) -> str:
    """Who stands behind a run: the sensor that asked for it, else a person."""
    sensor = context.run.tags.get(SENSOR_NAME_TAG)
    return f"sensor:{sensor}" if sensor else person(settings, context.run.tags.get("user"))


def person(settings: Settings, name: str | None = None) -> str:
    """The person who acts: by name, by `FEEDBACK_ASSETS_ACTOR`, else the system's user."""
    return f"person:{name or settings.actor or getpass.getuser()}"


@contextmanager
def one_at_a_time(space: LoopSpace, what: str) -> Iterator[None]:
    """Let only one process of this machine train, or promote, one loop at a time."""
    folder = space.settings.root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{space.name}.{what}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _entry(decision: Decision) -> Entry:
    return Entry(
        decision.decision_id, decision.kind, decision.time, decision.actor, to_body(decision)
    )


def _decision(record: Record) -> Decision:
    return from_body(record.loop, record.kind, record.time, record.actor, record.body)
