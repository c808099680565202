"""A range of partitions materialized again in this process, a chunk to a run."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from feedback_assets.assets.space import CAUSE_TAG, JUDGEMENTS, LOOP_TAG
from feedback_assets.config.grain import partition_key_of, partition_range
from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.inprocess import first_problem, run_in_process
from feedback_assets.loop import FeedbackLoop
from feedback_assets.sensors.requests import partition_tags

PARTITIONED = ("prediction_log", "feedback_events", "feedback_table", *JUDGEMENTS)


def backfill_range(
    loop: FeedbackLoop,
    instance: dg.DagsterInstance,
    assets: Sequence[str],
    first: dt.datetime,
    last: dt.datetime,
    console: Console,
) -> bool:
    """Materialize `assets` from the partition of `first` to that of `last`.

    Returns:
        Whether every run succeeded; a failed chunk does not stop the others.

    Raises:
        FeedbackAssetsError: An asset is not partitioned, or the range is empty.
    """
    unknown = sorted(set(assets) - set(PARTITIONED))
    if unknown:
        raise FeedbackAssetsError(
            f"{', '.join(unknown)}: only {', '.join(PARTITIONED)} are made day by day"
        )
    grain = loop.config.partitions.grain
    calendar = set(loop.space.partitions.get_partition_keys())
    keys = [
        key
        for key in partition_range(
            grain, partition_key_of(grain, first), partition_key_of(grain, last)
        )
        if key in calendar
    ]
    if not keys:
        raise FeedbackAssetsError(
            f"no partition of {loop.config.name} lies between {first:%Y-%m-%d} and "
            f"{last:%Y-%m-%d}; its first is {loop.config.partitions.start}"
        )
    size = loop.config.partitions.chunk
    chunks = [keys[start : start + size] for start in range(0, len(keys), size)]
    job = loop.definitions().resolve_implicit_global_asset_job_def()
    failed = 0
    for chunk in track(chunks, f"{len(keys)} partitions in {len(chunks)} runs", console=console):
        tags = {LOOP_TAG: loop.config.name, CAUSE_TAG: "backfill", **partition_tags(chunk)}
        wanted = [loop.space.key(asset) for asset in assets]
        result = run_in_process(job, instance, wanted, tags)
        if not result.success:
            failed += 1
            console.print(
                f"[red]failed[/] {chunk[0]}..{chunk[-1]}, run {result.run_id[:8]}: "
                f"{escape(first_problem(result))}",
                highlight=False,
            )
    console.print(f"{len(chunks) - failed} of {len(chunks)} runs succeeded", highlight=False)
    return not failed
