"""A Delta table: replace partitions in one commit, read a pinned version, tell its history."""

import datetime as dt
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    create_table_with_add_actions,
)

from feedback_assets.errors import StaleInputsError, TableError
from feedback_assets.tables import log
from feedback_assets.tables.snapshot import (
    NO_VERSION,
    PARTITION,
    PartitionInfo,
    Snapshot,
    checked_keys,
    no_snapshot,
    open_snapshot,
    shape_of,
)
from feedback_assets.tables.staging import Staged, StagedFile, publish, staged_rows
from feedback_assets.tables.types import arrow_schema

__all__ = ["Cause", "PartitionInfo", "Snapshot", "Table", "Version"]

COMMIT_ATTEMPTS = 20
_CONFIGURATION = {
    "delta.checkpointInterval": "100",
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


@dataclass(frozen=True)
class Cause:
    """Why a commit is made: the run, the asset and the version of each input it read."""

    run_id: str
    asset: str
    inputs: Mapping[str, int]
    details: Mapping[str, str] = field(default_factory=dict)

    def meaning(self) -> dict[str, Any]:
        """Return the cause as JSON."""
        return {
            "run_id": self.run_id,
            "asset": self.asset,
            "inputs": dict(self.inputs),
            "details": dict(self.details),
        }


@dataclass(frozen=True)
class Version:
    """One commit of a table; `rows` counts those in the partitions it replaced."""

    version: int
    timestamp: dt.datetime
    run_id: str
    asset: str
    inputs: Mapping[str, int] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    rows: int = 0
    details: Mapping[str, str] = field(default_factory=dict)


class Table:
    """A table partitioned by `partition_key`, in the folder `root / name`.

    Args:
        root: The folder of all tables.
        name: Loop and table, as in `flights/prediction_log`.
        key: The columns that make the rows of a partition unique.
    """

    def __init__(self, root: Path, name: str, key: Sequence[str]) -> None:
        self.name, self.key = name, tuple(key)
        self.path = root / name

    def exists(self) -> bool:
        """Tell whether the table was ever written."""
        return bool(log.versions(self.path))

    def snapshot(self, version: int | None = None, at: dt.datetime | None = None) -> Snapshot:
        """Pin a version: the newest, the given one, or the newest that was there `at` a time.

        Returns:
            The snapshot; an empty one of version -1 when the table was not there (then).

        Raises:
            TableError: There is no such version, or the table is damaged.
        """
        log.heal(self.path)
        known = log.versions(self.path)
        if at is not None:
            version = self._version_at(at)
        if version == NO_VERSION or (version is None and not known):
            return no_snapshot(self.name, self.path)
        if version is not None and version not in known:
            span = f"{known[0]} to {known[-1]}" if known else "none"
            raise TableError(f"the table {self.name} has no version {version}; it has: {span}")
        return open_snapshot(self.name, self.path, version)

    def replace(
        self,
        con: duckdb.DuckDBPyConnection,
        query: str,
        partitions: Sequence[str],
        cause: Cause,
    ) -> Snapshot:
        """Make the named partitions hold exactly the rows of `query`, in one commit.

        A partition without rows becomes empty and is recorded as such. A partition whose content
        stays the same is not rewritten; when none changes there is no commit.

        Args:
            con: A connection on which the query runs; Arrow tables are registered on it.
            query: SELECT of all columns, `partition_key` included; a column that the table has
                and the query lacks is null, a new one is added to the table.
            partitions: Every partition that the query may yield.
            cause: Why; kept with the commit and in each file.

        Returns:
            The table after the commit.

        Raises:
            StaleInputsError: A partition that would change was made from newer inputs.
            TableError: The query does not fit the table, yields rows of another partition or two
                rows with one key; or others kept committing first.
        """
        if "%" in str(self.path):
            # deltalake decodes the path as an address and would write somewhere else.
            raise TableError(f"{self.path} has a % in it; choose another FEEDBACK_ASSETS_HOME")
        keys = checked_keys(self.name, partitions)
        if not keys:
            return self.snapshot()
        where = (self.name, self.path, self.key, cause.meaning())
        with staged_rows(con, query, keys, *where) as staged:
            return self._commit(staged, cause)

    def history(self) -> list[Version]:
        """Tell what each commit was, newest first."""
        log.heal(self.path)
        return [_version(number, info) for number, info in log.newest_first(self.path)]

    def _version_at(self, at: dt.datetime) -> int:
        for version, info in log.newest_first(self.path):
            if log.commit_time(info) <= at:
                return version
        return NO_VERSION

    def _commit(self, staged: Staged, cause: Cause) -> Snapshot:
        published: dict[str, Path] = {}
        base = self.snapshot()
        first = base.version + 1
        try:
            for attempt in range(COMMIT_ATTEMPTS):
                types = _merged(base, staged)
                changed = [file for file in staged.files if _changes(file, base, types)]
                if not changed:
                    return base
                _refuse_stale(base, changed, cause)
                for file in changed:
                    if file.partition not in published:
                        target = publish(self.path, file, shape_of(staged.types))
                        published[file.partition] = target
                if self._try_commit(base, types, changed, published, cause):
                    return self.snapshot(base.version + 1)
                time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))  # noqa: S311 - jitter
                base = self.snapshot()
            raise TableError(
                f"{self.name}: other processes committed first {COMMIT_ATTEMPTS} times in a row; "
                "run it again"
            )
        finally:
            # An interrupt may come when the commit is already made, so the log has the last word.
            for path in published.values():
                if not log.mentions(self.path, first, path.name):
                    path.unlink(missing_ok=True)

    def _try_commit(
        self,
        base: Snapshot,
        types: Mapping[str, str],
        changed: Sequence[StagedFile],
        published: Mapping[str, Path],
        cause: Cause,
    ) -> bool:
        """Commit on top of `base` and nothing else; False when another commit came first."""
        adds = [_add_action(self.path, published[file.partition], file) for file in changed]
        properties = _properties(base, changed, cause)
        schema = Schema.from_arrow(arrow_schema(types))
        try:
            if base.version == NO_VERSION:
                create_table_with_add_actions(
                    str(self.path),
                    schema,
                    adds,
                    partition_by=[PARTITION],
                    name=self.name,
                    configuration=_CONFIGURATION,
                    commit_properties=properties,
                )
            else:
                DeltaTable(str(self.path), version=base.version).create_write_transaction(
                    [*adds],
                    "overwrite",
                    schema,
                    [PARTITION],
                    [(PARTITION, "in", [file.partition for file in changed])],
                    commit_properties=properties,
                )
        except DeltaError as error:
            # What follows a commit, as writing a checkpoint, can fail after the commit is made.
            if not log.mentions(self.path, base.version + 1, published[changed[0].partition].name):
                overtaken = log.versions(self.path)[-1:] > [base.version]
                if overtaken or isinstance(error, CommitFailedError):
                    return False
                raise TableError(f"{self.name}: cannot commit: {error}") from error
        log.sync_commit(self.path, base.version + 1)
        return True


