"""Checks that warn: worth a look, never a reason to stop the dataflow."""

import datetime as dt
import math
from collections.abc import Iterator, Sequence

import dagster as dg

from feedback_assets.assets.models import champion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.checks.scope import partitions_in_scope
from feedback_assets.clock import Clock
from feedback_assets.config.grain import partition_end
from feedback_assets.performance.metrics import HIGHER_IS_BETTER
from feedback_assets.tables.connection import connect

SHOWN = 10


def signal_checks(space: LoopSpace) -> list[dg.AssetChecksDefinition]:
    """Every warning check of the loop."""
    return [log_signals(space), label_signals(space), model_signals(space)]


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
    """Drift verdict and realised performance of the days."""
    loss = space.config.contract.max_metric_loss

    @dg.multi_asset_check(
        name=f"{space.name}_model_signals",
        specs=[
            _spec(space, "drift", "drift_report", "No column drifted or broke."),
            _spec(
                space,
                "performance",
                "drift_report",
                f"Realised {space.config.metric} is at most {loss:.0%} worse than when the "
                "champion was judged.",
            ),
        ],
    )
    def _model_signals(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        keys = partitions_in_scope(context, space, "drift_report")
        table = space.table("drift_report").snapshot()
        days: list[tuple[str, str, str]] = []
        metrics: list[tuple[str, float, int]] = []
        if any(key in table.partitions() for key in keys):
            with connect(space.settings) as con:
                relation = table.relation(keys)
                days = con.execute(
                    f"SELECT partition_key, status, reason FROM {relation} "
                    "WHERE role = 'day' ORDER BY partition_key"
                ).fetchall()
                metrics = con.execute(
                    f'SELECT partition_key, "value", "rows" FROM {relation} '
                    "WHERE role = 'performance' AND column_name = ? ORDER BY partition_key",
                    [space.config.metric],
                ).fetchall()
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
        yield _performance(space, metrics, loss)

    return _model_signals


def _performance(
    space: LoopSpace, metrics: Sequence[tuple[str, float, int]], loss: float
) -> dg.AssetCheckResult:
    serving = champion(space)
    name = space.config.metric
    expected = float(serving.manifest["metrics"][name]) if serving else math.nan
    rows = sum(count for _, _, count in metrics)
    if not rows or math.isnan(expected):
        words = "no labelled answer of a champion in these days"
        return _warn(space, "performance", "drift_report", True, words)
    realised = sum(value * count for _, value, count in metrics) / rows
    worse = (expected - realised if name in HIGHER_IS_BETTER else realised - expected) / abs(
        expected or 1.0
    )
    return _warn(
        space,
        "performance",
        "drift_report",
        worse <= loss,
        f"{name} {realised:.4f} on {rows:,} labels; {expected:.4f} when version "
        f"{serving.version if serving else '?'} was judged",
        realised=realised,
        expected=expected,
    )
