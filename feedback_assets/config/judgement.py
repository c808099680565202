"""The sections `drift` and `performance` of a loop's file: when something is wrong."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from feedback_assets.config.section import ColumnName, Strict

ReportMetric = Literal[
    "log_loss", "brier", "roc_auc", "accuracy", "f1", "ece", "mae", "rmse", "r2", "mape", "pinball",
    "value",
]  # fmt: skip


class Reference(Strict):
    """What the days are compared with."""

    kind: Literal["training", "previous", "same_weekday", "fixed"] = "training"
    """The champion's training data, the days before, the same weekday in the weeks before, dates."""
    days: Annotated[int, Field(ge=1)] = 28
    """Previous: how many partitions before the judged one."""
    weeks: Annotated[int, Field(ge=1)] = 4
    """Same weekday: how many weeks back."""
    start: dt.date | None = None
    """Fixed: first day."""
    end: dt.date | None = None
    """Fixed: last day."""

    @property
    def name(self) -> str:
        """The name in the report's `against` column."""
        match self.kind:
            case "previous":
                return f"previous {self.days}"
            case "same_weekday":
                return f"same weekday, {self.weeks} weeks"
            case "fixed":
                return f"{self.start} to {self.end}"
            case _:
                return "training"

    @model_validator(mode="after")
    def _dates_where_fixed(self) -> Self:
        if self.kind == "fixed" and not (self.start and self.end and self.start <= self.end):
            raise ValueError("a fixed reference needs start and end, start not after end")
        return self


class Drift(Strict):
    """When a column is said to have drifted."""

    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of false alarms among the alarms, over columns, segments and all days together."""
    margin_sd: Annotated[float, Field(ge=0)] = 0.1
    """A shift smaller than this many standard deviations (or its like) is immaterial."""
    learn_margin: bool = True
    """Raise the margin to what the reference's own days already differ by."""
    min_rows: Annotated[int, Field(ge=1)] = 100
    """Below this nothing is claimed."""
    bins: Annotated[int, Field(ge=4, le=4096)] = 128
    """Quantile bins kept of the reference."""
    max_categories: Annotated[int, Field(ge=2)] = 100
    """Categories kept by name; the rest are counted together."""
    unseen_kept: Annotated[int, Field(ge=0)] = 10
    """Categories that the reference never had, kept by name each day, most frequent first."""
    segment_values: Annotated[int, Field(ge=0)] = 20
    """Values of each segment column that are profiled apart, most frequent first."""
    window_days: Annotated[int, Field(ge=1)] = 90
    """How far back a change may be dated, in partitions."""
    references: Annotated[list[Reference], Field(min_length=1)] = [Reference()]
    """What is compared with; the first decides, the others are shown."""
    weights: dict[ColumnName, Annotated[float, Field(ge=0)]] = {}
    """How much a column's drift counts in the trigger's policy; 1 unless said."""
    ignore: list[ColumnName] = []
    """Columns that are shown but never decide."""
    pages_per_run: Annotated[int, Field(ge=0)] = 1
    """Evidently pages rendered in one run, newest and most drifted days first."""
    page_rows: Annotated[int, Field(ge=100)] = 2_000
    """Rows sampled for an Evidently page."""


class Sla(Strict):
    """What was promised: breached when the metric misses its target so many checks in a row."""

    metric: ReportMetric
    """The metric."""
    target: float
    """The least, or for an error the most, that it may be."""
    checks: Annotated[int, Field(ge=1)] = 3
    """Consecutive days below target that break the promise."""
    period: Literal["day", "week", "window"] = "day"
    """What one check looks at: the day, its last seven days, or the window."""


class Performance(Strict):
    """How good the model is said to be, and before labels are there, estimated to be."""

    metrics: list[ReportMetric] | None = None
    """Metrics of the report; all that fit the label if absent."""
    window_days: Annotated[int, Field(ge=1)] = 28
    """The longest period of the report, in days."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Two-sided confidence of every interval."""
    min_rows: Annotated[int, Field(ge=2)] = 30
    """Below so many labels (or answers, for an estimate) nothing is claimed."""
    rows_per_day: Annotated[int, Field(ge=1_000)] = 20_000
    """Rows of a day that are looked at, drawn by a hash of the id; intervals say what it costs."""
    segment_values: Annotated[int, Field(ge=0)] = 20
    """Values of each segment, and of each pair, that are judged apart, most frequent first."""
    segment_pairs: list[tuple[ColumnName, ColumnName]] = []
    """Pairs of segment columns that are judged together."""
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Regression: the quantile that the pinball loss asks for."""
    estimate: bool = True
    """Estimate the metrics before labels arrive."""
    slices: bool = True
    """Search for weak slices that nobody declared."""
    sla: list[Sla] = []
    """Promises that are checked every day."""
