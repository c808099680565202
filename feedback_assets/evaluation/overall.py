"""Every metric of both models on the same rows, over all and by segment, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config, Metric
from feedback_assets.errors import GateError
from feedback_assets.evaluation.side import Sides
from feedback_assets.performance.metrics import FITTING, HIGHER_IS_BETTER, Floats
from feedback_assets.promotion.resample import paired_resamples, statistic_of
from feedback_assets.promotion.segments import segment_results

CROSS = " \N{MULTIPLICATION SIGN} "
_COMPARED = ("champion", "improvement", "lower", "upper")


def metrics_of(config: Config) -> list[Metric]:
    """The metrics that fit the label, in the order in which they are shown."""
    known = get_args(Metric)
    return [m for m in FITTING[config.label.kind] if m in known]  # type: ignore[misc]


def overall(
    config: Config, y: Floats, sides: Sides, weights: Floats | None = None
) -> dict[str, dict[str, float | None]]:
    """Each metric of both models, the improvement, and what chance leaves open (paired bootstrap).

    Args:
        config: the loop's; `gate.confidence` is that of each end, `gate.resamples` the draws.
        y: labels [n].
        sides: the models on these rows.
        weights: rows that each stands for [n] (selective labels); one each if absent.

    Returns:
        Metric -> champion, candidate, improvement (positive: the candidate is better), its lower
        and upper, and each model's own lower and upper. None for what needs a champion there is not.
    """
    return {metric: _compared(config, metric, y, sides, weights) for metric in metrics_of(config)}


def _compared(
    config: Config, metric: Metric, y: Floats, sides: Sides, weights: Floats | None
) -> dict[str, float | None]:
    after = sides["candidate"].values
    before = sides["champion"].values if "champion" in sides else after
    statistic = statistic_of(metric, config.label, y, before, after, weights)
    draws = paired_resamples(statistic, config.gate.resamples, config.model.seed)
    whole = statistic.whole()
    sign = 1.0 if metric in HIGHER_IS_BETTER else -1.0
    confidence = config.gate.confidence
    found: dict[str, float | None] = {"champion": whole[0], "candidate": whole[1]}
    found["improvement"] = sign * (whole[1] - whole[0])
    found["lower"], found["upper"] = _ends(sign * (draws[:, 1] - draws[:, 0]), confidence)
    found["champion_lower"], found["champion_upper"] = _ends(draws[:, 0], confidence)
    found["candidate_lower"], found["candidate_upper"] = _ends(draws[:, 1], confidence)
    if "champion" not in sides:
        found |= dict.fromkeys([*_COMPARED, "champion_lower", "champion_upper"])
    return found


def _ends(draws: Floats, confidence: float) -> tuple[float, float]:
    """Both percentile ends; NaN when the metric is undefined on most draws."""
    known = draws[np.isfinite(draws)]
    if known.size < draws.size / 2:
        return float("nan"), float("nan")
    lower, upper = np.quantile(known, [1 - confidence, confidence])
    return float(lower), float(upper)


def by_segment(
    config: Config,
    rows: pd.DataFrame,
    y: Floats,
    sides: Sides,
    weights: Floats | None = None,
) -> list[dict[str, Any]]:
    """The gate's metric in each value of each declared segment and pair, those clearly worse first.

    Args:
        config: the loop's; `columns.segments` and `performance.segment_pairs` are looked at.
        rows: the examined rows.
        y: their labels [n].
        sides: the models on them.
        weights: as of `overall`.

    Returns:
        As the suite's `segments`; without a champion everything is shown only.
    """
    after = sides["candidate"].values
    before = sides["champion"].values if "champion" in sides else after
    results = segment_results(y, before, after, config, segments_of(config, rows), weights)
    parts = [asdict(s) for s in results]
    if "champion" not in sides:
        parts = [p | dict.fromkeys(_COMPARED) | {"verdict": "shown only"} for p in parts]
    return parts


def segments_of(config: Config, rows: pd.DataFrame) -> Mapping[str, npt.NDArray[np.object_]]:
    """Segment column, or pair (its columns joined by `CROSS`), -> its value on each row [n]; null means no segment.

    Raises:
        GateError: The rows lack a segment column.
    """
    missing = [c for c in config.columns.segments if c not in rows]
    if missing:
        raise GateError(f"the evaluation rows lack the segment columns {', '.join(missing)}")
    single = {c: rows[c].to_numpy(dtype=object) for c in config.columns.segments}
    return single | {
        CROSS.join(pair): _crossed(rows, pair) for pair in config.performance.segment_pairs
    }


def _crossed(rows: pd.DataFrame, pair: Sequence[str]) -> npt.NDArray[np.object_]:
    """The pair's values in one text each; null where either is."""
    first, second = (rows[c].astype("string") for c in pair)
    crossed = (first + CROSS + second).to_numpy(dtype=object)
    crossed[pd.isna(crossed)] = None
    return crossed
