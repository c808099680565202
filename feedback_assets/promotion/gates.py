"""Every gate of a loop's file, and who let a candidate through one that failed."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError
from feedback_assets.promotion import limits
from feedback_assets.promotion.approval import Override
from feedback_assets.promotion.checked import GateCheck as GateCheck
from feedback_assets.promotion.checked import GateFacts as GateFacts
from feedback_assets.promotion.checked import LabelAudit as LabelAudit
from feedback_assets.promotion.checked import Seen

SCHEMA = 1
_ALL: Mapping[str, Callable[[Seen], GateCheck | None]] = {
    "better": limits.better,
    "segments": limits.segments,
    "calibration": limits.calibration,
    "latency": limits.latency,
    "size": limits.size,
    "memory": limits.memory,
    "churn": limits.churn,
    "negative_flips": limits.negative_flips,
    "disparate_impact": limits.disparate_impact,
    "equal_opportunity": limits.equal_opportunity,
    "robustness": limits.robustness,
    "reliance": limits.reliance,
    "label_quality": limits.label_quality,
    "rows": limits.rows,
    "data": limits.data,
    "parity": limits.parity,
}
GATES = tuple(_ALL)
"""The names of all gates."""
PROOF = "better"
"""The gate that nobody can override: it is the proof itself, not a limit."""


def check_gates(
    config: Config,
    suite: Mapping[str, Any],
    facts: GateFacts,
    overrides: Sequence[Override],
    now: dt.datetime,
    staged: bool,
) -> tuple[GateCheck, ...]:
    """Hold a candidate against every gate that the loop's file asks for.

    Args:
        config: The loop's.
        suite: The evaluation of the candidate, beside the champion if there is one.
        facts: What the evaluation does not tell.
        overrides: As `standing_overrides` gives them; one that has expired by `now` does nothing.
        now: When it is judged, aware.
        staged: Whether a rollout will prove the gain; else the gate `better` must.

    Returns:
        The answers in the order of `GATES`. One without a threshold or without data has failed.

    Raises:
        GateError: The evaluation is of a form that this release does not know.
    """
    if suite.get("schema") != SCHEMA:
        raise GateError(
            f"the evaluation has schema {suite.get('schema')!r}, this release reads {SCHEMA}: "
            "materialize evaluation_report again"
        )
    seen = Seen(config, suite, facts)
    asked = [name for name in GATES if not (staged and name == PROOF)]
    checks = [check for name in asked if (check := _ALL[name](seen)) is not None]
    return tuple(_with_override(check, overrides, now) for check in checks)


def still_overridden(
    checks: Sequence[GateCheck], overrides: Sequence[Override], now: dt.datetime
) -> tuple[GateCheck, ...]:
    """Recorded answers as they count now: an override that stands no more lets nobody through.

    Args:
        checks: As they were recorded.
        overrides: As `standing_overrides` gives them now.
        now: When it is asked, aware.
    """
    standing = {override.gate for override in overrides if override.expires_at > now}
    return tuple(
        replace(
            check,
            passed=False,
            overridden_by="",
            reason=f"{check.reason}; that override has expired or counts no more",
        )
        if check.overridden_by and check.name not in standing
        else check
        for check in checks
    )


def _with_override(check: GateCheck, overrides: Sequence[Override], now: dt.datetime) -> GateCheck:
    mine = [o for o in overrides if o.gate == check.name and o.expires_at > now]
    if check.passed or check.name == PROOF or not mine:
        return check
    given = mine[-1]
    until = f"{given.expires_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    reason = f"{check.reason}; overridden by {given.by} until {until}: {given.reason}"
    return replace(check, passed=True, reason=reason, overridden_by=given.by)
