"""Do probabilities mean what they say?"""

from typing import Any

import numpy as np

from feedback_assets.config.schema import Config
from feedback_assets.evaluation.side import Side, Sides, by_side
from feedback_assets.performance.metrics import Floats, ece, likeliest
from feedback_assets.performance.reliability import reliability
from feedback_assets.promotion.scores import is_scored

_DRAWS = 100


def calibration(config: Config, y: Floats, sides: Sides) -> dict[str, Any] | None:
    """Expected calibration error and reliability points of each model; None for regression.

    Of several classes it is the likeliest one's probability that is looked at. The error of few rows
    is too large even for a perfect model, so `chance` says what a perfectly calibrated model with
    these very probabilities would show on average.
    """
    if config.label.kind == "regression":
        return None
    return by_side(sides, lambda side: _model(config, y, side))


def _model(config: Config, y: Floats, side: Side) -> dict[str, Any]:
    known = is_scored(side.values)
    hits, p = y[known], side.values[known]
    if config.label.kind == "multiclass":
        hits, p = likeliest(hits.astype(np.int64), p)
    points = reliability(hits, p, config.gate.confidence)
    return {
        "error": ece(hits, p),
        "chance": _by_chance(p, config.model.seed),
        "bins": [
            {"mean_score": float(s), "share": float(h), "lower": float(low), "upper": float(up), "rows": int(n)}
            for s, h, low, up, n in points.itertuples(index=False)
        ],
    }  # fmt: skip


def _by_chance(p: Floats, seed: int) -> float:
    """Mean calibration error of outcomes that are drawn with these very probabilities [n]."""
    rng = np.random.default_rng(seed)
    return float(
        np.mean(
            [ece(np.asarray(rng.random(p.size) < p, dtype=np.float64), p) for _ in range(_DRAWS)]
        )
    )
