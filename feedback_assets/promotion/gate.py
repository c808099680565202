"""Is the candidate better than the champion, beyond doubt, on the same rows?

The paired bootstrap (Efron & Tibshirani 1993) draws rows with replacement and computes both models'
metric on each draw; the candidate wins when the lower end of the one-sided percentile interval of
the improvement exceeds `gate.min_improvement` and no segment gets clearly worse. Rank metrics enter
by their influence values (DeLong et al. 1988).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from feedback_assets.config.schema import Config, Metric
from feedback_assets.performance.metrics import Floats
from feedback_assets.promotion.resample import statistic_of
from feedback_assets.promotion.scores import (
    ModelScores,
    is_scored,
    model_metrics,
    must_be_comparable,
    usable_labels,
    usable_scores,
)
from feedback_assets.promotion.segments import Estimate, SegmentResult, segment_results

NO_CHAMPION = "no champion"
_WORDS: dict[Metric, str] = {
    "log_loss": "log loss",
    "brier": "Brier score",
    "roc_auc": "AUC",
    "accuracy": "accuracy",
    "f1": "F1",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
}


@dataclass(frozen=True)
class GateResult:
    """The gate's verdict with all of its evidence; NaN where a number is not known."""

    outcome: Literal["promote", "refuse"]
    rule: str
    reason: str
    metric: Metric
    rows: int
    champion: dict[str, float]
    candidate: dict[str, float]
    improvement: float
    lower: float
    upper: float
    confidence: float
    champion_digest: str | None
    candidate_digest: str
    evaluation_digest: str
    champion_version: str = ""
    candidate_version: str = ""
    segments: tuple[SegmentResult, ...] = field(default=())

    @property
    def numbers(self) -> dict[str, float]:
        """The deciding numbers, flat: what a ledger row and asset metadata show."""
        return {
            "rows": float(self.rows),
            f"champion_{self.metric}": self.champion.get(self.metric, float("nan")),
            f"candidate_{self.metric}": self.candidate.get(self.metric, float("nan")),
            "improvement": self.improvement,
            "lower": self.lower,
            "upper": self.upper,
            "segments_worse": float(sum(s.verdict == "clearly worse" for s in self.segments)),
        }

    def to_json(self) -> str:
        """Canonical JSON; NaN becomes null."""
        return json.dumps(_plain(asdict(self)), sort_keys=True, ensure_ascii=False, allow_nan=False)


def compare(
    champion: ModelScores | None,
    candidate: ModelScores,
    labels: npt.ArrayLike,
    config: Config,
    segments: Mapping[str, npt.ArrayLike] | None = None,
) -> GateResult:
    """Promote or refuse the candidate.

    Args:
        champion: the model in production; None before the first, which is promoted by rule.
        candidate: the model that would replace it.
        labels: the truth of the evaluation rows [n], all known.
        config: the loop's.
        segments: segment column -> its value on each row [n]; null means no segment.

    Raises:
        GateError: the two are one model, were scored on other rows, or lengths differ.
    """
    y = usable_labels(labels, config)
    must_be_comparable(champion, candidate, y)
    values = usable_scores(candidate, config)
    if champion is None:
        return _first(candidate, y, values, config)
    before = usable_scores(champion, config)
    problem = _cannot_decide(y, before, values, config)
    statistic = statistic_of(config.metric, config.label, y, before, values)
    estimate = Estimate.of(statistic, config, config.gate.resamples)
    judged = () if problem else segment_results(y, before, values, config, segments or {})
    outcome, rule, reason = _verdict(problem, estimate, judged, y.size, config)
    return GateResult(
        outcome, rule, reason, config.metric, int(y.size),
        model_metrics(champion, y, config), model_metrics(candidate, y, config),
        estimate.improvement, estimate.lower, estimate.upper, config.gate.confidence,
        champion.model_digest, candidate.model_digest, candidate.evaluation_digest,
        champion.version, candidate.version, judged,
    )  # fmt: skip


def _verdict(
    problem: str, whole: Estimate, segments: Sequence[SegmentResult], rows: int, config: Config
) -> tuple[Literal["promote", "refuse"], str, str]:
    """Outcome, rule, reason."""
    if problem:
        return "refuse", "no decision possible", problem
    name, gate = _WORDS[config.metric], config.gate
    if not math.isfinite(whole.lower):
        return "refuse", "no decision possible", f"{name} is not defined on these {rows:,} rows"
    numbers = (
        f"{name} {_fmt(whole.champion)} → {_fmt(whole.candidate)}, "
        f"{'better' if whole.improvement >= 0 else 'worse'} by {_fmt(abs(whole.improvement))} "
        f"({gate.confidence:.0%} lower bound {_fmt(whole.lower)}) on {rows:,} rows"
    )
    if not whole.lower > gate.min_improvement:
        bound = f"the lower bound must exceed {gate.min_improvement:g}"
        return "refuse", f"{config.metric} not better beyond uncertainty", f"{numbers}; {bound}"
    worse = [s for s in segments if s.verdict == "clearly worse"]
    if worse:
        listed = ", ".join(
            f"{s.column} {s.value} ({_fmt(s.champion)} → {_fmt(s.candidate)})" for s in worse
        )
        return "refuse", "a segment is clearly worse", f"{numbers}; but clearly worse in {listed}"
    return (
        "promote",
        f"{config.metric} better beyond uncertainty",
        f"{numbers}; no segment clearly worse",
    )


def _first(candidate: ModelScores, y: Floats, values: Floats, config: Config) -> GateResult:
    metrics = model_metrics(candidate, y, config)
    broken = int(np.sum(~is_scored(values)))
    nan = float("nan")
    reason = f"the loop's first model: {_WORDS[config.metric]} {_fmt(metrics[config.metric])} on {y.size:,} rows"
    if broken:
        reason = f"the first candidate gives no score for {broken:,} of {y.size:,} rows"
    return GateResult(
        "refuse" if broken else "promote", NO_CHAMPION, reason, config.metric, int(y.size), {}, metrics,
        nan, nan, nan, config.gate.confidence, None, candidate.model_digest,
        candidate.evaluation_digest, "", candidate.version,
    )  # fmt: skip


def _cannot_decide(y: Floats, champion: Floats, candidate: Floats, config: Config) -> str:
    """Why nothing can be said, or an empty text."""
    if y.size < config.gate.min_rows:
        return f"only {y.size:,} fresh rows; gate.min_rows is {config.gate.min_rows:,}"
    for name, values in (("candidate", candidate), ("champion", champion)):
        broken = int(np.sum(~is_scored(values)))
        if broken:
            return f"the {name} gives no score for {broken:,} of {y.size:,} rows"
    return ""


def _fmt(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
