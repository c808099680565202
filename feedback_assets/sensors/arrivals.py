"""New files at the sources and new rows in the inbox: bring exactly their days up to date."""

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import dagster as dg
import duckdb

from feedback_assets.assets.receipts import reading_tables
from feedback_assets.assets.space import DATAFLOW, LoopSpace
from feedback_assets.capture.arrivals import partitions_in
from feedback_assets.capture.feedback import feedback_partitions
from feedback_assets.capture.files import FileSource, SourceFile
from feedback_assets.capture.importers.landing import landed_files
from feedback_assets.capture.predictions import prediction_partitions
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.config.schema import Config
from feedback_assets.sensors.requests import (
    DATAFLOW_RETRIES,
    caused_run,
    contiguous,
    partition_tags,
)
from feedback_assets.sensors.waiting import InboxLook
from feedback_assets.tables.connection import connect

PartitionsOf = Callable[
    [duckdb.DuckDBPyConnection, Config, Sequence[SourceFile]],
    Mapping[SourceFile, Iterable[str]],
]
FINGERPRINT_BYTES = 8
SEPARATOR = "\n"
"""Between the files and the inbox in the cursor."""
SHOWN_STRAYS = 5


def arrivals(space: LoopSpace) -> dg.SensorDefinition:
    """The sensor that starts the dataflow for new or changed source files and new inbox rows.

    Its cursor is the files it has looked at, eight bytes each, and the inbox's sequence number.
    Without a cursor (first tick, or one that was lost) the tables' own commits tell which files are
    in, so nothing runs twice; the inbox's days are asked for again, which changes nothing.
    """

    @dg.sensor(
        name=f"{space.name}_arrivals",
        target=[space.key(asset) for asset in targets(space)],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="New files at the sources, and new rows of the service, start the dataflow for "
        "exactly the days they hold.",
        tags={"feedback_assets/loop": space.name},
    )
    def _arrivals(
        context: dg.SensorEvaluationContext, clock: dg.ResourceParam[Clock]
    ) -> dg.SensorResult:
        files, _, waiting = (context.cursor or "").partition(SEPARATOR)
        inbox = InboxLook.read(waiting)
        inbox.look(space)
        fresh, logs, now = look_at_files(space, Looked.read(files) if files else None, clock)
        for table, days in inbox.due(space, clock).items():
            for day in days:
                fresh[table].setdefault(day, []).append(f"inbox:{inbox.seq}")
        cursor = f"{now.text()}{SEPARATOR}{inbox.text()}"
        requests = runs(space, fresh, clock) + import_runs(space, logs)
        if outside := beyond_calendar(space, fresh):
            context.log.warning(outside)
        if not requests:
            count = len(now.settled) + len(now.waiting)
            nothing = f"no new file among {count} at the sources"
            nothing += ", no new row in the inbox" if inbox.seq else ""
            return dg.SensorResult(skip_reason=outside or nothing, cursor=cursor)
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return _arrivals


def targets(space: LoopSpace) -> tuple[str, ...]:
    """The assets that arrivals are about."""
    imports = ("imported_logs",) if space.imports_logs else ()
    return (*imports, "feedback_events", *DATAFLOW, "serving_log")


def look_at_files(
    space: LoopSpace, looked: "Looked | None", clock: Clock
) -> tuple[dict[str, dict[str, list[str]]], list[str], "Looked"]:
    """Look at every file of the sources.

    Returns:
        Table to day to the fingerprints of new files; fingerprints of new logs to be imported; what
        has been looked at now.
    """
    fresh: dict[str, dict[str, list[str]]] = {table: {} for table in reading_tables()}
    now = Looked(set(), set())
    with connect(space.settings) as con:
        for table, groups in sources(space).items():
            for files, partitions_of in groups:
                known = looked or ingested(
                    space, files, partitions_of(con, space.config, files), clock
                )
                open_files = [file for file in files if short(file) not in known.settled]
                days = partitions_of(con, space.config, open_files)
                due = {
                    file: keys
                    for file, keys in days.items()
                    if short(file) not in known.waiting or over(space, keys, clock)
                }
                for key, names in by_partition(due).items():
                    fresh[table].setdefault(key, []).extend(names)
                for file in files:
                    ended = file not in days or over(space, days[file], clock)
                    (now.settled if ended else now.waiting).add(short(file))
    foreign = foreign_logs(space)
    logs = [file.fingerprint for file in foreign if short(file) not in (looked or now).settled]
    now.settled |= {short(file) for file in foreign}
    return fresh, logs, now


