"""How the service did in each arm of a trial: who answered, how fast, and whether it said the same."""

import datetime as dt
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb

from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial_scores import days_since, partition_of
from feedback_assets.sqltext import instant, literal, number
from feedback_assets.tables.snapshot import Snapshot

_ARMS = {"champion": "champion", "shadow": "champion", "canary": "challenger"}
"""Routing's arms as the trial's: a row in shadow is answered by the champion."""
SHOWN_WARNINGS = 5


@dataclass(frozen=True)
class ArmFigures:
    """The requests of one arm.

    Attributes:
        requests: Rows that were meant for it.
        others: Of these, answered by someone else: previous, cache, default, or the champion.
        p50_ms: Median time to the answer, milliseconds; None where there is no request.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        warnings: Why answers were not its own, most frequent first, at most 5.
    """

    requests: int
    others: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    warnings: Mapping[str, int] = field(default_factory=dict)

    @property
    def error_share(self) -> float | None:
        """Share of its requests that someone else had to answer."""
        return self.others / self.requests if self.requests else None


@dataclass(frozen=True)
class ShadowFigures:
    """What the challenger's scores in the service say beside those made from the log.

    Attributes:
        scores: That the service made, in shadow or as answers.
        p95_ms: 95th percentile of the time for one score in shadow, milliseconds.
        compared: Of these, rows that were scored from the log, too.
        agreeing: Of the compared, equal within `model.parity_tolerance`.
        largest_difference: Of the compared; None where there are none.
    """

    scores: int
    p95_ms: float | None
    compared: int
    agreeing: int
    largest_difference: float | None


@dataclass(frozen=True)
class ServiceFigures:
    """Both arms since the stage began, or since the promotion.

    Attributes:
        since: First moment that counts.
        until: Last moment that counts.
        champion: Who served; of a watch, the model before, in a time as long before the promotion.
        challenger: Who is tried; None where it answered nobody.
        shadow: Its scores beside those from the log; None where it made none.
    """

    since: dt.datetime
    until: dt.datetime
    champion: ArmFigures
    challenger: ArmFigures | None = None
    shadow: ShadowFigures | None = None

    @property
    def error_excess(self) -> float | None:
        """The challenger's share of requests that others answered, less the champion's."""
        if self.challenger is None or self.challenger.error_share is None:
            return None
        return self.challenger.error_share - (self.champion.error_share or 0.0)

    @property
    def latency_ratio(self) -> float | None:
        """The challenger's 95th percentile by the champion's."""
        theirs, ours = self.champion.p95_ms, self.challenger.p95_ms if self.challenger else None
        return ours / theirs if ours is not None and theirs else None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        plain = {
            **asdict(self),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "error_excess": self.error_excess,
            "latency_ratio": self.latency_ratio,
        }
        told: dict[str, Any] = json.loads(json.dumps(plain))
        return told


def service_figures(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    challenger: ModelVersion,
    since: dt.datetime,
    now: dt.datetime,
    scores: Snapshot,
    watched: bool = False,
) -> ServiceFigures | None:
    """How the service did in a trial.

    Args:
        space: The loop.
        con: A connection.
        challenger: Who is tried; of a watch, the new champion.
        since: When the stage began, or the promotion was.
        now: Nothing later counts.
        scores: The table of scores from the log (`trial_scores`).
        watched: Whether the challenger serves already; then the time before is its comparison.

    Returns:
        The figures; None where nobody asked the service in that time.
    """
    log = space.table("serving_log").snapshot()
    if log.version < 0:
        return None
    arms = _arms(con, log, space, challenger, since, now, watched)
    if not arms:
        return None
    nobody = ArmFigures(0, 0, None, None, None)
    return ServiceFigures(
        since,
        now,
        arms.get("champion", nobody),
        arms.get("challenger"),
        _shadow(space, con, log, challenger, since, now, scores),
    )


