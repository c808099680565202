"""A pinned version of a table in Spark, for tables that outgrow one machine (extra `[spark]`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from feedback_assets.tables.snapshot import Snapshot

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TYPE_INFERENCE = "spark.sql.sources.partitionColumnTypeInference.enabled"


def read_snapshot(
    session: "SparkSession", snapshot: Snapshot, partitions: Sequence[str] | None = None
) -> "DataFrame":
    """Exactly the rows of a version, as DuckDB reads them: Spark is given the version's files.

    Args:
        session: A session in UTC (`spark.sql.session.timeZone`).
        snapshot: The version.
        partitions: Which partitions; all if absent.
    """
    known = snapshot.partitions()
    keys = known if partitions is None else [key for key in partitions if key in known]
    files = [file for key in keys if known[key].rows for file in known[key].files]
    # '2013' is a partition's name, never a number.
    session.conf.set(TYPE_INFERENCE, "false")
    frame = session.read.option("basePath", str(snapshot.path)).parquet(*files)
    return frame.select(list(snapshot.columns()))
