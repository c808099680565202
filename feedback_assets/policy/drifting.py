"""The condition that days have drifted."""

from collections.abc import Sequence
from dataclasses import replace

from feedback_assets.config.policy import DriftCondition
from feedback_assets.policy.evidence import DriftDay, Evidence
from feedback_assets.policy.explained import Explained
from feedback_assets.policy.rearm import rearmed, spent


def explain_drift(
    asked: DriftCondition, evidence: Evidence, identity: str, rearm: float | None
) -> Explained:
    """Enough drifted columns, heavy enough, on enough days since the last retrain.

    A day whose columns are too few is known not to count even where their weight is not known.
    """

    def level(day: DriftDay) -> float | None:
        columns = day.columns / asked.columns
        if not asked.weight or columns < 1:
            return columns
        return None if day.weight is None else min(columns, day.weight / asked.weight)

    days = rearmed(evidence.drift, level, evidence, identity, rearm)
    if days is None:
        return spent("drift", evidence, identity, rearm)
    levels = [level(day) for day in days]
    crossing = [day for day, now in zip(days, levels, strict=True) if now is not None and now >= 1]
    value, threshold, told = _numbers(asked, days, len(crossing))
    seen = Explained("drift", None, value, threshold, told, identity=identity)
    if len(crossing) >= asked.days:
        newest = crossing[-1]
        return replace(
            seen,
            met=True,
            why=f"{newest.partition}: {newest.reason}",
            level=level(newest),
            key=f"drift:{newest.partition}:{newest.digest}",
        )
    unsure = levels.count(None)
    known = bool(days) and len(crossing) + unsure < asked.days
    missing = _missing(asked, days, len(crossing), unsure)
    return replace(seen, met=False if known else None, missing=missing)


def _numbers(
    asked: DriftCondition, days: Sequence[DriftDay], crossing: int
) -> tuple[float | None, float, str]:
    """Value, threshold and both in words."""
    if asked.days > 1:
        told = f"{crossing} of {asked.days} drifted days"
        return crossing if days else None, asked.days, told
    worst = max((day.columns for day in days), default=0)
    told = f"{worst} of {asked.columns} drifted columns"
    if not asked.weight:
        return worst if days else None, asked.columns, told
    heaviest = max((day.weight for day in days if day.weight is not None), default=None)
    weight = "not known" if heaviest is None else f"{heaviest:g}"
    return heaviest, asked.weight, f"{told}, weight {weight} of {asked.weight:g}"


def _missing(asked: DriftCondition, days: Sequence[DriftDay], crossing: int, unsure: int) -> str:
    if not days:
        return "no day is judged since the last retrain"
    if unsure:
        return "the weight of the drifted columns is not known"
    size = f"{asked.columns} drifted columns" if asked.columns > 1 else "a drifted column"
    if asked.weight:
        size += f" of weight {asked.weight:g}"
    more = asked.days - crossing
    return f"{more} more days with {size}" if more > 1 else f"a day with {size}"