def foreign_logs(space: LoopSpace) -> list[SourceFile]:
    """The files that are imported before they can be read."""
    groups = (FileSource(side, space.settings) for side in space.sources.values())
    return [file for group in groups if group.foreign for file in group.list()]


def import_runs(space: LoopSpace, logs: Sequence[str]) -> list[dg.RunRequest]:
    """The run that imports new logs; the days that they hold are found when it is done."""
    if not logs:
        return []
    digest = hashlib.sha256("\n".join(sorted(logs)).encode()).hexdigest()
    key = f"{space.name}:import:{digest}"
    return [
        caused_run(space, ["imported_logs"], key, "arrival", {"logs": len(logs)}, DATAFLOW_RETRIES)
    ]


@dataclass
class Looked:
    """The files that were looked at, by short fingerprint.

    A file with rows of a day that is not over yet waits: what it holds of later hours had not been
    received when it was read, so it is read once more when the day is over.
    """

    settled: set[str]
    waiting: set[str]

    def text(self) -> str:
        """As cursor text."""
        return f"{pack(self.settled)}|{pack(self.waiting)}"

    @classmethod
    def read(cls, cursor: str) -> Self:
        """The inverse of `text`."""
        settled, _, waiting = cursor.partition("|")
        return cls(unpack(settled), unpack(waiting))


def over(space: LoopSpace, keys: Iterable[str], clock: Clock) -> bool:
    """Whether all of these partitions lie in the past."""
    grain, now = space.config.partitions.grain, clock.now()
    return all(partition_end(grain, key) <= now for key in keys)


def sources(
    space: LoopSpace,
) -> dict[str, list[tuple[list[SourceFile], PartitionsOf]]]:
    """The loop's files by the table that reads them, and how they tell their days."""
    source, name = space.config.source, space.name
    return {
        "prediction_log": [
            (FileSource(source.predictions, space.settings).own(), prediction_partitions),
            (landed_files(space.settings, name, "predictions"), landed("event_time")),
        ],
        "feedback_events": [
            (FileSource(source.feedback, space.settings).own(), feedback_partitions),
            (landed_files(space.settings, name, "feedback"), landed("received_time")),
        ],
    }


def landed(time_column: str) -> PartitionsOf:
    """How imported logs tell their days."""

    def partitions_of(
        con: duckdb.DuckDBPyConnection, config: Config, files: Sequence[SourceFile]
    ) -> Mapping[SourceFile, Iterable[str]]:
        return partitions_in(con, files, time_column, config.partitions.grain)

    return partitions_of


def by_partition(days: Mapping[SourceFile, Iterable[str]]) -> dict[str, list[str]]:
    """Partition key to the fingerprints of the files that hold rows of it."""
    files: dict[str, list[str]] = {}
    for file, keys in days.items():
        for key in keys:
            files.setdefault(key, []).append(file.fingerprint)
    return files


