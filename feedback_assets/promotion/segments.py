"""The improvement of a candidate, over all rows and apart by segment.

A segment is clearly worse when even the upper end of its interval, corrected for the number of
segments looked at (Bonferroni, normal with the bootstrap's standard error), lies beyond
`gate.segment_margin` of the champion's value.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError
from feedback_assets.performance.metrics import HIGHER_IS_BETTER, Floats
from feedback_assets.promotion.resample import Statistic, paired_resamples, statistic_of

# A standard error needs far fewer draws than a percentile (Efron & Tibshirani 1993, section 6.4).
_ERROR_RESAMPLES = 300


@dataclass(frozen=True)
class SegmentResult:
    """Both models on the rows of one segment; `lower` and `upper` bound the improvement."""

    column: str
    value: str
    rows: int
    champion: float
    candidate: float
    improvement: float
    lower: float
    upper: float
    verdict: Literal["ok", "clearly worse", "shown only"]


@dataclass(frozen=True)
class Estimate:
    """One comparison; improvements are positive when the candidate is better."""

    champion: float
    candidate: float
    improvement: float
    lower: float
    upper: float
    error: float

    @classmethod
    def of(cls, statistic: Statistic, config: Config, resamples: int) -> "Estimate":
        """The improvement, its one-sided percentile bounds and standard error (NaN if undefined)."""
        metric, confidence = config.metric, config.gate.confidence
        draws = paired_resamples(statistic, resamples, config.model.seed)
        sign = 1.0 if metric in HIGHER_IS_BETTER else -1.0
        champion, candidate = statistic.whole()
        gains = sign * (draws[:, 1] - draws[:, 0])
        gains = gains[np.isfinite(gains)]
        if gains.size < draws.shape[0] / 2:
            nan = float("nan")
            return cls(champion, candidate, sign * (candidate - champion), nan, nan, nan)
        lower, upper = np.quantile(gains, [1 - confidence, confidence])
        gain = sign * (candidate - champion)
        return cls(champion, candidate, gain, float(lower), float(upper), float(gains.std()))


def segment_results(
    y: Floats,
    champion: Floats,
    candidate: Floats,
    config: Config,
    segments: Mapping[str, npt.ArrayLike],
    weights: Floats | None = None,
) -> tuple[SegmentResult, ...]:
    """Every segment of the rows `y[n]`, those clearly worse first, then by size.

    Rows count `weights[n]` times, once if that is absent.
    """
    parts = [
        part for column, values in segments.items() for part in _rows_of(column, values, y.size)
    ]
    judged = sum(rows.size >= config.gate.segment_min_rows for *_, rows in parts)
    quantile = NormalDist().inv_cdf(1 - (1 - config.gate.confidence) / max(judged, 1))
    results = [
        _segment(
            column,
            value,
            _statistic(
                config, y[r], champion[r], candidate[r], None if weights is None else weights[r]
            ),
            quantile,
            config,
        )
        for column, value, r in parts
    ]
    return tuple(
        sorted(results, key=lambda s: (s.verdict != "clearly worse", -s.rows, s.column, s.value))
    )


def _segment(
    column: str, value: str, statistic: Statistic, quantile: float, config: Config
) -> SegmentResult:
    nan, rows = float("nan"), statistic.rows.shape[0]
    if rows < config.gate.segment_min_rows:
        before, after = statistic.whole()
        sign = 1.0 if config.metric in HIGHER_IS_BETTER else -1.0
        gain = sign * (after - before)
        return SegmentResult(column, value, rows, before, after, gain, nan, nan, "shown only")
    e = Estimate.of(statistic, config, min(config.gate.resamples, _ERROR_RESAMPLES))
    lower, upper = e.improvement - quantile * e.error, e.improvement + quantile * e.error
    verdict: Literal["ok", "clearly worse", "shown only"] = "ok"
    if not math.isfinite(upper):
        verdict = "shown only"
    elif upper < -config.gate.segment_margin * abs(e.champion):
        verdict = "clearly worse"
    return SegmentResult(
        column, value, rows, e.champion, e.candidate, e.improvement, lower, upper, verdict
    )


def _statistic(
    config: Config, y: Floats, champion: Floats, candidate: Floats, weights: Floats | None
) -> Statistic:
    return statistic_of(config.metric, config.label, y, champion, candidate, weights)


def _rows_of(
    column: str, values: npt.ArrayLike, n: int
) -> list[tuple[str, str, npt.NDArray[np.int64]]]:
    """Column, value and row numbers of each value of a segment column."""
    codes, found = pd.factorize(np.asarray(values, dtype=object))
    if codes.size != n:
        raise GateError(f"segment {column} has {codes.size} values for {n} rows")
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(found) + 1))
    return [(column, str(v), order[starts[i] : starts[i + 1]]) for i, v in enumerate(found)]
