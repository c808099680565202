"""Whether to wait for labels: what they will add to a model against what the delay costs.

What a retrain gains on a day of serving is not known beforehand, but it is not needed: it multiplies
both sides. Trained now, with n labels of the new time, the model gives the share n / (n + h) of it on
all H days that it serves; trained d days later, with m labels, m / (m + h) on H - d days. That the
excess loss falls as 1 / n is so of log loss for n large (Amari and Murata 1993); h is where half of the
gain is there. A steady stream of r labels a day is not waited for beyond n (n + h) = r h H.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from feedback_assets.config.policy import Trigger, Wait
from feedback_assets.policy.evidence import Coming, Evidence
from feedback_assets.policy.explained import Explained

SERVES_DAYS = 30.0
"""Days that a model is taken to serve before any was replaced."""
NAME = "labels still to come"


@dataclass(frozen=True)
class Choice:
    """A day to train on.

    Attributes:
        coming: the days from now, and the labels by then.
        share: of the gain of a retrain that the labels bring.
        worth: that share times the days that the model then serves.
    """

    coming: Coming
    share: float
    worth: float


def labels_to_come(wait: Wait, trigger: Trigger, evidence: Evidence) -> Explained:
    """The gate: open when no later day is better than now by more than `wait.least_gain`."""
    if not evidence.coming:
        return Explained(NAME, True, told="how many labels are still to come is not known")
    half = wait.half_labels or max(trigger.min_new_labels, 1)
    days = wait.serves_days or serves(evidence)
    now, *later = choices(evidence.coming, half, days)
    best = max(later, key=lambda choice: choice.worth, default=now)
    asked = now.worth * (1 + wait.least_gain)
    told = f"{_words(now)} of {days:g} ({half:,} labels are half the gain)"
    if best.worth <= asked:
        more = later and best.coming.labels > now.coming.labels
        told += f"; {_words(best)}" if more else "; no more are expected" if not later else ""
        return Explained(NAME, True, best.worth, asked, f"not worth waiting: {told}")
    missing = f"{best.coming.labels - now.coming.labels:,.0f} labels, expected in {best.coming.days:.3g} days"
    return Explained(
        NAME, False, best.worth, asked, f"worth waiting: {told}; {_words(best)}", missing
    )


def choices(coming: Sequence[Coming], half: float, days: float) -> list[Choice]:
    """What training on each day is worth, in days of a full gain.

    >>> [round(c.worth, 1) for c in choices([Coming(0, 500), Coming(3, 2000)], 500, 30)]
    [15.0, 21.6]
    """
    found = []
    for at in coming:
        share = at.labels / (at.labels + half)
        found.append(Choice(at, share, share * max(days - at.days, 0.0)))
    return found


def serves(evidence: Evidence) -> float:
    """Days that a model serves: the median time between retrains so far, in days."""
    moments = sorted(evidence.retrains)
    gaps = [(b - a).total_seconds() / 86_400 for a, b in pairwise(moments)]
    spans = [gap for gap in gaps if gap > 0]
    return median(spans) if spans else SERVES_DAYS


def _words(choice: Choice) -> str:
    """What a day to train on gives."""
    when = f"in {choice.coming.days:.3g} days" if choice.coming.days else "now"
    return f"{when} {choice.coming.labels:,.0f} new labels give {choice.worth:.1f} full days"
