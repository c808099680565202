"""How those who are tried stand: candidates against the champion, the champion against the one before."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.materialize import Metadata, shown, table_metadata
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial import Look, look, open_trials
from feedback_assets.assets.trial_rules import stage_rules
from feedback_assets.assets.typed import cast_sql
from feedback_assets.clock import Clock
from feedback_assets.reports.canary_page import CanaryFacts, canary_page
from feedback_assets.reports.canary_plots import evidence_path, gain_path
from feedback_assets.reports.plots import markdown_image
from feedback_assets.reports.rows import records
from feedback_assets.sqltext import literal
from feedback_assets.tables.connection import connect, registered
from feedback_assets.tables.snapshot import PARTITION, Snapshot

DESCRIPTION = """Who is tried beside the champion of {title}, and how it goes.

Champion and challenger answer the same rows: the gain with its interval, the evidence, which may be
looked at after every label, the service's errors and latency, and {kpi}, estimated until labels are
in. After a promotion the same is asked of the new champion and the one it replaced. A row for each
trial and day of a look; nothing is added while nobody is tried."""
NOBODY = "nobody is tried now"
COLUMNS: Mapping[str, str] = {
    PARTITION: "VARCHAR",
    "trial": "VARCHAR",
    "kind": "VARCHAR",
    "stage": "VARCHAR",
    "champion": "VARCHAR",
    "challenger": "VARCHAR",
    "since": "TIMESTAMPTZ",
    "as_of": "TIMESTAMPTZ",
    "predictions": "BIGINT",
    "labels": "BIGINT",
    "metric": "VARCHAR",
    "champion_loss": "DOUBLE",
    "challenger_loss": "DOUBLE",
    "gain": "DOUBLE",
    "gain_low": "DOUBLE",
    "gain_high": "DOUBLE",
    "log_better": "DOUBLE",
    "log_safe": "DOUBLE",
    "log_worse": "DOUBLE",
    "verdict": "VARCHAR",
    "rule": "VARCHAR",
    "reason": "VARCHAR",
    "champion_requests": "BIGINT",
    "challenger_requests": "BIGINT",
    "error_excess": "DOUBLE",
    "champion_p95_ms": "DOUBLE",
    "challenger_p95_ms": "DOUBLE",
    "shadow_compared": "BIGINT",
    "shadow_agreeing": "BIGINT",
    "kpi_champion_estimated": "DOUBLE",
    "kpi_challenger_estimated": "DOUBLE",
    "kpi_champion": "DOUBLE",
    "kpi_challenger": "DOUBLE",
    "kpi_gain": "DOUBLE",
    "kpi_gain_low": "DOUBLE",
    "kpi_gain_high": "DOUBLE",
    "kpi_labels": "BIGINT",
}
"""Column to DuckDB type, in order."""
SHOWN = ("trial", "stage", "labels", "gain", "gain_low", "gain_high", "verdict", "reason")


def canary_report(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, canary_report]`."""
    mapping = dg.AllPartitionMapping()

    @dg.asset(
        deps=[
            space.key("candidate_model"),
            dg.AssetDep(space.key("feedback_table"), partition_mapping=mapping),
            dg.AssetDep(space.key("serving_log"), partition_mapping=mapping),
        ],
        pool=f"{space.name}_model",
        **space.attributes(
            "canary_report",
            DESCRIPTION.format(title=space.config.title, kpi=space.config.kpi.name),
            {"onnx", "deltalake", "numpy"},
        ),
    )
    def _canary_report(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        now, run_id = clock.now(), context.run.run_id
        trials = open_trials(space, now)
        with connect(space.settings) as con:
            looks = [look(space, con, trial, now, run_id) for trial in trials]
            snapshot = write(space, con, context, looks)
            pages = [write_page(space, con, snapshot, one) for one in looks]
        if not looks:
            context.log.info(NOBODY)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(digest_of_looks(snapshot, looks)),
            metadata=figures(space, snapshot, looks, pages),
        )

    return _canary_report


def write(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    context: dg.AssetExecutionContext,
    looks: Sequence[Look],
) -> Snapshot:
    """Put each look into its trial's row of the day."""
    table = space.table("canary_report")
    if not looks:
        return table.snapshot()
    frame = pd.DataFrame([row_of(one) for one in looks], columns=list(COLUMNS))
    cause = space.cause(context, looks[0].inputs, as_of=looks[0].as_of.isoformat())
    with registered(con, "fa_looks", frame):
        return table.replace(con, cast_sql("fa_looks", COLUMNS), frame[PARTITION].tolist(), cause)


def partition_of(one: Look) -> str:
    """Where a look stands: a later one of the same day takes its place."""
    return f"{one.trial.name}_{one.as_of.astimezone(dt.UTC):%Y-%m-%d}"


