"""What was found out about each day: since when, how bad, where, why probably; with its page."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.contract import refuse_missing
from feedback_assets.assets.diagnosis import (
    segment_news,
    slices_of,
    split_of_drop,
    upstream_of,
    worse_days,
)
from feedback_assets.assets.evidence import gather
from feedback_assets.assets.materialize import Metadata, partitioned_result
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.pages import TABLES, Book, open_book, write_book
from feedback_assets.assets.relations import concept_findings, domain_findings
from feedback_assets.assets.space import LoopSpace, follows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.causes.findings import FINDINGS_COLUMNS, Finding, finding_rows
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_start
from feedback_assets.config.judgement import ReportMetric
from feedback_assets.performance.harm import harm_of
from feedback_assets.performance.intervals import Interval
from feedback_assets.performance.metrics import HIGHER_IS_BETTER
from feedback_assets.performance.report import report_metrics
from feedback_assets.policy.decide import explain
from feedback_assets.reports.facts import DayFacts
from feedback_assets.reports.verdict_plots import day_markdown
from feedback_assets.sqltext import literal
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.table import Snapshot

DESCRIPTION = """What was found out about each day of {title}, in plain words.

New and vanished segments every day; weak slices every week; when a column begins to drift or the
metric begins to drop: what it costs, the split of the drop into its causes, and what changed
upstream at about that time. Each day has a page, and so has each incident."""
LOOKED_BACK = 60
"""Days back to which an incident is followed."""
WEEK = 7


@dataclass(frozen=True)
class Past:
    """The verdicts and the metric of the newest days, up to the newest one asked for."""

    status: pd.DataFrame
    """partition_key, status, since of each day's own verdict, oldest first."""
    performance: pd.DataFrame
    """The performance report of everything together."""
    worse: dict[str, bool]
    """Partition to whether the week that ends with it was worse than expected."""

    def before(self, key: str) -> str | None:
        """The day before, if it was judged."""
        keys = self.status["partition_key"].tolist()
        place = keys.index(key) if key in keys else 0
        return keys[place - 1] if place else None

    def troubled(self, key: str | None) -> bool:
        """Whether a column drifted or broke on a day."""
        here = self.status[self.status["partition_key"] == key]
        return bool(here["status"].isin(["drift", "broken"]).any())

    def begins_to_drift(self, key: str) -> bool:
        """Whether the day is the first of a stretch of drift."""
        return self.troubled(key) and not self.troubled(self.before(key))

    def begins_to_drop(self, key: str) -> bool:
        """Whether the day is the first whose week is worse than expected."""
        return self.worse.get(key, False) and not self.worse.get(self.before(key) or "", False)


