"""What changing the model is expected to be worth.

Candidates usually differ little from the champion, so a small sample's gain is believed only in part:
with a normal prior of mean 0 the posterior mean is the gain times prior variance over prior plus
sampling variance (Efron & Morris 1973). It is enjoyed by every row within the horizon.
"""

import math

import numpy as np

from feedback_assets.config.rollout import Decide
from feedback_assets.performance.metrics import Floats


def shrunk_gain(gain: Floats | float, error: Floats | float, prior: float) -> Floats:
    """Posterior mean of the gain of a row.

    Args:
        gain: Mean difference seen [...].
        error: Its standard error [...].
        prior: Standard deviation of candidates' true gains, in the same unit.
    """
    if prior <= 0:
        return np.zeros(np.shape(gain))
    variance = np.square(error)
    return np.asarray(gain) * (prior**2 / (prior**2 + variance))


def rows_enjoyed(decide: Decide, rows_per_day: float | None) -> float:
    """Predictions within the horizon; NaN where nobody knows how many there are a day."""
    daily = decide.rows_per_day if decide.rows_per_day is not None else rows_per_day
    return math.nan if daily is None else daily * decide.horizon_days


def break_even(decide: Decide, rows: float) -> float:
    """The gain of a row that just pays for the switch; infinite if no row enjoys it.

    Args:
        decide: The loop's section.
        rows: Of `rows_enjoyed`.
    """
    if decide.switching_cost == 0:
        return 0.0
    return decide.switching_cost / (rows * (decide.value or 1.0)) if rows > 0 else math.inf


def expected_utility(decide: Decide, gain: float, rows: float) -> float:
    """Worth of the switch: gain of a row times rows times value, less what switching costs.

    In the KPI's unit where `decide.value` says what a unit of loss is worth, else in units of loss.
    """
    return gain * rows * (decide.value or 1.0) - decide.switching_cost
