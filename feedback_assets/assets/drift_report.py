"""What the day's data say: which columns moved, since when, and whether it matters."""

from collections.abc import Mapping, Sequence

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.contract import refuse_missing
from feedback_assets.assets.drift_pages import write_pages
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.space import LoopSpace, follows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.assets.verdicts import verdicts
from feedback_assets.clock import Clock
from feedback_assets.drift.report import REPORT_COLUMNS, report_rows
from feedback_assets.drift.verdict import DayVerdict
from feedback_assets.reports.plots import drift_bars, markdown_image
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """A verdict for every column and segment, and one for the day, against what the
champion was trained on.

No change, an immaterial one, or a material one since about a date, with its evidence and its size
in words. It may be looked at every day: of all alarms at most {alpha:.0%} are false. A shift below
about {margin:g} standard deviations, or below what the reference's own days differ by, is
immaterial."""
NO_ROWS = "no rows"
NO_REFERENCE = "no champion yet: there is nothing to compare with"
COLUMNS = {**REPORT_COLUMNS, "reference": "BIGINT"}


def drift_report(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, drift_report]`, partitioned by prediction time."""

    @dg.asset(
        deps=[space.key("profiles")],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=follows(),
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
        profiles = space.table("profiles").snapshot()
        refuse_missing(space, "profiles", keys, profiles)
        reference = champion(space)
        version = reference.version if reference else 0
        with connect(space.settings) as con:
            found = verdicts(space, con, profiles, reference, keys, clock.now())
            days = found.get(space.config.drift.references[0].name, {})
            frame = report_frame(space, con, profiles, found, keys, version)
            with registered(con, "fa_judged", frame):
                snapshot = space.table("drift_report").replace(
                    con,
                    cast_sql("fa_judged", COLUMNS),
                    keys,
                    space.cause(context, {"profiles": profiles.version, "reference": version}),
                )
            pages = pages_of(space, con, snapshot, reference, days)
            said = {key: day_metadata(days.get(key), version, pages.get(key)) for key in keys}
            return partitioned_result(context, space, snapshot, con, said, picture(days, keys))

    return _drift_report


def report_frame(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    profiles: Snapshot,
    found: Mapping[str, Mapping[str, DayVerdict]],
    keys: Sequence[str],
    version: int,
) -> pd.DataFrame:
    """The report's rows: for each reference one for the day, and one a column and slice."""
    strange = unseen(con, profiles, keys, version)
    parts = [report_rows(days, against, strange) for against, days in found.items()]
    first = space.config.drift.references[0].name
    judged = found.get(first, {})
    why = NO_ROWS if version else NO_REFERENCE
    silent = {key: DayVerdict((), 0, note=why) for key in keys if key not in judged}
    parts.append(report_rows(silent, first))
    return pd.concat([p for p in parts if len(p)] or parts).assign(reference=version)


def unseen(
    con: duckdb.DuckDBPyConnection, profiles: Snapshot, keys: Sequence[str], version: int
) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Partition and column to the categories that the reference never had, most frequent first."""
    rows = con.execute(
        f"""SELECT partition_key, column_name, "value", SUM("rows") AS n
            FROM {profiles.relation(keys)}
            WHERE "value" <> '' AND segment = '' AND against = {version}
            GROUP BY partition_key, column_name, "value"
            ORDER BY partition_key, column_name, n DESC, "value" """
    ).fetchall()
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for key, column, value, n in rows:
        found.setdefault((key, column), []).append((value, int(n)))
    return found


def pages_of(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    report: Snapshot,
    reference: ModelVersion | None,
    days: Mapping[str, DayVerdict],
) -> dict[str, str]:
    """Evidently pages of the days on which a drift begins; a bounded number in one run."""
    moved = {key for key, day in days.items() if day.status in ("drift", "broken")}
    if reference is None or not moved:
        return {}
    known = [key for key in report.partitions() if key <= max(moved)]
    before = dict(zip(known[1:], known, strict=False))
    asked = sorted({before[key] for key in moved if key in before} - set(days))
    ongoing = moved | set(_moved(con, report, asked))
    begun = {key: days[key] for key in moved if before.get(key) not in ongoing}
    source = space.table("feedback_table").snapshot()
    return write_pages(space, con, source, reference, begun)


def _moved(con: duckdb.DuckDBPyConnection, report: Snapshot, keys: Sequence[str]) -> list[str]:
    rows = con.execute(
        f"SELECT partition_key FROM {report.relation(keys)} "
        "WHERE role = 'day' AND status IN ('drift', 'broken')"
    ).fetchall()
    return [key for (key,) in rows]


def day_metadata(day: DayVerdict | None, version: int, page: str | None) -> Metadata:
    """What one day's event says: verdict, reason, drifted columns, the page."""
    metadata: Metadata = {
        "verdict": day.status if day else "insufficient",
        "reason": day.reason if day else (NO_ROWS if version else NO_REFERENCE),
        "drifted_columns": len(day.drifted_columns) if day else 0,
        "drift_weight": day.drift_weight if day else 0.0,
        "reference": version,
    }
    if day and day.drifted:
        metadata["drifted"] = dg.MetadataValue.json(list(day.drifted_columns))
        since = [column.since for column in day.drifted if column.since]
        if since:
            metadata["since"] = min(since)
        metadata["largest_psi"] = float(max(c.statistics.psi for c in day.drifted))
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
