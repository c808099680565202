"""Whether stored data may be built upon; the checks and every downstream asset ask here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.contract import feedback_schema, prediction_schema
from feedback_assets.capture.feedback import DUPLICATE_EVENT
from feedback_assets.capture.predictions import DUPLICATE_ID
from feedback_assets.capture.screen import failure_cases
from feedback_assets.capture.waiting import REFUSED_PREFIX
from feedback_assets.sqltext import literal, literals
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

SHOWN_FAILURES = 20
SHOWN_KEYS = 5


@dataclass(frozen=True)
class ContractState:
    """What is wrong with one table's partitions."""

    rows: int
    quarantined: int
    problems: list[str] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether downstream assets may build on the data."""
        return not self.problems


def inspect(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    asset: str,
    keys: Sequence[str],
    snapshot: Snapshot | None = None,
) -> ContractState:
    """Look at stored partitions of `prediction_log` or `feedback_events` against the contract.

    Args:
        space: The loop.
        con: A connection.
        asset: Which of the two tables.
        keys: Partitions to look at; those never materialized are passed over.
        snapshot: The version to look at; the newest if absent.
    """
    snapshot = snapshot or space.table(asset).snapshot()
    known = snapshot.partitions()
    present = [key for key in keys if key in known]
    rows = {key: known[key].rows for key in present}
    quarantined = _refused(space, con, asset, present)
    problems = [
        f"{key}: {count:,} of {count + rows[key]:,} rows refused, "
        f"more than {space.config.contract.max_quarantine_share:.0%} "
        f"(contract.max_quarantine_share); see {space.name}.{asset}_quarantine"
        for key, count in quarantined.items()
        if count > space.config.contract.max_quarantine_share * (count + rows[key])
    ]
    failures = _failures(space, con, asset, snapshot, [key for key in present if rows[key]])
    problems += [
        f"{f['partition']}: {f['column']} breaks {f['check']} in {f['failures']} rows"
        for f in failures[:SHOWN_FAILURES]
    ]
    return ContractState(
        sum(rows.values()), sum(quarantined.values()), problems, failures[:SHOWN_FAILURES]
    )


def _refused(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, asset: str, keys: Sequence[str]
) -> dict[str, int]:
    """Rows in quarantine by partition that are a sign of trouble.

    One that only repeats a stored row is none, nor is a payload that the service refused: its sender
    was told, and whoever may send nonsense must not be able to stop the loop.
    """
    quarantine = space.table(f"{asset}_quarantine").snapshot()
    known = quarantine.partitions()
    filled = [key for key in keys if key in known and known[key].rows]
    if not filled:
        return {}
    relation = quarantine.relation(filled, ["partition_key", "reason", "source_file"])
    found = con.execute(
        f"""SELECT partition_key, COUNT(*) FROM {relation}
            WHERE reason NOT IN ({literals([DUPLICATE_ID, DUPLICATE_EVENT])})
              AND NOT starts_with(source_file, {literal(REFUSED_PREFIX)})
            GROUP BY partition_key"""
    ).fetchall()
    return {str(key): int(count) for key, count in found}


def _failures(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    asset: str,
    snapshot: Snapshot,
    keys: Sequence[str],
) -> list[dict[str, str]]:
    """Rows that break the contract by partition; ids are unique within a partition."""
    schema = (prediction_schema if asset == "prediction_log" else feedback_schema)(space.config)

    def found(*keys: str) -> pd.DataFrame:
        return failure_cases(con, snapshot.relation(keys), schema, SHOWN_FAILURES)

    if not keys or found(*keys).empty:
        return []
    return [
        {"partition": key, **{str(name): str(value) for name, value in row.items()}}
        for key in keys
        for row in found(key).to_dict(orient="records")
    ]


def refuse_missing(space: LoopSpace, asset: str, keys: Sequence[str], snapshot: Snapshot) -> None:
    """See that every partition to be built upon is there.

    Raises:
        dg.Failure: One was never materialized.
    """
    known = snapshot.partitions()
    missing = [key for key in keys if key not in known]
    if missing:
        more = f" and {len(missing) - SHOWN_KEYS} more" if len(missing) > SHOWN_KEYS else ""
        raise dg.Failure(
            f"{space.name}.{asset} was never materialized for "
            f"{', '.join(missing[:SHOWN_KEYS])}{more}: materialize it first",
            allow_retries=False,
        )


def refuse_broken(space: LoopSpace, keys: Sequence[str], predictions: Snapshot) -> None:
    """Look at the contract again before building on predictions.

    A blocking check stops what is downstream in its own run only.

    Raises:
        dg.Failure: A partition was never materialized, or its contract does not hold.
    """
    refuse_missing(space, "prediction_log", keys, predictions)
    with connect(space.settings) as con:
        state = inspect(space, con, "prediction_log", keys, predictions)
    if not state.holds:
        raise dg.Failure(
            "the contract of prediction_log does not hold: " + "; ".join(state.problems[:5]),
            metadata={"problems": dg.MetadataValue.json(state.problems)},
            allow_retries=False,
        )