def runs(
    space: LoopSpace, fresh: dict[str, dict[str, list[str]]], clock: Clock
) -> list[dg.RunRequest]:
    """One run for each stretch of neighbouring days, over the assets that the days concern.

    Predictions and the feedback on them go into one run: a launched run costs seconds before its
    first step, and the feedback table then joins the new feedback at once. Other days that only
    feedback came on go apart, and before: nothing is judged again for a file that reaches back to
    them, and what they say is known when the others are joined.
    """
    asked, told, served = (
        fresh[table] for table in ("prediction_log", "feedback_events", "serving_log")
    )
    calendar, longest = space.partitions.get_partition_keys(), space.config.partitions.chunk
    others = {*told, *served} - set(asked)
    with_answers = {*asked, *days_of_answers(space, asked, others, calendar)}
    requests = []
    for keys in (
        *contiguous(others - with_answers, calendar, longest),
        *contiguous(with_answers, calendar, longest),
    ):
        assets = ["feedback_events"] if any(key in told for key in keys) else []
        assets += DATAFLOW if any(key in asked for key in keys) else []
        assets += ["serving_log"] if any(key in served for key in keys) else []
        requests.append(arrival_run(space, assets, keys, fresh, clock))
    return requests


def days_of_answers(
    space: LoopSpace, asked: Collection[str], others: Collection[str], calendar: Sequence[str]
) -> Iterator[str]:
    """Days of feedback that follow days of predictions without a gap, within the label horizon."""
    grain = space.config.partitions.grain
    until: dt.datetime | None = None
    for key in calendar:
        if key in asked:
            until = partition_end(grain, key) + space.horizon
        elif key not in others or until is None or partition_start(grain, key) >= until:
            until = None
        else:
            yield key


def arrival_run(
    space: LoopSpace,
    assets: Sequence[str],
    keys: Sequence[str],
    fresh: Mapping[str, Mapping[str, Sequence[str]]],
    clock: Clock,
) -> dg.RunRequest:
    """The run that takes what arrived for some neighbouring days."""
    files = sorted({f for days in fresh.values() for key in keys for f in days.get(key, ())})
    final = str(over(space, keys, clock))
    digest = hashlib.sha256("\n".join([*assets, *keys, *files, final]).encode()).hexdigest()
    return caused_run(
        space,
        assets,
        f"{space.name}:arrival:{digest}",
        "arrival",
        {"partitions": f"{keys[0]}..{keys[-1]}", "files": len(files)},
        {**partition_tags(keys), **DATAFLOW_RETRIES},
    )


def beyond_calendar(space: LoopSpace, fresh: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """Which days of new files no run can take, in words; empty when there are none."""
    calendar = space.partitions.get_partition_keys()
    strays = sorted({key for days in fresh.values() for key in days} - set(calendar))
    if not strays:
        return ""
    return (
        f"rows of new files are left out, their time lies before partitions.start or after now: "
        f"{', '.join(strays[:SHOWN_STRAYS])}{' and more' if len(strays) > SHOWN_STRAYS else ''} "
        f"({calendar[0]} to {calendar[-1]} are taken)"
    )


def ingested(
    space: LoopSpace,
    files: Sequence[SourceFile],
    days: Mapping[SourceFile, Iterable[str]],
    clock: Clock,
) -> Looked:
    """What the tables' own commits tell of the files, for a sensor that lost its cursor."""
    names: set[str] = set()
    for table in ("prediction_log", "feedback_events"):
        for version in space.table(table).history():
            names.update(version.details.get("files", "").split())
    read = [file for file in files if file.fingerprint in names]
    ended = {short(file) for file in read if over(space, days[file], clock)}
    return Looked(ended, {short(file) for file in read} - ended)


def short(file: SourceFile) -> str:
    """The part of a file's fingerprint that the cursor keeps."""
    return hashlib.sha256(file.fingerprint.encode()).digest()[:FINGERPRINT_BYTES].hex()


def pack(fingerprints: Iterable[str]) -> str:
    """A set of short fingerprints as cursor text."""
    return (
        base64.b64encode(b"".join(sorted(bytes.fromhex(f) for f in fingerprints))).decode() or "-"
    )


def unpack(cursor: str) -> set[str]:
    """The inverse of `pack`."""
    raw = b"" if cursor == "-" else base64.b64decode(cursor)
    return {
        raw[start : start + FINGERPRINT_BYTES].hex()
        for start in range(0, len(raw), FINGERPRINT_BYTES)
    }
