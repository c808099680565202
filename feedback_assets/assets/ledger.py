"""The loop's decisions: the ledger is the truth, the decisions table its readable projection."""

import fcntl
import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.storage.tags import SENSOR_NAME_TAG

from feedback_assets.assets.space import LoopSpace
from feedback_assets.ledger.records import Entry, Record
from feedback_assets.ledger.store import Ledger
from feedback_assets.promotion.decisions import Decision, Kind, from_body, to_body, to_frame
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause

_READ: dict[str, list[tuple[str, Decision]]] = {}
"""Hash and decision of what was read before, by ledger: records never change."""


def ledger_of(space: LoopSpace) -> Ledger:
    """The loop's ledger."""
    return Ledger(space.settings.ledger, space.name)


def decisions(space: LoopSpace, *kinds: Kind) -> list[Decision]:
    """The loop's decisions of these kinds (all if none is named), oldest first."""
    ledger = ledger_of(space)
    known = _READ.setdefault(str(ledger.path), [])
    if known and not ledger.holds(len(known), known[-1][0]):
        known.clear()  # another ledger is in its place: a replay began anew
    for record in ledger.records(after=len(known)):
        known.append((record.hash, _decision(record)))
    return [decision for _, decision in known if not kinds or decision.kind in kinds]


def record(space: LoopSpace, decision: Decision, run_id: str = "") -> Decision:
    """Write a decision unless it is recorded already; what stands in the ledger is returned.

    A decision's id is a digest of its evidence: however often a crashed run is repeated, and by
    however many processes, it is there once. The table is brought in line with the ledger, also
    with what a process that died in between had recorded.
    """
    written = ledger_of(space).append([_entry(decision)])[0]
    project(space, run_id)
    return _decision(written)


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
