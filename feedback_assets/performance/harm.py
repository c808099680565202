"""What a worse metric costs: the loss of an answer, times the answers, in the business's unit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import Config, Kpi
from feedback_assets.performance.intervals import UNKNOWN, Interval
from feedback_assets.performance.metrics import HIGHER_IS_BETTER


@dataclass(frozen=True)
class Harm:
    """How much worse than expected, and what that adds up to; above 0 is harm."""

    metric: ReportMetric
    per_row: Interval
    """Loss of one answer, in the metric's unit."""
    total: Interval
    """Of all answers; NaN where a sum of the metric means nothing."""
    unit: str
    """What `total` counts."""
    rows: int
    """Answers."""
    text: str
    """All this in words."""

    @property
    def certain(self) -> bool:
        """Whether the whole interval is harm."""
        return self.per_row.low > 0


def harm(
    metric: ReportMetric, estimate: Interval, expected: float | None, rows: int, kpi: Kpi
) -> Harm:
    """The harm of an estimate (or of a realised value) against what was expected.

    Args:
        metric: Of both.
        estimate: With its interval.
        expected: On the held-out rows, when the version was judged; None or NaN if not known.
        rows: Answers it speaks of.
        kpi: Names the unit of `value`.

    >>> found = harm("value", Interval(1.5, 1.25, 1.75), 2.0, 1000, Kpi(name="k", unit="EUR"))
    >>> found.text
    'about 500 EUR lost on 1,000 answers (250 to 750)'
    """
    if expected is None or math.isnan(expected) or not estimate.known:
        text = f"harm not known: {metric} or its expected value is missing"
        return Harm(metric, UNKNOWN, UNKNOWN, "", rows, text)
    if metric in HIGHER_IS_BETTER:
        per_row = Interval(
            expected - estimate.value, expected - estimate.high, expected - estimate.low
        )
    else:
        per_row = Interval(*(end - expected for end in estimate))
    unit = _unit(metric, kpi)
    total = Interval(*(end * rows for end in per_row)) if unit else UNKNOWN
    return Harm(metric, per_row, total, unit, rows, _words(metric, per_row, total, unit, rows))


def harm_of(
    metrics: Mapping[ReportMetric, Interval],
    expected: Mapping[str, float | None],
    rows: int,
    config: Config,
) -> Harm:
    """The harm in the business's value where that is known, else in the gate's metric."""
    value = metrics.get("value", UNKNOWN)
    known = value.known and expected.get("value") is not None
    metric: ReportMetric = "value" if known else config.metric
    return harm(metric, metrics.get(metric, UNKNOWN), expected.get(metric), rows, config.kpi)


def _unit(metric: ReportMetric, kpi: Kpi) -> str:
    """What the metric adds up to over rows; empty if a sum means nothing."""
    sums: dict[ReportMetric, str] = {
        "value": kpi.unit or kpi.name,
        "accuracy": "wrong answers",
        "mae": "in absolute error",
    }
    return sums.get(metric, "")


def _words(metric: ReportMetric, per_row: Interval, total: Interval, unit: str, rows: int) -> str:
    told, worse = (total, "lost" if metric == "value" else "more") if unit else (per_row, "worse")
    better = {"lost": "gained", "more": "fewer", "worse": "better"}[worse]
    harmed = told.value >= 0
    value, low, high = told if harmed else (-told.value, -told.high, -told.low)
    side = worse if harmed else better
    around = f"({_number(low)} to {_number(high)})"
    doubt = "" if low > 0 else ", which may be chance"
    if metric == "value":
        return f"about {_number(value)} {unit} {side} on {rows:,} answers {around}{doubt}"
    if unit:
        return f"about {_number(value)} {side} {unit} among {rows:,} {around}{doubt}"
    return f"{metric} {_number(value)} {side} than expected {around} on {rows:,} answers{doubt}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.2g}"
