"""Days judged against every reference that the loop's file names, from stored counts alone."""

import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import uuid4

import duckdb

from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.profiles import counted
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_end, partition_key_of, partition_range
from feedback_assets.config.judgement import Reference
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.profile import ReferenceProfile, SliceKey, from_tallies
from feedback_assets.drift.stretch import stretch
from feedback_assets.drift.verdict import DayVerdict, days_read, judge, judge_once
from feedback_assets.tables.table import Snapshot

Counted = Mapping[SliceKey, Mapping[str, Tally]]


def verdicts(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    profiles: Snapshot,
    reference: ModelVersion | None,
    keys: Sequence[str],
    as_of: dt.datetime,
) -> dict[str, dict[str, DayVerdict]]:
    """Verdicts by reference and day; days without rows have none, nor has any before a champion.

    Labels that have arrived are no fair sample of all, so the label serves as evidence only on days
    past the label horizon; before, it is shown.
    """
    known = profiles.partitions()
    filled = [key for key in keys if known[key].rows]
    if reference is None or not filled:
        return {}
    profile = reference.reference()
    found: dict[str, dict[str, DayVerdict]] = {}
    for against in space.config.drift.references:
        if against.kind == "training":
            days = since_training(space, con, profiles, reference, profile, filled, as_of)
        else:
            days = against_days(space, con, profiles, reference, profile, against, filled)
        found[against.name] = days
    return found


def since_training(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    profiles: Snapshot,
    reference: ModelVersion,
    profile: ReferenceProfile,
    keys: Sequence[str],
    as_of: dt.datetime,
) -> dict[str, DayVerdict]:
    """Verdicts from all days since the training data's end; a day within them is judged alone."""
    grain, policy = space.config.partitions.grain, space.config.drift
    trained = partition_key_of(grain, reference.train_end)
    later = [key for key in keys if key > trained]
    found: dict[str, DayVerdict] = {}
    for key in keys:
        if key <= trained:
            counts = stretch(con, profiles.relation([key]), profile, [key], reference.version)
            found |= judge(profile, counts, [key], policy, [0], mature(space, [key], as_of))
    if later:
        since = partition_range(grain, trained, later[-1])[1:]
        skipped = max(0, since.index(later[0]) + 1 - days_read(policy))
        days = since[skipped:]
        counts = stretch(con, profiles.relation(days), profile, days, reference.version)
        wanted = [days.index(key) for key in later]
        ripe = mature(space, days, as_of)
        found |= judge(profile, counts, days, policy, wanted, ripe, skipped)
    return found


def mature(space: LoopSpace, days: Sequence[str], as_of: dt.datetime) -> dict[str, set[int]]:
    """Positions of the days whose labels have all had the time to come."""
    grain, horizon = space.config.partitions.grain, space.horizon
    old = {i for i, key in enumerate(days) if partition_end(grain, key) + horizon <= as_of}
    return {"label": old}


def against_days(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    profiles: Snapshot,
    reference: ModelVersion,
    profile: ReferenceProfile,
    against: Reference,
    keys: Sequence[str],
) -> dict[str, DayVerdict]:
    """Verdicts on days alone against other days, counted in the same cells."""
    policy = space.config.drift
    wanted = {key: compared(space, against, key) for key in keys}
    days = sorted({day for others in wanted.values() for day in others} | set(keys))
    if against.kind == "fixed":
        relation = fixed_counts(space, con, profiles, reference, days)
    else:
        relation = profiles.relation(days)
    counts = stretch(con, relation, profile, days, reference.version)
    place = {day: i for i, day in enumerate(days)}
    found: dict[str, DayVerdict] = {}
    for key, others in wanted.items():
        moved = from_tallies(profile, of_days(counts, [place[day] for day in others]), policy)
        today = of_days(counts, [place[key]])
        found[key] = judge_once(moved, today, policy, key)
    return found


def compared(space: LoopSpace, against: Reference, key: str) -> list[str]:
    """The days that a day is compared with, oldest first."""
    grain = space.config.partitions.grain
    first = partition_key_of(
        grain, dt.datetime.combine(space.config.partitions.start, dt.time(), dt.UTC)
    )
    if against.kind == "fixed" and against.start and against.end:
        ends = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (against.start, against.end))
        begin, last = (partition_key_of(grain, moment) for moment in ends)
        return [day for day in partition_range(grain, begin, last) if day != key]
    before = partition_range(grain, first, key)[:-1]
    if against.kind == "previous":
        return before[-against.days :]
    end = partition_end(grain, key)
    weeks = [end - dt.timedelta(weeks=week) for week in range(1, against.weeks + 1)]
    same = {partition_key_of(grain, moment - dt.timedelta(microseconds=1)) for moment in weeks}
    return [day for day in before if day in same]


def fixed_counts(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    profiles: Snapshot,
    reference: ModelVersion,
    days: Sequence[str],
) -> str:
    """Profiles of days as a relation; those made against another version are counted again once.

    What is counted is kept with the version, so that the rows are not read a second time.
    """
    kept = reference.folder / "counted"
    kept.mkdir(exist_ok=True)
    own = set(counted_against(con, profiles, days, reference.version))
    source = space.table("feedback_table").snapshot()
    there = source.partitions()
    relations = [profiles.relation(sorted(own))]
    for day in days:
        if day in own or day not in there or not there[day].rows:
            continue
        path = kept / f"{day}-{there[day].digest[:16]}.parquet"
        if not path.exists():
            # Two processes may count the same day at once: each writes a file of its own.
            making = kept / f".{path.name}.{uuid4().hex}"
            counted(space, con, source, [day], reference).to_parquet(making, index=False)
            making.rename(path)
        relations.append(f"(SELECT * FROM read_parquet('{path}'))")
    return "(" + " UNION ALL BY NAME ".join(f"SELECT * FROM {r}" for r in relations) + ")"


def counted_against(
    con: duckdb.DuckDBPyConnection, profiles: Snapshot, days: Sequence[str], version: int
) -> list[str]:
    """The days whose profile is in this version's cells."""
    rows = con.execute(
        f"SELECT DISTINCT partition_key FROM {profiles.relation(days, ['partition_key', 'against'])}"
        f" WHERE against = {version}"
    ).fetchall()
    return [key for (key,) in rows]


def of_days(counts: Counted, positions: Sequence[int]) -> dict[SliceKey, dict[str, Tally]]:
    """The tallies of some days."""
    rows = list(positions)
    return {
        key: {name: Tally(t.counts[rows], t.sums[rows]) for name, t in tallies.items()}
        for key, tallies in counts.items()
    }
