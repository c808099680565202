"""Which partitions a check looks at: those of its run, else the newest one."""

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from feedback_assets.assets.space import LoopSpace


def partitions_in_scope(
    context: dg.AssetCheckExecutionContext, space: LoopSpace, asset: str
) -> list[str]:
    """Partition keys of the run that the check is part of; alone, the table's newest partition.

    Checks have no partitions of their own in Dagster, so they are told by the run's tags.
    """
    tags = context.run.tags
    if ASSET_PARTITION_RANGE_START_TAG in tags:
        span = dg.PartitionKeyRange(
            tags[ASSET_PARTITION_RANGE_START_TAG], tags[ASSET_PARTITION_RANGE_END_TAG]
        )
        return list(space.partitions.get_partition_keys_in_range(span))
    if PARTITION_NAME_TAG in tags:
        return [tags[PARTITION_NAME_TAG]]
    known = space.table(asset).snapshot().partitions()
    return [max(known)] if known else []
