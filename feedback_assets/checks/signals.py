"""Checks that warn: worth a look, never a reason to stop the dataflow."""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from feedback_assets.assets.models import champion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.checks.scope import partitions_in_scope
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Metric
from feedback_assets.performance.metrics import HIGHER_IS_BETTER
from feedback_assets.sqltext import literal
from feedback_assets.tables.connection import connect

SHOWN = 10


def signal_checks(space: LoopSpace) -> list[dg.AssetChecksDefinition]:
    """Every warning check of the loop."""
    return [
        log_signals(space),
        label_signals(space),
        model_signals(space),
        performance_signals(space),
    ]


def _spec(space: LoopSpace, name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name=name, asset=space.key(asset), description=description)


def _warn(
    space: LoopSpace,
    name: str,
    asset: str,
    passed: bool,
    words: str,
    **metadata: float | int | str,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=space.key(asset),
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=words,
        metadata=metadata,
    )


def log_signals(space: LoopSpace) -> dg.AssetChecksDefinition:
    """Freshness and quarantine rate of the prediction log."""
    contract = space.config.contract

    @dg.multi_asset_check(
        name=f"{space.name}_log_signals",
        specs=[
            _spec(
                space,
                "freshness",
                "prediction_log",
                f"The newest prediction is at most {contract.freshness_hours:g} hours old.",
            ),
            _spec(space, "quarantine_rate", "prediction_log", "No row was refused."),
        ],
    )
    def _log_signals(
        context: dg.AssetCheckExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> Iterator[dg.AssetCheckResult]:
        table = space.table("prediction_log").snapshot()
        known = table.partitions()
        newest = None
        filled = [key for key, info in known.items() if info.rows]
        if filled:
            with connect(space.settings) as con:
                row = con.execute(
                    f"SELECT MAX(event_time) FROM {table.relation(filled[-1:], ['event_time'])}"
                ).fetchone()
                newest = row[0] if row else None
        age = hours_between(newest, clock.now())
        yield _warn(
            space,
            "freshness",
            "prediction_log",
            age <= contract.freshness_hours,
            f"the newest prediction is {age:.1f} hours old"
            if newest
            else "no prediction was ever logged",
            max_hours=contract.freshness_hours,
        )
        keys = [
            key for key in partitions_in_scope(context, space, "prediction_log") if key in known
        ]
        refused = space.table("prediction_log_quarantine").snapshot().partitions()
        bad = sum(refused[key].rows for key in keys if key in refused)
        total = bad + sum(known[key].rows for key in keys)
        yield _warn(
            space,
            "quarantine_rate",
            "prediction_log",
            bad == 0,
            f"{bad:,} of {total:,} rows refused"
            + (f"; see {space.name}.prediction_log_quarantine" if bad else ""),
            quarantined=bad,
            received=total,
        )

    return _log_signals


def hours_between(moment: dt.datetime | None, now: dt.datetime) -> float:
    """Hours from `moment` to `now`; infinite when there is no moment."""
    return (now - moment).total_seconds() / 3600 if moment else math.inf


def label_signals(space: LoopSpace) -> dg.AssetChecksDefinition:
    """Share of labels that arrived on days old enough to have them."""
    least = space.config.contract.min_label_share

    @dg.multi_asset_check(
        name=f"{space.name}_label_signals",
        specs=[
            _spec(
                space,
                "labels_arrived",
                "feedback_table",
                f"Days past the label horizon have labels for at least {least:.0%} of their rows.",
            )
        ],
    )
    def _label_signals(
        context: dg.AssetCheckExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> Iterator[dg.AssetCheckResult]:
        table = space.table("feedback_table").snapshot()
        grain, now = space.config.partitions.grain, clock.now()
        scope = partitions_in_scope(context, space, "feedback_table")
        known = table.partitions()
        old = [
            key
            for key in scope
            if key in known and known[key].rows and partition_end(grain, key) + space.horizon <= now
        ]
        shares: list[tuple[str, float]] = []
        if old:
            with connect(space.settings) as con:
                shares = con.execute(
                    f"""SELECT partition_key, AVG(CASE WHEN label_status = 'pending' THEN 0 ELSE 1 END)
                        FROM {table.relation(old, ["partition_key", "label_status"])}
                        GROUP BY partition_key ORDER BY partition_key"""
                ).fetchall()
        poor = [f"{key} {share:.0%}" for key, share in shares if share < least]
        yield _warn(
            space,
            "labels_arrived",
            "feedback_table",
            not poor,
            f"few labels on {', '.join(poor[:SHOWN])}"
            if poor
            else f"{len(shares)} of {len(scope)} days are past the horizon, all have their labels",
            days_judged=len(shares),
            days_poor=len(poor),
        )

    return _label_signals


def model_signals(space: LoopSpace) -> dg.AssetChecksDefinition:
    """Drift verdicts of the days."""

    @dg.multi_asset_check(
        name=f"{space.name}_model_signals",
        specs=[_spec(space, "drift", "drift_report", "No column drifted or broke.")],
    )
    def _model_signals(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        against = space.config.drift.references[0].name
        days = _rows(
            context,
            space,
            "drift_report",
            "partition_key, status, reason",
            f"role = 'day' AND against = {literal(against)}",
        )
        moved = [(key, why) for key, status, why in days if status in ("drift", "broken")]
        yield _warn(
            space,
            "drift",
            "drift_report",
            not moved,
            f"{len(moved)} of {len(days)} days: {moved[-1][0]}: {moved[-1][1]}"
            if moved
            else f"{len(days)} days, none drifted",
            days=len(days),
            days_drifted=len(moved),
        )

    return _model_signals


def performance_signals(space: LoopSpace) -> dg.AssetChecksDefinition:
    """Realised performance of the days, and the promises made about it."""
    loss, promises = space.config.contract.max_metric_loss, space.config.performance.sla
    specs = [
        _spec(
            space,
            "performance",
            "performance_report",
            f"Realised {space.config.metric} is at most {loss:.0%} worse than when the "
            "champion was judged.",
        )
    ]
    if promises:
        told = "; ".join(
            f"{p.metric} by {p.period} misses {p.target:g} fewer than {p.checks} times in a row"
            for p in promises
        )
        specs.append(_spec(space, "sla", "performance_report", f"What was promised: {told}."))

    @dg.multi_asset_check(name=f"{space.name}_performance_signals", specs=specs)
    def _performance_signals(
        context: dg.AssetCheckExecutionContext,
    ) -> Iterator[dg.AssetCheckResult]:
        best = _best_end(space.config.metric)
        metrics = _rows(
            context,
            space,
            "performance_report",
            f'partition_key, CASE WHEN isfinite({best}) THEN {best} ELSE "value" END, labels',
            "kind = 'realised' AND period = 'day' AND segment = '' AND model_version = '' "
            f'AND metric = {literal(space.config.metric)} AND isfinite("value")',
        )
        yield _performance(space, metrics, loss)
        if promises:
            yield _promises(space, _rows(
                context, space, "sla", "partition_key, metric, streak, broken", "TRUE"
            ))  # fmt: skip

    return _performance_signals


def _best_end(metric: Metric) -> str:
    """The column of the better end of what a metric will be once all labels are there.

    The labels that come early are no fair sample, so they alone prove no loss.
    """
    return "high_mature" if metric in HIGHER_IS_BETTER else "low_mature"


def _rows(
    context: dg.AssetCheckExecutionContext, space: LoopSpace, name: str, columns: str, where: str
) -> list[tuple[Any, ...]]:
    """Rows of a table in the partitions that the check is about, oldest first."""
    table = space.table(name).snapshot()
    asset = "performance_report" if name == "sla" else name
    keys = [k for k in partitions_in_scope(context, space, asset) if k in table.partitions()]
    if not keys:
        return []
    with connect(space.settings) as con:
        return con.execute(
            f"SELECT {columns} FROM {table.relation(keys)} WHERE {where} ORDER BY partition_key"
        ).fetchall()


def _promises(space: LoopSpace, rows: Sequence[tuple[str, str, int, bool]]) -> dg.AssetCheckResult:
    broken = [f"{key} {metric} ({streak} in a row)" for key, metric, streak, bad in rows if bad]
    words = f"broken: {', '.join(broken[-SHOWN:])}" if broken else "every promise was kept"
    longest = max((streak for _, _, streak, _ in rows), default=0)
    return _warn(space, "sla", "performance_report", not broken, words, longest_streak=int(longest))


def _performance(
    space: LoopSpace, metrics: Sequence[tuple[str, float, int]], loss: float
) -> dg.AssetCheckResult:
    serving = champion(space)
    name, asset = space.config.metric, "performance_report"
    expected = float(serving.manifest["metrics"][name]) if serving else math.nan
    rows = sum(count for _, _, count in metrics)
    if not rows or math.isnan(expected):
        words = "no labelled answer of a champion in these days"
        return _warn(space, "performance", asset, True, words)
    realised = sum(value * count for _, value, count in metrics) / rows
    worse = (expected - realised if name in HIGHER_IS_BETTER else realised - expected) / abs(
        expected or 1.0
    )
    return _warn(
        space,
        "performance",
        asset,
        worse <= loss,
        f"{name} {realised:.4f} on {rows:,} labels; {expected:.4f} when version "
        f"{serving.version if serving else '?'} was judged",
        realised=realised,
        expected=expected,
    )
