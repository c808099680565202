"""Each day as counts: all that drift and performance ever need to know of its columns."""

from collections.abc import Sequence

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.contract import refuse_missing
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.space import LoopSpace, follows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.drift.counting import PROFILE_COLUMNS
from feedback_assets.drift.profile import NULL_VALUE, OTHER_VALUES, ReferenceProfile
from feedback_assets.drift.profiling import profile_rows
from feedback_assets.drift.text import derived_names, text_relation
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """Each day's rows counted in the cells of the champion's training data.

A count for every column, segment and model version: values by quantile, below and above the range,
null, not a number, every known category and what was never seen. Days add up to weeks, and the raw
rows are not read again."""


def profiles(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, profiles]`, partitioned by prediction time."""

    @dg.asset(
        deps=[space.key("feedback_table")],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=follows(),
        **space.attributes("profiles", DESCRIPTION, {"deltalake", "duckdb"}),
    )
    def _profiles(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        source = space.table("feedback_table").snapshot()
        refuse_missing(space, "feedback_table", keys, source)
        reference = champion(space)
        version = reference.version if reference else 0
        with connect(space.settings) as con:
            rows = counted(space, con, source, keys, reference)
            with registered(con, "fa_profiles", rows):
                snapshot = space.table("profiles").replace(
                    con,
                    cast_sql("fa_profiles", PROFILE_COLUMNS),
                    keys,
                    space.cause(context, {"feedback_table": source.version, "reference": version}),
                )
            return partitioned_result(
                context,
                space,
                snapshot,
                con,
                {key: day_figures(source, version, key) for key in keys},
            )

    return _profiles


def day_figures(source: Snapshot, version: int, key: str) -> Metadata:
    """What one day's event says."""
    counted = source.partitions()[key].rows if version else 0
    return {"reference": version, "rows_counted": counted}


def counted(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    keys: Sequence[str],
    reference: ModelVersion | None,
) -> pd.DataFrame:
    """These days' profile against a version; no rows before the first champion."""
    if reference is None:
        return pd.DataFrame(columns=list(PROFILE_COLUMNS))
    profile = reference.reference()
    relation = counted_rows(space, con, source, keys, reference)
    known = {*source.columns(), *derived_names(space.config.columns.text)}
    return profile_rows(
        con,
        [column for name, column in profile.columns.items() if name in known],
        relation,
        segment_values(profile),
        reference.version,
        space.config.drift.unseen_kept,
        [name for name, kind in source.columns().items() if kind in ("DOUBLE", "FLOAT")],
    )


def counted_rows(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    keys: Sequence[str],
    reference: ModelVersion,
) -> str:
    """The rows that are counted, with what is derived of texts; a shadow's copies are left out."""
    columns = space.config.columns
    kept = [*dict.fromkeys([
        "partition_key", "prediction_id", "model_version", *columns.features, *columns.carried,
        "score", "prediction", "label",
    ])]  # fmt: skip
    names = [name for name in kept if name in source.columns()]
    served = f"(SELECT * FROM {source.relation(keys, [*names, 'role'])} WHERE role <> 'shadow')"
    if not columns.text:
        return served
    con.register("fa_vocabulary", reference.vocabulary())
    return text_relation(served, columns.text, "fa_vocabulary", names)


def segment_values(profile: ReferenceProfile) -> dict[str, list[str]]:
    """Segment column to the values that the reference was counted by."""
    values: dict[str, list[str]] = {segment: [] for segment, _ in profile.segments}
    for segment, value in profile.segments:
        if value not in (NULL_VALUE, OTHER_VALUES):
            values[segment].append(value)
    return values
