"""How well the estimates did once the labels came: the estimator's own track record."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.performance.metrics import Floats, floats

MIN_CHECKS = 5
"""Below so many checks nothing is said about trust."""


@dataclass(frozen=True)
class TrackRecord:
    """Estimates against what came true."""

    checks: int
    """Estimates whose realised value is known."""
    inside: float
    """Share of them with the realised value within the interval; NaN without any."""
    mean_error: float
    """Realised less estimated, on average."""
    mean_abs_error: float
    """Its size, on average."""
    holds: bool | None
    """Whether the share is what was promised, chance allowed for; None with too few checks."""
    text: str
    """All this in words."""


def track_record(
    estimated: pd.DataFrame, realised: npt.ArrayLike, confidence: float
) -> TrackRecord:
    """Compare past estimates of one metric with the realised values.

    Args:
        estimated: `value`, `low`, `high`, one row for each check.
        realised: The metric on the labels that came [rows], NaN where not known yet.
        confidence: What the intervals promised.

    >>> past = pd.DataFrame({"value": [0.8, 0.8], "low": [0.7, 0.7], "high": [0.9, 0.9]})
    >>> track_record(past, [0.75, 0.95], 0.95).text
    'realised within the interval in 1 of 2 checks (95% promised), 0.05 higher on average'
    """
    value, low, high = (floats(estimated[name]) for name in ("value", "low", "high"))
    true = np.asarray(realised, dtype=np.float64)
    known = np.isfinite(true) & np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
    checks = int(known.sum())
    if not checks:
        nan = math.nan
        return TrackRecord(0, nan, nan, nan, None, "no estimate has met its labels yet")
    error = true[known] - value[known]
    hits = int(np.sum((low <= true)[known] & (true <= high)[known]))
    holds = _reaches(hits, checks, confidence) if checks >= MIN_CHECKS else None
    return TrackRecord(
        checks,
        hits / checks,
        float(error.mean()),
        float(np.abs(error).mean()),
        holds,
        _words(hits, checks, confidence, error, holds),
    )


def _reaches(hits: int, checks: int, confidence: float) -> bool:
    """Whether Wilson's 95% interval of the share reaches up to what was promised."""
    z, share = NormalDist().inv_cdf(0.975), hits / checks
    middle = share + z * z / (2 * checks)
    half = z * math.sqrt(share * (1 - share) / checks + z * z / (4 * checks**2))
    return (middle + half) / (1 + z * z / checks) >= confidence


def _words(hits: int, checks: int, confidence: float, error: Floats, holds: bool | None) -> str:
    mean = float(error.mean())
    side = "higher" if mean > 0 else "lower"
    text = (
        f"realised within the interval in {hits} of {checks} checks ({confidence:.0%} promised), "
        f"{abs(mean):.2g} {side} on average"
    )
    return f"{text}; fewer than chance allows: do not rely on it" if holds is False else text