def _merged(base: Snapshot, staged: Staged) -> dict[str, str]:
    """Return the columns of the table together with new ones of the replacement."""
    merged = base.columns()
    for name, kind in staged.types.items():
        if merged.setdefault(name, kind) != kind:
            raise TableError(
                f"{base.table}: column {name} is {merged[name]} in the table and {kind} in the "
                f"query; CAST it in the query, or move {base.path} away to start the table anew"
            )
    return merged


def _changes(file: StagedFile, base: Snapshot, types: Mapping[str, str]) -> bool:
    info = base.partitions().get(file.partition)
    return info is None or info.digest != file.digest or len(types) > len(base.columns())


def _refuse_stale(base: Snapshot, changed: Sequence[StagedFile], cause: Cause) -> None:
    for file in changed:
        for name, version in base.inputs(file.partition).items():
            ours = cause.inputs.get(name, version)
            if ours < version:
                raise StaleInputsError(
                    f"{base.table}: partition {file.partition} was made from {name} {version}, "
                    f"newer than {ours} offered now; run {cause.asset} again on current inputs"
                )


def _add_action(table: Path, path: Path, file: StagedFile) -> AddAction:
    return AddAction(
        path=path.relative_to(table).as_posix(),
        size=path.stat().st_size,
        partition_values={PARTITION: file.partition},
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps({"numRecords": file.rows}),
    )


def _properties(base: Snapshot, changed: Sequence[StagedFile], cause: Cause) -> CommitProperties:
    present = base.partitions()
    removed = sum(len(present[file.partition].files) for file in changed
                  if file.partition in present)  # fmt: skip
    meaning = {
        **cause.meaning(),
        "partitions": {file.partition: file.rows for file in changed},
        "actions": len(changed) + removed,
    }
    # Without retries the library never commits on a version that was not looked at here.
    return CommitProperties({log.MEANING: json.dumps(meaning)}, max_commit_retries=0)


def _version(number: int, info: Mapping[str, Any]) -> Version:
    meaning = info[log.MEANING]
    rows = meaning.get("partitions", {})
    return Version(
        version=number,
        timestamp=log.commit_time(dict(info)),
        run_id=meaning.get("run_id", ""),
        asset=meaning.get("asset", ""),
        inputs=meaning.get("inputs", {}),
        partitions=tuple(rows),
        rows=sum(rows.values()),
        details=meaning.get("details", {}),
    )