def findings(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, findings]`, partitioned by prediction time."""

    @dg.asset(
        deps=[space.key("drift_report"), space.key("performance_report")],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=follows(),
        **space.attributes(
            "findings",
            DESCRIPTION.format(title=space.config.title),
            {"deltalake", "duckdb", "html"},
        ),
    )
    def _findings(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        inputs = {
            name: space.table(name).snapshot()
            for name in ("drift_report", "performance_report", "feedback_table")
        }
        for name in ("drift_report", "performance_report"):
            refuse_missing(space, name, keys, inputs[name])
        with connect(space.settings) as con:
            past = past_of(space, con, inputs["drift_report"], inputs["performance_report"], keys)
            source = inputs["feedback_table"]
            serving = champion(space)
            found = segment_news(space, con, source, keys)
            concept = concept_findings(space, con, source, serving, keys) if serving else {}
            for key in keys:
                found[key] += concept.get(key, [])
                found[key] += found_on(space, con, source, past, serving, key)
            rows = finding_rows(one for each in found.values() for one in each)
            with registered(con, "fa_found", rows):
                snapshot = space.table("findings").replace(
                    con,
                    cast_sql("fa_found", FINDINGS_COLUMNS),
                    keys,
                    space.cause(context, {name: taken.version for name, taken in inputs.items()}),
                )
            shown = {name: space.table(name).snapshot() for name in TABLES} | {
                name: taken for name, taken in inputs.items() if name in TABLES
            } | {"findings": snapshot}  # fmt: skip
            book = open_book(space, con, shown, keys)
            facts = write_book(book, keys, next_steps(space, context.instance, clock))
            said = {key: day_metadata(book, past, found[key], facts[key]) for key in keys}
            return partitioned_result(context, space, snapshot, con, said)

    return _findings


def past_of(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    drift: Snapshot,
    performance: Snapshot,
    keys: Sequence[str],
) -> Past:
    """Read the newest days of both reports."""
    recent = [key for key in drift.partitions() if key <= max(keys)][-LOOKED_BACK - len(keys) :]
    first = space.config.drift.references[0].name
    status = con.execute(
        f"""SELECT partition_key, MAX(status) FILTER (role = 'day') AS status,
              MIN(since) FILTER (status = 'drift') AS since
            FROM {drift.relation(recent)} WHERE against = {literal(first)}
            GROUP BY partition_key ORDER BY partition_key"""
    ).df()
    rows = con.execute(
        f"""SELECT * FROM {performance.relation(recent)}
            WHERE segment = '' AND model_version = '' ORDER BY partition_key"""
    ).df()
    week = rows[
        (rows["period"] == "week")
        & (rows["kind"] == "realised")
        & (rows["metric"] == space.config.metric)
    ]
    return Past(status, rows, worse_days(space.config.metric in HIGHER_IS_BETTER, week))


def found_on(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    past: Past,
    serving: ModelVersion | None,
    key: str,
) -> list[Finding]:
    """What is found out about a day that drifts or drops, and what is looked at every week."""
    found: list[Finding] = []
    drifts, drops = past.begins_to_drift(key), past.begins_to_drop(key)
    if past.troubled(key):
        found += harm_findings(space, past, key)
    if drops:
        split = split_of_drop(space, con, source, key)
        found += split.findings(key) if split else []
    if drifts and serving is not None:
        found += domain_findings(space, con, source, serving, key)
    if drifts or drops:
        found += upstream_of(space, con, source, key, since_of(past, key))
    if space.config.performance.slices and (drops or ends_week(space, key)):
        found += slices_of(space, con, source, key)
    return found


def ends_week(space: LoopSpace, key: str) -> bool:
    """Whether the weekly look is due: on Sundays, at the end of the day."""
    start = partition_start(space.config.partitions.grain, key)
    return space.config.partitions.grain == "weekly" or (
        start.weekday() == WEEK - 1
        and (space.config.partitions.grain == "daily" or start.hour == 23)
    )


def since_of(past: Past, key: str) -> str:
    """Since when a day's trouble has lasted, as well as is known."""
    since = past.status.loc[past.status["partition_key"] == key, "since"]
    return str(since.iloc[0]) if len(since) and isinstance(since.iloc[0], str) else key


def harm_findings(space: LoopSpace, past: Past, key: str) -> list[Finding]:
    """What the day's answers are estimated to have cost beyond what was expected."""
    rows = past.performance
    day = rows[(rows["partition_key"] == key) & (rows["period"] == "day")]
    for kind in ("adjusted", "estimated"):
        told = day[(day["kind"] == kind) & day["value"].notna()].set_index("metric")
        metrics: dict[ReportMetric, Interval] = {
            name: Interval(*(float(told[end][name]) for end in Interval._fields))
            for name in report_metrics(space.config)
            if name in told.index
        }
        if metrics:
            expected = {str(name): value for name, value in told["expected"].dropna().items()}
            cost = harm_of(metrics, expected, int(told["rows"].max()), space.config)
            if cost.per_row.known:
                return [Finding(key, "harm", cost.metric, f"{kind}: {cost.text}", *cost.per_row)]
    return []


def next_steps(space: LoopSpace, instance: dg.DagsterInstance, clock: Clock) -> list[str]:
    """What the loop's policy will do next, and why."""
    return [explain(space.config, gather(space, instance, clock.now())).decision.reason]


def day_metadata(book: Book, past: Past, found: Sequence[Finding], facts: DayFacts) -> Metadata:
    """What one day's event says: in short, and where its pages are."""
    key = facts.partition_key
    said: Metadata = {
        "findings": len(found),
        "page": dg.MetadataValue.url(book.space.report_url(book.page(key))),
    }
    incident = book.incident_of(key)
    if incident:
        page = book.incident_page(incident)
        said["incident"] = dg.MetadataValue.url(book.space.report_url(page))
    if key == book.newest or past.begins_to_drift(key) or past.begins_to_drop(key):
        said["told"] = dg.MetadataValue.md(day_markdown(facts))
    return said
