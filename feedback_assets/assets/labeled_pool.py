"""Every row that may be trained on now, and why the others may not."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from feedback_assets.assets.budget import budget
from feedback_assets.assets.materialize import Metadata, preview, table_metadata
from feedback_assets.assets.pool_sifting import LEFT_OUT, sifted
from feedback_assets.assets.space import LoopSpace, micros
from feedback_assets.clock import Clock
from feedback_assets.labels.arrival import Maturity, delay_counts_sql, maturity
from feedback_assets.labels.pool import eligibility_sql, exclusion_sql, fingerprint, holdout_start
from feedback_assets.reports.plots import arrival_curve, markdown_image, pool_by_day
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Snapshot

CURVE_POINTS = 60
DESCRIPTION = """All rows eligible for training as of now: label accepted, day mature, checks passed.

The newest {holdout:g} mature days are held out: training never sees them and the gate compares on
them. Each row that is not here has one reason, and the counts add up."""


@dataclass(frozen=True)
class Pool:
    """A pinned version of the labeled pool, as training and gate read it."""

    snapshot: Snapshot
    manifest: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Digest of the manifest: equal for equal rows from equal sources."""
        return str(self.manifest["fingerprint"])

    @property
    def as_of(self) -> dt.datetime:
        """The moment up to which labels could enter."""
        return dt.datetime.fromisoformat(self.manifest["as_of"])


def pinned_pool(space: LoopSpace, version: int | None = None) -> Pool:
    """A version of the pool with its manifest; the newest if none is named."""
    table = space.table("labeled_pool")
    snapshot = table.snapshot(version)
    commit = next(v for v in table.history() if v.version == snapshot.version)
    manifest = snapshot.manifest()
    manifest["partitions"] = {k: v for k, v in manifest["partitions"].items() if v["rows"]}
    return Pool(
        snapshot,
        {
            **manifest,
            "fingerprint": fingerprint(manifest["partitions"]),
            "as_of": commit.details["as_of"],
            **{
                name: json.loads(commit.details[name])
                for name in LEFT_OUT
                if name in commit.details
            },
            "source": {"table": f"{space.name}/feedback_table", **commit.inputs},
        },
    )


