"""Hysteresis: what caused the last retrain must go away, or grow, before it causes another.

Levels are multiples of a condition's threshold: 1 is the threshold itself.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from feedback_assets.policy.evidence import Evidence, known
from feedback_assets.policy.explained import Explained

Day = TypeVar("Day")


def rearmed(
    days: Sequence[Day],
    level: Callable[[Day], float | None],
    evidence: Evidence,
    identity: str,
    rearm: float | None,
) -> Sequence[Day] | None:
    """The days that a condition may be judged by.

    All of them, unless the condition caused the last retrain and the champion is still the same:
    then those from the first day on whose level lies below `rearm`, or above the level that caused
    the retrain by the factor 1 / `rearm`. None when there is no such day: the condition is spent.

    >>> import datetime as dt
    >>> now = Evidence(dt.datetime.now(dt.UTC), new_labels=0, fired={"drift": 2.0})
    >>> rearmed([2.0, 3.0], float, now, "drift", 0.5), rearmed([2.0, 0.0, 2.0], float, now, "drift", 0.5)
    (None, [0.0, 2.0])
    """
    fired = evidence.fired.get(identity)
    if rearm is None or fired is None or evidence.promoted_since:
        return days
    for position, day in enumerate(days):
        now = level(day)
        if now is not None and known(now) and (now < rearm or now * rearm > fired):
            return days[position:]
    return None


def spent(name: str, evidence: Evidence, identity: str, rearm: float | None) -> Explained:
    """A condition that caused the last retrain and may not cause another yet."""
    share = rearm or 1.0
    return Explained(
        name=name,
        met=False,
        told=f"{name} caused the last retrain",
        missing=f"a day below {share:.0%} of the threshold, "
        f"or above {evidence.fired[identity] / share:.0%}",
        identity=identity,
    )
