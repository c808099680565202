"""The rows that trained a model version, read again from the version of the pool it pinned."""

import pyarrow as pa

from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.labels.pool import training_sql
from feedback_assets.tables.connection import connect
from feedback_assets.tables.digest import digest_of


def training_rows(space: LoopSpace, model: ModelVersion) -> pa.Table:
    """Exactly the rows that a version was trained on, in the order of their ids."""
    pool = model.manifest["pool"]
    snapshot = space.table("labeled_pool").snapshot(pool["version"])
    config = space.config.model_copy(
        update={"model": space.config.model.model_copy(update=model.manifest["sampling"])}
    )
    with connect(space.settings) as con:
        query = training_sql(config, snapshot.relation())
        return con.sql(f"SELECT * FROM ({query}) ORDER BY prediction_id").to_arrow_table()


def broken_digests(space: LoopSpace, model: ModelVersion) -> list[str]:
    """Partitions of the pinned pool whose content is not what the manifest says."""
    pool = model.manifest["pool"]
    table = space.table("labeled_pool")
    snapshot = table.snapshot(pool["version"])
    with connect(space.settings) as con:
        return [
            key
            for key, said in pool["partitions"].items()
            if digest_of(con, snapshot.relation([key]), table.key) != said["digest"]
        ]
