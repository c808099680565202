"""The conditions that the model has become worse: estimated, realised, or below what was promised."""

from functools import partial

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.policy import LossCondition
from feedback_assets.performance.metrics import HIGHER_IS_BETTER
from feedback_assets.policy.evidence import Evidence, PerformanceDay, Way, known
from feedback_assets.policy.explained import Explained
from feedback_assets.policy.rearm import rearmed, spent


def explain_loss(
    asked: LossCondition,
    way: Way,
    metric: ReportMetric,
    evidence: Evidence,
    identity: str,
    rearm: float | None,
) -> Explained:
    """A metric beyond doubt worse than expected on the newest days of which it is known.

    Args:
        asked: the condition.
        way: as estimated before labels, or as realised.
        metric: whose value is meant.
        evidence: what is known.
        identity: names the condition.
        rearm: hysteresis, if there is any.
    """
    name = f"{way} loss"
    worse = partial(certain_loss, way=way, metric=metric)

    def level(day: PerformanceDay) -> float | None:
        loss = worse(day)
        return None if loss is None else loss / asked.worse_by

    days = rearmed(evidence.performance, level, evidence, identity, rearm)
    if days is None:
        return spent(name, evidence, identity, rearm)
    told = [(day, loss) for day in days if (loss := worse(day)) is not None]
    if not told:
        return Explained(
            name=name,
            met=None,
            threshold=asked.worse_by,
            told=f"{way} {metric} is not known",
            missing=f"no day since the last retrain tells the {way} {metric} and what it should be",
            identity=identity,
        )
    newest, loss = told[-1]
    streak = _streak([loss >= asked.worse_by for _, loss in told])
    met = streak >= asked.days
    words = _words(newest, way, metric, loss, asked)
    if asked.days > 1:
        words += f", {min(streak, asked.days)} of {asked.days} days"
    return Explained(
        name=name,
        met=met,
        value=loss,
        threshold=asked.worse_by,
        told=words,
        missing="" if met else _missing(loss, streak, asked),
        why=words,
        level=loss / asked.worse_by,
        key=f"{way}:{evidence.last_version}:{newest.partition}",
        identity=identity,
    )


def certain_loss(day: PerformanceDay, way: Way, metric: ReportMetric) -> float | None:
    """How much worse a day's metric is than expected, as a share of what was expected, at least.

    The interval's better end is compared, so that what the day does not prove is no loss: 0 or less
    where the interval holds what was expected. None when any of the numbers is not known.
    """
    measured, expected = day.measured(way).get(metric), day.expected.get(metric)
    if measured is None or expected is None or not known(expected) or expected == 0:
        return None
    higher = metric in HIGHER_IS_BETTER
    best = measured.high if higher else measured.low
    if not known(best) or not known(measured.value):
        return None
    return (expected - best if higher else best - expected) / abs(expected)


def explain_streak(
    checks: int, evidence: Evidence, identity: str, rearm: float | None
) -> Explained:
    """A promise missed in so many checks in a row."""

    def level(day: PerformanceDay) -> float | None:
        return None if day.sla_streak is None else day.sla_streak / checks

    days = rearmed(evidence.performance, level, evidence, identity, rearm)
    if days is None:
        return spent("missed promise", evidence, identity, rearm)
    told = [(day.partition, day.sla_streak) for day in days if day.sla_streak is not None]
    if not told:
        return Explained(
            name="missed promise",
            met=None,
            threshold=checks,
            told="missed promises are not known",
            missing="no day since the last retrain has been checked",
            identity=identity,
        )
    partition, streak = told[-1]
    words = f"{streak} of {checks} checks in a row missed"
    return Explained(
        name="missed promise",
        met=streak >= checks,
        value=streak,
        threshold=checks,
        told=words,
        missing="" if streak >= checks else f"{checks - streak} more missed checks in a row",
        why=f"{partition}: {words}",
        level=streak / checks,
        key=f"sla:{evidence.last_version}:{partition}",
        identity=identity,
    )


def _streak(worse: list[bool]) -> int:
    """How many of the newest are true without a break."""
    return next((n for n, one in enumerate(reversed(worse)) if not one), len(worse))


def _words(
    day: PerformanceDay, way: Way, metric: ReportMetric, loss: float, asked: LossCondition
) -> str:
    measured = day.measured(way)[metric]
    by = f"at least {loss:.1%} worse than" if loss > 0 else "not surely worse than"
    return (
        f"{day.partition}: {way} {metric} {measured.value:.4g} ({measured.low:.4g} to "
        f"{measured.high:.4g}), {by} {day.expected[metric]:.4g}; {asked.worse_by:.1%} asked"
    )


def _missing(loss: float, streak: int, asked: LossCondition) -> str:
    if streak:
        return f"{asked.days - streak} more days in a row"
    return f"{(asked.worse_by - loss) * 100:.1f} percentage points" if loss > 0 else "a sure loss"
