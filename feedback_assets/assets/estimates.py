"""Performance before labels arrive, by each version's own estimator."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd

from feedback_assets.assets.answers import answers, trailing
from feedback_assets.assets.companions import with_error
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.worth import with_worth_by_truth
from feedback_assets.performance.estimate import Estimates, Estimator, estimate_together
from feedback_assets.performance.intervals import UNKNOWN
from feedback_assets.performance.periods import period_days
from feedback_assets.performance.report import performance_frame
from feedback_assets.performance.shift import adjusted
from feedback_assets.tables.table import Snapshot

Row = dict[str, Any]


def estimated_rows(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    rows: pd.DataFrame,
    keys: Sequence[str],
    models: Mapping[str, ModelVersion],
    as_of: dt.datetime,
) -> pd.DataFrame:
    """Rows of kind `estimated` (every period, each version and all) and `adjusted` (the day).

    Args:
        space: The loop.
        con: A connection.
        source: The feedback table.
        rows: Answers of the trailing window of all `keys`.
        keys: Partitions to report on.
        models: Version to model; answers of unknown versions are not estimated.
        as_of: The report's.
    """
    config = space.config
    present = [v for v in rows["model_version"].dropna().unique() if str(v) in models]
    estimators = {v: models[str(v)].estimator(config) for v in present}
    ready = with_worth_by_truth(config, con, rows)
    ready = pd.concat(
        [
            with_error(models[str(v)].error_model(), ready[ready["model_version"] == v])
            for v in present
        ]
        or [ready.head(0)]
    )
    made: list[Row] = []
    for key in keys:
        for period, days in period_days(config).items():
            window = trailing(space, source, [key], days)
            here = ready[ready["partition_key"].isin(window)]
            made += [
                {"partition_key": key, "period": period, "kind": "estimated", **row}
                for row in _by_version(here, estimators, models, answered_in(rows, window))
            ]
        made += [
            {"partition_key": key, "period": "day", "kind": "adjusted", **row}
            for row in _adjusted(space, con, source, key, estimators, models)
        ]
    return performance_frame(made, as_of)


def _by_version(
    rows: pd.DataFrame,
    estimators: Mapping[str, Estimator],
    models: Mapping[str, ModelVersion],
    answered: int,
) -> Iterator[Row]:
    """Estimates of each version's answers, and of all together."""
    parts = {v: part for v in estimators if len(part := rows[rows["model_version"] == v])}
    if not parts:
        return
    held = {version: models[str(version)].manifest["metrics"] for version in parts}
    found = {version: estimators[version].estimate(part) for version, part in parts.items()}
    for version, estimates in found.items():
        yield from _rows(str(version), estimates, held[version])
    whole = next(iter(found.values()))
    if len(parts) > 1:
        whole = estimate_together([(estimators[v], part) for v, part in parts.items()])
    unknown = answered - sum(len(part) for part in parts.values())
    mixed: dict[str, float | None] = {
        name: weighted([(held[v].get(name), len(part)) for v, part in parts.items()])
        for name in whole.metrics
    }
    if unknown:
        why = f"{unknown:,} answers are of versions that are not kept here"
        yield from _rows("", unknown_of(whole), mixed, why)
    else:
        yield from _rows("", whole, mixed)


def unknown_of(estimates: Estimates) -> Estimates:
    """The same metrics, not known."""
    return Estimates(dict.fromkeys(estimates.metrics, UNKNOWN), estimates.reasons, estimates.rows)


def answered_in(rows: pd.DataFrame, days: Sequence[str]) -> int:
    """How many answers were given on these days."""
    return int(rows["partition_key"].isin(days).sum())


def weighted(parts: Sequence[tuple[float | None, int]]) -> float | None:
    """Mean of some values by their rows; None if one is not known."""
    total = sum(rows for _, rows in parts)
    if not total or any(value is None for value, _ in parts):
        return None
    return sum(value * rows for value, rows in parts if value is not None) / total


def _rows(
    version: str, estimates: Estimates, expected: Mapping[str, float | None], reason: str = ""
) -> Iterator[Row]:
    for metric, interval in estimates.metrics.items():
        yield {
            "model_version": version,
            "metric": metric,
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            "expected": expected.get(metric),
            "rows": estimates.rows,
            "maturity": 1.0,
            "reason": reason or estimates.reasons[metric],
        }


def _adjusted(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    key: str,
    estimators: Mapping[str, Estimator],
    models: Mapping[str, ModelVersion],
) -> Iterator[Row]:
    """The day's estimates for traffic unlike the held-out rows, where one version answered it."""
    rows = answers(space, con, source, [key], features=True)
    versions = [v for v in rows["model_version"].dropna().unique() if v in estimators]
    if len(versions) != 1:
        return
    version, config = versions[0], space.config
    model, estimator = models[str(version)], estimators[version]
    rows = with_error(model.error_model(), with_worth_by_truth(config, con, rows))
    shifted = adjusted(estimator, model.held_sample(), rows, config)
    if shifted.estimator is None:
        yield from _rows(
            "", unknown_of(estimator.estimate(rows)), model.manifest["metrics"], shifted.reason
        )
    else:
        yield from _rows("", shifted.estimator.estimate(rows), model.manifest["metrics"])
