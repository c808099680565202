"""The decisions table: one record for each thing that was decided, never two for the same."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import dagster as dg
import duckdb
import pyarrow.parquet as pq

from feedback_assets.assets.space import LoopSpace
from feedback_assets.promotion.decisions import Decision, Kind, from_frame, to_frame


def decisions(space: LoopSpace, *kinds: Kind) -> list[Decision]:
    """The loop's decisions of these kinds (all if none is named), oldest first."""
    snapshot = space.table("decisions").snapshot()
    files = (file for info in snapshot.partitions().values() for file in info.files)
    known = [decision for file in files for decision in _stored(file)]
    known.sort(key=_order)
    return [decision for decision in known if not kinds or decision.kind in kinds]


def _order(decision: Decision) -> tuple[object, ...]:
    """By time; at one moment a version is trained before it is judged."""
    version = int(decision.version or 0)
    return decision.time, version, decision.kind != "retrain", decision.decision_id


@lru_cache(maxsize=4096)
def _stored(file: str) -> tuple[Decision, ...]:
    """The decisions of a data file, which has its content's digest in its name."""
    return tuple(from_frame(pq.ParquetFile(file).read().to_pandas()))


def record(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    context: dg.AssetExecutionContext,
    decision: Decision,
) -> Decision:
    """Write a decision unless it is recorded already; what stands in the ledger is returned.

    A decision is a partition of its own, named by the digest of its evidence: however often a
    crashed run is repeated, and by however many processes, it is there once.
    """
    known = {d.decision_id: d for d in decisions(space)}
    if decision.decision_id in known:
        return known[decision.decision_id]
    con.register("decided", to_frame([decision]))
    try:
        space.table("decisions").replace(
            con,
            "SELECT * FROM decided",
            [decision.decision_id],
            space.cause(context, {}, kind=decision.kind),
        )
    finally:
        con.unregister("decided")
    return decision


@contextmanager
def one_at_a_time(space: LoopSpace, what: str) -> Iterator[None]:
    """Let only one process of this machine train, or promote, one loop at a time."""
    folder = space.settings.root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{space.name}.{what}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