def labeled_pool(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, labeled_pool]`: one table, all days."""

    @dg.asset(
        deps=upstream(space),
        **space.attributes(
            "labeled_pool",
            DESCRIPTION.format(holdout=space.config.pool.holdout_days),
            {"deltalake", "duckdb"},
        ),
    )
    def _labeled_pool(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        as_of = clock.now()
        source = space.table("feedback_table").snapshot()
        refuse_unknown_features(space, source)
        with connect(space.settings) as con:
            standing = standing_of(space, con, source, as_of)
            mature = standing.partitions
            if not mature:
                raise dg.Failure(
                    f"no day's labels are mature yet: {standing.cohorts[-1].reason}"
                    if standing.cohorts
                    else f"{space.name}.feedback_table is empty: materialize it first",
                    allow_retries=False,
                )
            spent = budget(space).spent
            found = sifted(space, con, source, standing, as_of, spent)
            sifting = found.findings.sifting
            table = space.table("labeled_pool")
            before = table.snapshot().partitions()
            snapshot = table.replace(
                con,
                eligibility_sql(sifting, found.scale.sql(space.config)),
                sorted({*mature, *sifting.refusals.immature, *before}),
                space.cause(
                    context,
                    {**found.inputs, "as_of": micros(as_of)},
                    as_of=as_of.isoformat(),
                    **found.details(),
                ),
            )
            outcomes = dict(con.execute(exclusion_sql(sifting)).fetchall())
            metadata = {
                **figures(space, con, snapshot, standing, outcomes, spent),
                **found.metadata(space.config, outcomes.get("train", 0)),
            }
        pool = pinned_pool(space, snapshot.version)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(pool.fingerprint),
            metadata={
                **table_metadata(space, snapshot, "labeled_pool"),
                "fingerprint": pool.fingerprint,
                "as_of": pool.as_of.isoformat(),
                "manifest": dg.MetadataValue.json(pool.manifest),
                **metadata,
            },
        )

    return _labeled_pool


def upstream(space: LoopSpace) -> list[dg.AssetDep]:
    """What the pool is made of; the work of people where they are asked."""
    review, every = space.config.review, dg.AllPartitionMapping()
    daily = ["feedback_table", "drift_report"]
    daily += ["automatic_labels"] if review.automatic else []
    asked = ["review_queue", "annotations"] if review.per_day else []
    return [
        *(dg.AssetDep(space.key(name), partition_mapping=every) for name in daily),
        *(dg.AssetDep(space.key(name)) for name in asked),
    ]


def refuse_unknown_features(space: LoopSpace, source: Snapshot) -> None:
    """See that the table has every column that the YAML file declares.

    Raises:
        dg.Failure: The file was extended after the days were materialized.
    """
    declared = [*space.config.columns.features, *space.config.columns.carried]
    missing = [name for name in declared if name not in source.columns()]
    if missing and source.version >= 0:
        days = [key for key, info in source.partitions().items() if info.rows]
        raise dg.Failure(
            f"{space.name}.feedback_table has no column {', '.join(missing)} yet: "
            f"feedback-assets backfill {space.name} --from {days[0][:10]} --to {days[-1][:10]}",
            allow_retries=False,
        )


def standing_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, source: Snapshot, as_of: dt.datetime
) -> Maturity:
    """Which days are mature as of now, by the delays seen so far."""
    if not source.partitions():
        raise dg.Failure(f"{space.name}.feedback_table was never materialized", allow_retries=False)
    counts = con.execute(delay_counts_sql(space.config, source.relation(), as_of)).df()
    return maturity(counts, space.config, as_of)


def figures(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    standing: Maturity,
    outcomes: dict[str, int],
    spent: Sequence[str],
) -> Metadata:
    """What a person wants to see of the pool: counts that add up, plots, a look at rows."""
    mature = standing.partitions
    start = holdout_start(space.config, mature, spent)
    by_day = con.execute(
        f"""SELECT partition_key, split, COUNT(*) AS n FROM {snapshot.relation(None, ["partition_key", "split"])}
            GROUP BY partition_key, split ORDER BY partition_key"""
    ).df()
    rows = [
        dg.TableRecord({"outcome": outcome, "rows": count})
        for outcome, count in sorted(outcomes.items(), key=lambda item: -item[1])
    ]
    waiting = [c for c in standing.cohorts if not c.mature]
    return {
        "train_rows": outcomes.get("train", 0),
        "holdout_rows": outcomes.get("holdout", 0),
        "outcomes": dg.MetadataValue.table(rows),
        "mature_through": mature[-1],
        "holdout_from": start.isoformat() if start else "",
        "rotated_into_training": ", ".join(spent[-5:]) or "none",
        "not_mature": f"{len(waiting)} days" + (f": {waiting[-1].reason}" if waiting else ""),
        **pictures(by_day, standing),
        "preview": preview(con, snapshot.relation(mature[-1:])),
    }


def pictures(by_day: pd.DataFrame, standing: Maturity) -> Metadata:
    """Rows of the pool by day, and how late labels come."""
    days = by_day.pivot_table(index="partition_key", columns="split", values="n", fill_value=0)
    days = days.reindex(columns=["train", "holdout"], fill_value=0)
    pool = pool_by_day(list(days.index), days["train"].tolist(), days["holdout"].tolist())
    curve = standing.curve
    ages = [curve.max_delay_days * step / CURVE_POINTS for step in range(CURVE_POINTS + 1)]
    delays = arrival_curve(ages, [curve.share(age) for age in ages])
    return {
        "pool": dg.MetadataValue.md(markdown_image(pool, "rows of the pool by day")),
        "delays": dg.MetadataValue.md(markdown_image(delays, "share of labels known by age")),
    }
