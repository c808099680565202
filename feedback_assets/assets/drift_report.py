"""What the day's data say: which columns moved, whether it matters, how good the model was."""

import datetime as dt
from collections.abc import Mapping, Sequence

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.contract import refuse_missing
from feedback_assets.assets.drift_pages import write_pages
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config, Drift
from feedback_assets.drift.binning import Tally, tally
from feedback_assets.drift.profile import ReferenceColumn, ReferenceProfile
from feedback_assets.drift.report import REPORT_COLUMNS, report_rows
from feedback_assets.drift.verdict import DayVerdict, day_verdict
from feedback_assets.performance.metrics import evaluate_frame
from feedback_assets.reports.plots import drift_bars, markdown_image
from feedback_assets.sqltext import ident, idents
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """One verdict per column and one for the day, against the champion's training data.

Columns of features, scores, answers and arrived labels are compared with the reference kept as
counts; the chance of any false alarm on a clean day is at most {alpha:g}, and a shift below about
{margin:g} standard deviations is called immaterial. Realised performance is there where labels
are."""
NO_REFERENCE = "no champion yet: there is nothing to compare with"
REPORT_SQL = f"""SELECT {
    ", ".join(
        f"CAST({ident(name)} AS {kind}) AS {ident(name)}"
        for name, kind in {**REPORT_COLUMNS, "value": "DOUBLE", "reference": "BIGINT"}.items()
    )
} FROM judged"""


