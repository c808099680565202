"""The section `gate` of a loop's file: what a candidate must prove before it may be tried or serve.

Every gate that stands in the file must pass. One that stands there without a threshold, or for which
there is no data, fails and says so.
"""

from typing import Annotated, Literal

from pydantic import Field

from feedback_assets.config.section import ColumnName, Strict

Metric = Literal[
    "log_loss", "brier", "roc_auc", "accuracy", "f1", "mae", "rmse", "r2"
]  # fmt: skip
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]


class CalibrationGate(Strict):
    """Probabilities mean what they say."""

    max_error: Share | None = None
    """Largest expected calibration error (classifiers)."""


class LatencyGate(Strict):
    """One row is answered fast enough."""

    p95_ms: Annotated[float, Field(gt=0)] | None = None
    """Largest 95th percentile of the time for one row, in milliseconds."""


class SizeGate(Strict):
    """The model is not too large."""

    max_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest ONNX file, in megabytes."""
    max_memory_mb: Annotated[float, Field(gt=0)] | None = None
    """Largest memory that it takes once loaded; not looked at if absent."""


class ChurnGate(Strict):
    """Answers do not change without need."""

    max_share: Share | None = None
    """Largest share of rows that get another answer than from the champion."""
    max_negative_flips: Share | None = None
    """Largest share of rows that the champion gets right and the candidate wrong; not looked at if
    absent."""


class FairnessGate(Strict):
    """Protected groups are treated alike (classifiers)."""

    min_disparate_impact: Share | None = None
    """Smallest ratio of the groups' shares of positive answers."""
    max_equal_opportunity_difference: Share | None = None
    """Largest difference of the groups' true positive rates."""
    attributes: list[ColumnName] = []
    """The attributes looked at; `columns.protected` if empty."""
    min_rows: Annotated[int, Field(ge=1)] = 30
    """Groups with fewer rows are shown, not judged."""


class RobustnessGate(Strict):
    """Bad input does not break it (`evaluation.scenarios`)."""

    max_loss: NotNegative | None = None
    """Largest increase of the loss in any scenario, relative to the candidate's own on good rows."""


class RelianceGate(Strict):
    """No single feature carries it: the mark of a feature that leaks the label."""

    max_share: Share | None = None
    """Largest share of what all features together are worth that one feature group may be worth."""


class LabelQualityGate(Strict):
    """The labels are right, by a sample that auditors labelled again."""

    min_share: Share | None = None
    """Smallest share of audited labels that were right, at the lower end of its interval."""
    min_rows: Annotated[int, Field(ge=1)] = 100
    """Fewest audited rows."""
    auditors: list[str] = []
    """Values of the feedback's `source` that mark an auditor's label."""


class DataGate(Strict):
    """The contract checks of the days that it learned from and is judged on are green."""


class ParityGate(Strict):
    """The exported model reads the declared features and answers as the estimator does."""


class Gate(Strict):
    """What a candidate must prove."""

    metric: Metric | None = None
    """Metric to win on; log_loss or mae by default."""
    min_improvement: float = 0.0
    """Improvement that the interval's lower end must exceed, in the metric's unit."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """One-sided confidence of the paired bootstrap."""
    resamples: Annotated[int, Field(ge=100)] = 2_000
    """Bootstrap resamples."""
    min_rows: Annotated[int, Field(ge=2)] = 200
    """No decision on fewer fresh rows."""
    segment_margin: Annotated[float, Field(ge=0)] = 0.05
    """A segment is clearly worse when its interval lies beyond this relative loss."""
    segment_min_rows: Annotated[int, Field(ge=2)] = 100
    """Segments with fewer rows are shown, not judged."""
    calibration: CalibrationGate | None = None
    """Probabilities mean what they say; not asked if absent."""
    latency: LatencyGate | None = LatencyGate(p95_ms=200)
    """Fast enough."""
    size: SizeGate | None = SizeGate(max_mb=200)
    """Small enough."""
    churn: ChurnGate | None = None
    """Answers do not change without need; not asked if absent."""
    fairness: FairnessGate | None = None
    """Protected groups are treated alike; not asked if absent."""
    robustness: RobustnessGate | None = None
    """Bad input does not break it; not asked if absent."""
    reliance: RelianceGate | None = None
    """No feature leaks the label; not asked if absent."""
    label_quality: LabelQualityGate | None = None
    """Labels are right; not asked if absent."""
    data: DataGate | None = DataGate()
    """The data's contract holds."""
    parity: ParityGate | None = ParityGate()
    """The exported model is the trained one."""
