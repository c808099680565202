"""Run requests: days gathered into few runs, each with its cause."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    RUN_KEY_TAG,
)

from feedback_assets.assets.space import CAUSE_TAG, EVIDENCE_TAG, LOOP_TAG, LoopSpace

ASKED_TAG = "feedback_assets/asked"
"""What a run was asked for: its run key without the number of the attempt."""
AGAIN = ":again-"
RETRY_AFTER, RETRY_AT_LEAST = dt.timedelta(minutes=1), dt.timedelta(hours=1)
"""Before the second attempt; doubles each time until it is every hour."""
MOST_DOUBLINGS = 10
ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
DATAFLOW_RETRIES = {"dagster/max_retries": "2"}


def contiguous(keys: Iterable[str], calendar: Sequence[str], longest: int) -> list[list[str]]:
    """Group partition keys into runs of neighbours, each at most `longest` long.

    >>> contiguous(["b", "c", "e"], ["a", "b", "c", "d", "e"], 31)
    [['b', 'c'], ['e']]
    """
    place = {key: index for index, key in enumerate(calendar)}
    wanted = sorted({key for key in keys if key in place}, key=place.__getitem__)
    if not wanted:
        return []
    groups = [[wanted[0]]]
    for before, key in pairwise(wanted):
        if place[key] == place[before] + 1 and len(groups[-1]) < longest:
            groups[-1].append(key)
        else:
            groups.append([key])
    return groups


def partition_tags(keys: Sequence[str]) -> dict[str, str]:
    """The tags that make one run take all partitions from the first key to the last."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: keys[0],
        ASSET_PARTITION_RANGE_END_TAG: keys[-1],
    }


def caused_run(
    space: LoopSpace,
    assets: Sequence[str],
    run_key: str,
    cause: str,
    evidence: Mapping[str, object],
    tags: Mapping[str, str] | None = None,
) -> dg.RunRequest:
    """A run of some of the loop's assets whose tags say why it was started."""
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=[space.key(asset) for asset in assets],
        tags={
            LOOP_TAG: space.name,
            ASKED_TAG: run_key.split(AGAIN)[0],
            CAUSE_TAG: cause,
            EVIDENCE_TAG: json.dumps(dict(evidence), sort_keys=True, default=str),
            **(tags or {}),
        },
    )


def attempt(instance: dg.DagsterInstance, key: str) -> str | None:
    """The run key to ask by for the same cause, again some time after a run of it failed.

    Dagster remembers a run key for ever, of failed and killed runs too; so each attempt has its own.

    Returns:
        The key; None while the last failed attempt is too recent.
    """
    same = dg.RunsFilter(tags={ASKED_TAG: key})
    newest = next(iter(instance.get_run_records(same, limit=1)), None)
    if newest is None:
        return key
    if newest.dagster_run.status not in ENDED_BADLY:
        return newest.dagster_run.tags[RUN_KEY_TAG]
    failed = instance.get_runs_count(same)
    pause = min(RETRY_AFTER * 2 ** min(failed - 1, MOST_DOUBLINGS), RETRY_AT_LEAST)
    age = dt.datetime.now(dt.UTC) - newest.create_timestamp.replace(tzinfo=dt.UTC)
    return f"{key}{AGAIN}{failed}" if age >= pause else None
