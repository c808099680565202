"""How often what was said with a probability came true: the points of a reliability plot."""

import numpy as np
import pandas as pd

from feedback_assets.performance.intervals import wilson
from feedback_assets.performance.metrics import Floats, mass_bins

BINS = 10


def reliability(y: Floats, p: Floats, confidence: float, bins: int = BINS) -> pd.DataFrame:
    """Points of the plot, by equal-mass bins of the probability, lowest first.

    Args:
        y: outcomes [n], 0 or 1. For multiclass `metrics.likeliest` gives both.
        p: probabilities [n].
        confidence: two-sided, of each point's own (Wilson) interval.
        bins: most points; equal probabilities share one.

    Returns:
        Columns `score` (mean probability), `share` (of outcomes 1), `low`, `high`, `rows`.
    """
    names = ["score", "share", "low", "high", "rows"]
    known = np.isfinite(y) & np.isfinite(p)
    y, p = y[known], p[known]
    if not y.size:
        return pd.DataFrame(columns=names, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    starts = mass_bins(p[order], bins)
    sizes = np.diff(np.append(starts, y.size))
    score = np.add.reduceat(p[order], starts) / sizes
    hits = np.add.reduceat(y[order], starts) / sizes
    points = [wilson(float(h), float(n), confidence) for h, n in zip(hits, sizes, strict=True)]
    body = [(at, *point, int(n)) for at, point, n in zip(score, points, sizes, strict=True)]
    return pd.DataFrame(body, columns=names)