def row_of(one: Look) -> dict[str, Any]:
    """A look as a row of the table; what is not known is null."""
    paired, service, kpi = one.paired, one.service, one.kpi
    challenger = service.challenger if service else None
    shadow = service.shadow if service else None
    row: dict[str, Any] = {
        PARTITION: partition_of(one),
        "trial": one.trial.name,
        "kind": one.trial.kind,
        "stage": one.trial.stage,
        "champion": str(one.trial.champion.version),
        "challenger": str(one.trial.challenger.version),
        "since": one.trial.since,
        "as_of": one.as_of,
        "predictions": one.predictions,
        "labels": one.labels,
        "metric": paired.metric,
        "champion_loss": paired.champion_loss,
        "challenger_loss": paired.candidate_loss,
        "gain": paired.gain,
        "gain_low": paired.lower,
        "gain_high": paired.upper,
        "log_better": paired.log_better,
        "log_safe": paired.log_safe,
        "log_worse": paired.log_worse,
        "verdict": one.verdict.outcome,
        "rule": one.verdict.rule,
        "reason": one.verdict.reason,
        "champion_requests": service.champion.requests if service else 0,
        "challenger_requests": challenger.requests if challenger else 0,
        "error_excess": service.error_excess if service else None,
        "champion_p95_ms": service.champion.p95_ms if service else None,
        "challenger_p95_ms": challenger.p95_ms if challenger else None,
        "shadow_compared": shadow.compared if shadow else 0,
        "shadow_agreeing": shadow.agreeing if shadow else 0,
    }
    if kpi:
        row |= {
            "kpi_champion_estimated": kpi.champion.estimated.value,
            "kpi_challenger_estimated": kpi.challenger.estimated.value,
            "kpi_champion": kpi.champion.realised.value,
            "kpi_challenger": kpi.challenger.realised.value,
            "kpi_gain": kpi.gain.value,
            "kpi_gain_low": kpi.gain.low,
            "kpi_gain_high": kpi.gain.high,
            "kpi_labels": kpi.labels,
        }
    return row


def digest_of_looks(snapshot: Snapshot, looks: Sequence[Look]) -> str:
    """What the looks say, as a data version; without any, that of nobody being tried."""
    known = snapshot.partitions()
    return "-".join(known[partition_of(one)].digest[:16] for one in looks) or "none"


def page_of(space: LoopSpace, trial: str) -> Path:
    """Where a trial's page is."""
    return space.reports / "trials" / f"{trial}.html"


def write_page(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, snapshot: Snapshot, one: Look
) -> Path:
    """Write the page of a trial as it stands now."""
    trial = one.trial.name
    own = [key for key in snapshot.partitions() if key.startswith(f"{trial}_")]
    history = con.execute(
        f"SELECT * FROM {snapshot.relation(own)} WHERE trial = {literal(trial)} ORDER BY as_of"
    ).df()
    config = space.config
    facts = CanaryFacts(
        title=config.title,
        look=one.to_dict(),
        path=path_of(one),
        history=history,
        rules=stage_rules(config, one),
        margin=margin_of(space, one),
        alpha=config.decide.alpha,
        confidence=config.performance.confidence,
    )
    path = page_of(space, trial)
    canary_page(facts, path)
    return path


def path_of(one: Look) -> list[dict[str, Any]]:
    """The evidence's whole path, a point each."""
    points: list[dict[str, Any]] = one.paired.to_dict()["points"]
    return points


def margin_of(space: LoopSpace, one: Look) -> float:
    """By how much loss per row a safe challenger may be worse."""
    return space.config.decide.margin * one.paired.scale


def figures(
    space: LoopSpace, snapshot: Snapshot, looks: Sequence[Look], pages: Sequence[Path]
) -> Metadata:
    """What a person opens: who is tried, the verdicts, plots, rules, the page."""
    metadata: Metadata = {
        "tried": ", ".join(one.trial.name for one in looks) or NOBODY,
        "dagster/row_count": sum(info.rows for info in snapshot.partitions().values()),
    }
    if snapshot.version >= 0:
        metadata |= table_metadata(space, snapshot, "canary_report")
    for one, page in zip(looks, pages, strict=True):
        metadata |= {
            f"{one.trial.kind}_{name}": value
            for name, value in figures_of(space, one, page).items()
        }
    if looks:
        rows = records(pd.DataFrame([row_of(one) for one in looks]))
        metadata["looks"] = dg.MetadataValue.table(
            [dg.TableRecord({name: cell(row[name]) for name in SHOWN}) for row in rows]
        )
    return metadata


def cell(value: object) -> str | int | float | bool:
    """A cell of a table for people; what is not known is empty."""
    return "" if value != value else shown(value)


def figures_of(space: LoopSpace, one: Look, page: Path) -> Metadata:
    """One trial's."""
    path, margin = path_of(one), margin_of(space, one)
    alpha = space.config.decide.alpha
    gain = markdown_image(gain_path(path, margin), "gain per row by labels")
    evidence = markdown_image(evidence_path(path, alpha), "evidence by labels")
    rules = [
        dg.TableRecord(
            {"rule": r.name, "needed": r.needed, "seen": r.seen, "met": str(r.met).lower()}
        )
        for r in stage_rules(space.config, one)
    ]
    metadata: Metadata = {
        "verdict": one.verdict.outcome,
        "reason": one.verdict.reason,
        "labels": one.labels,
        "gain": dg.MetadataValue.md(gain),
        "evidence": dg.MetadataValue.md(evidence),
        "rules": dg.MetadataValue.table(rules),
        "page": dg.MetadataValue.url(space.report_url(page)),
    }
    if one.service:
        metadata["service"] = dg.MetadataValue.json(one.service.to_dict())
    if one.kpi:
        metadata["kpi"] = dg.MetadataValue.json(one.kpi.to_dict())
    return metadata
