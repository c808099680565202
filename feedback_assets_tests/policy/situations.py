"""Loops by their trigger, and evidence that says nothing unless told."""

import datetime as dt
from dataclasses import replace
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.policy.conditions import explain_condition
from feedback_assets.policy.evidence import DriftDay, Evidence, Measured, PerformanceDay
from feedback_assets.policy.explained import Explained
from feedback_assets_tests.promotion.loops import loop_config


def moment(text: str) -> dt.datetime:
    """An ISO date or time as an aware moment in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


CALM = Evidence(
    now=moment("2024-03-15T10:00"),
    new_labels=200,
    last_version=3,
    days_since_retrain=10.0,
    drift=[DriftDay("2024-03-10", weight=0.0, digest="calm")],
)
DRIFTED = DriftDay("2024-03-12", 2, 2.0, "abc", "size 0.9 sd higher")
STABLE = DriftDay("2024-03-13", 0, 0.0)


def loop(when: Any, **trigger: Any) -> Config:
    """A binary loop with this condition; promises and metrics are there to ask for."""
    base = {"min_new_labels": 100, "cooldown_days": 7}
    return loop_config(
        trigger={"when": when, **base, **trigger},
        performance={"sla": [{"metric": "log_loss", "target": 0.5}]},
    )


def told(when: Any, rearm: float | None = None, **change: Any) -> Explained:
    """The condition held against calm evidence with changes."""
    config = loop(when, rearm=rearm)
    return explain_condition(config.trigger.when, config, replace(CALM, **change))


def day(
    partition: str,
    log_loss: tuple[float, float, float] | None = None,
    way: str = "estimated",
    expected: float | None = 0.5,
    streak: int | None = None,
    **others: tuple[float, float, float],
) -> PerformanceDay:
    """A day's report: value, low and high of metrics, as estimated or realised."""
    metrics = {**({"log_loss": log_loss} if log_loss else {}), **others}
    return PerformanceDay(
        partition,
        **{way: {name: Measured(*ends) for name, ends in metrics.items()}},  # type: ignore[arg-type]
        expected={} if expected is None else dict.fromkeys(metrics, expected),
        sla_streak=streak,
    )