def drift_report(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, drift_report]`, partitioned by prediction time."""
    condition = (
        dg.AutomationCondition.any_deps_updated().since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )

    @dg.asset(
        deps=[space.key("feedback_table")],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=condition,
        **space.attributes(
            "drift_report",
            DESCRIPTION.format(alpha=space.config.drift.alpha, margin=space.config.drift.margin_sd),
            {"deltalake", "duckdb", "evidently"},
        ),
    )
    def _drift_report(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        source = space.table("feedback_table").snapshot()
        refuse_missing(space, "feedback_table", keys, source)
        reference = champion(space)
        version = reference.version if reference else 0
        with connect(space.settings) as con:
            days = verdicts(space, con, source, reference, keys, clock.now())
            performance = realised(space.config, con, source, keys)
            frame = report_frame(days, performance, keys, version)
            con.register("judged", frame)
            snapshot = space.table("drift_report").replace(
                con,
                REPORT_SQL,
                keys,
                space.cause(context, {"feedback_table": source.version, "reference": version}),
            )
            pages = write_pages(space, con, source, reference, days) if reference else {}
            by_partition = {
                key: day_metadata(days.get(key), performance.get(key, {}), version, pages.get(key))
                for key in keys
            }
            return partitioned_result(
                context, space, snapshot, con, by_partition, picture(days, keys)
            )

    return _drift_report


def verdicts(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    reference: ModelVersion | None,
    keys: Sequence[str],
    as_of: dt.datetime,
) -> dict[str, DayVerdict]:
    """The verdict of each partition that has rows, by partition; none before the first champion.

    One column is in memory at a time. Labels that have arrived are no fair sample of all, so the
    label column decides only on days past the label horizon; before, it is shown.
    """
    present = [key for key in keys if source.partitions()[key].rows]
    if reference is None or not present:
        return {}
    profile = reference.reference()
    tallies = {
        name: column_tally(con, source, column, present)
        for name, column in profile.columns.items()
        if name in source.columns()
    }
    policy, grain = space.config.drift, space.config.partitions.grain
    young = policy.model_copy(update={"ignore": [*policy.ignore, "label"]})
    return {
        key: judge(
            profile,
            tallies,
            position,
            policy if partition_end(grain, key) + space.horizon <= as_of else young,
        )
        for position, key in enumerate(present)
    }


def judge(
    profile: ReferenceProfile, tallies: Mapping[str, Tally], position: int, policy: Drift
) -> DayVerdict:
    """One day's verdict; columns without a single value to judge by (no label yet) are left out."""
    day = {
        name: counts.group(position)
        for name, counts in tallies.items()
        if profile.columns[name].role == "feature" or counts.group(position).counts.any()
    }
    return day_verdict(profile, day, policy)


def column_tally(
    con: duckdb.DuckDBPyConnection, source: Snapshot, column: ReferenceColumn, keys: Sequence[str]
) -> Tally:
    """One column's counts in the reference's cells, a group for each of `keys`.

    A prediction without a score (history) and a label that has not arrived are not nulls of the
    column: they are not there yet.
    """
    name = ident(column.name)
    there = "TRUE" if column.role == "feature" else f"{name} IS NOT NULL"
    rows = con.execute(
        f"""SELECT CAST(list_position(?, partition_key) - 1 AS BIGINT) AS day, {name} AS value
            FROM {source.relation(keys, ["partition_key", column.name])} WHERE {there}""",
        [list(keys)],
    ).fetchnumpy()
    return tally(rows["value"], column.bins, rows["day"], len(keys))


def realised(
    config: Config, con: duckdb.DuckDBPyConnection, source: Snapshot, keys: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Metrics of each partition on the labels that have arrived, for answers that were served."""
    names = ["partition_key", "label", "label_status", "score", "prediction", "role"]
    names += [f"score_{c}" for c in config.label.classes if config.label.kind == "multiclass"]
    frame = con.execute(
        f"""SELECT {idents(names)} FROM {source.relation(keys, names)}
            WHERE label_status = 'accepted' AND score IS NOT NULL AND role = 'served'"""
    ).df()
    return {str(key): evaluate_frame(day, config) for key, day in frame.groupby("partition_key")}


def report_frame(
    days: Mapping[str, DayVerdict],
    performance: Mapping[str, Mapping[str, float]],
    keys: Sequence[str],
    version: int,
) -> pd.DataFrame:
    """The drift report's rows: one a column, one a metric, and one for the day itself."""
    parts = [report_rows(days)]
    for key in keys:
        day, metrics = days.get(key), performance.get(key, {})
        whole = {
            "column_name": "*",
            "role": "day",
            "kind": "day",
            "status": day.status if day else "insufficient",
            "reason": day.reason if day else NO_REFERENCE,
            "rows": day.rows if day else 0,
        }
        values = [
            {
                "column_name": name,
                "role": "performance",
                "kind": "metric",
                "status": "stable",
                "value": value,
                "rows": int(metrics["rows"]),
            }
            for name, value in metrics.items()
            if name != "rows"
        ]
        parts.append(pd.DataFrame([whole, *values]).assign(partition_key=key))
    frame = pd.concat(parts, ignore_index=True).assign(reference=version)
    frame = frame.reindex(columns=[*REPORT_COLUMNS, "value", "reference"])
    return frame.astype(
        {"rows": "Int64", "rows_ref": "Int64", "reference": "Int64", "value": "float64"}
    )


def day_metadata(
    day: DayVerdict | None, performance: Mapping[str, float], version: int, page: str | None
) -> Metadata:
    """What one day's event says: verdict, reason, drifted columns, metrics, the page."""
    metadata: Metadata = {
        "verdict": day.status if day else "insufficient",
        "reason": day.reason if day else NO_REFERENCE,
        "drifted_columns": len(day.drifted) if day else 0,
        "reference": version,
        **{f"realised_{name}": float(value) for name, value in performance.items()},
    }
    if day and day.drifted:
        metadata["drifted"] = dg.MetadataValue.json([c.name for c in day.drifted])
        metadata["largest_psi"] = max(c.statistics.psi for c in day.drifted)
    if page:
        metadata["evidently"] = dg.MetadataValue.url(page)
    return metadata


def picture(days: Mapping[str, DayVerdict], keys: Sequence[str]) -> Metadata:
    """A plot of the newest judged day."""
    judged = [key for key in keys if key in days]
    if not judged:
        return {}
    newest = judged[-1]
    png = drift_bars(days[newest].columns, f"{newest}: PSI by column")
    return {"plot": dg.MetadataValue.md(markdown_image(png, f"PSI by column on {newest}"))}