def _arms(
    con: duckdb.DuckDBPyConnection,
    log: Snapshot,
    space: LoopSpace,
    challenger: ModelVersion,
    since: dt.datetime,
    now: dt.datetime,
    watched: bool,
) -> dict[str, ArmFigures]:
    """Champion and challenger, those that were asked."""
    asked = _asked_sql(space, log, challenger, since, now, watched)
    found = con.execute(
        f"""WITH asked AS ({asked}) SELECT side, COUNT(*), COUNT(*) FILTER (other),
        QUANTILE_CONT(latency_us, [0.5, 0.95, 0.99]) FROM asked GROUP BY side"""
    ).fetchall()
    warnings = con.execute(
        f"""WITH asked AS ({asked}) SELECT side, warning, COUNT(*) AS n FROM asked
        WHERE warning IS NOT NULL GROUP BY ALL ORDER BY n DESC, warning"""
    ).fetchall()
    arms = {}
    for side, requests, others, times in found:
        p50, p95, p99 = (_milliseconds(value) for value in times or (None, None, None))
        why = [(text, n) for of, text, n in warnings if of == side]
        arms[side] = ArmFigures(requests, others, p50, p95, p99, dict(why[:SHOWN_WARNINGS]))
    return arms


def _asked_sql(
    space: LoopSpace,
    log: Snapshot,
    challenger: ModelVersion,
    since: dt.datetime,
    now: dt.datetime,
    watched: bool,
) -> str:
    """SQL of the requests: `side`, whether an `other` answered, `warning`, `latency_us`."""
    arms = " ".join(f"WHEN {literal(arm)} THEN {literal(side)}" for arm, side in _ARMS.items())
    side, begin = f"CASE arm {arms} END", since
    if watched:
        # The new champion is compared with the old one in a time as long before the promotion.
        begin = since - (now - since)
        before = f"event_time <= {instant(since)}"
        side = f"CASE WHEN arm = 'canary' THEN NULL WHEN {before} THEN 'champion' ELSE 'challenger' END"
    names = ["role", "event_time", "arm", "answered_by", "model_version", "warning", "latency_us"]
    # Whom a canary of another trial answered is nobody's request here.
    return f"""
SELECT {side} AS side, warning, latency_us,
  answered_by <> CASE arm WHEN 'canary' THEN 'challenger' ELSE 'champion' END AS other
FROM {log.relation(days_since(space, log, begin), names)}
WHERE role = 'served' AND arm <> 'explore' AND ({side}) IS NOT NULL
  AND event_time > {instant(begin)} AND event_time <= {instant(now)}
  AND NOT (answered_by = 'challenger' AND model_version <> {literal(str(challenger.version))})"""


def _shadow(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    log: Snapshot,
    challenger: ModelVersion,
    since: dt.datetime,
    now: dt.datetime,
    scores: Snapshot,
) -> ShadowFigures | None:
    """The service's scores of one version beside those from the log."""
    days = days_since(space, log, since)
    names = ["prediction_id", "role", "event_time", "model_version", "score", "latency_us"]
    kept = [partition_of(challenger, day) for day in days]
    offline = (
        scores.relation(kept, ["prediction_id", "score"])
        if scores.version >= 0
        else "(SELECT '' AS prediction_id, 0.0e0 AS score WHERE FALSE)"
    )
    apart = "ABS(served.score - offline.score)"
    counted, p95, compared, agreeing, largest = con.execute(
        f"""
SELECT COUNT(*), QUANTILE_CONT(latency_us, 0.95) FILTER (role = 'shadow'),
  COUNT(offline.score), COUNT(*) FILTER ({apart} <= {number(space.config.model.parity_tolerance)}),
  MAX({apart})
FROM {log.relation(days, names)} AS served
LEFT JOIN {offline} AS offline ON offline.prediction_id = served.prediction_id
WHERE model_version = {literal(str(challenger.version))} AND event_time > {instant(since)}
  AND event_time <= {instant(now)} AND served.score IS NOT NULL"""
    ).fetchall()[0]
    if not counted:
        return None
    return ShadowFigures(
        counted, _milliseconds(p95), compared, agreeing, largest if _finite(largest) else None
    )


def _milliseconds(micros: float | None) -> float | None:
    return None if micros is None else float(micros) / 1000


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
