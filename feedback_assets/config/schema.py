"""The typed shape of `configs/loops/<loop>.yaml`: one file, one model in production.

Every number has a default here and an environment variable that overrides it:
`FEEDBACK_ASSETS__<LOOP>__<SECTION>__<FIELD>`, as in `FEEDBACK_ASSETS__FLIGHTS__DRIFT__ALPHA=0.01`.
"""

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Owner = Annotated[str, StringConstraints(pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+)$")]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Metric = Literal[
    "log_loss", "brier", "roc_auc", "accuracy", "f1", "mae", "rmse", "r2"
]  # fmt: skip
LabelKind = Literal["binary", "multiclass", "regression"]
FeatureKind = Literal["numeric", "categorical", "text"]

RESERVED_COLUMNS = frozenset(
    {
        "prediction_id", "event_time", "received_time", "model_version", "role", "propensity",
        "score", "prediction", "label", "label_event_time", "label_received_time", "label_delay_days",
        "label_source", "label_status", "label_count", "label_conflict", "labels_seen", "rating",
        "rejected", "source_file", "partition_key", "split", "event_id", "kind", "value", "confidence", "source",
    }
)  # fmt: skip


class Strict(BaseModel):
    """A section of the file: unknown fields are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Kpi(Strict):
    """The business figure the model serves."""

    name: str
    """What the business calls it."""
    description: str = ""
    """How the model moves it."""


class FileSource(Strict):
    """A folder or glob of Parquet, CSV or JSONL files."""

    path: str
    """Folder or glob; `{home}` is the state folder; relative paths start at the project."""
    format: Literal["auto", "parquet", "csv", "jsonl"] = "auto"
    """Told by the file's ending unless said."""


class PredictionSource(FileSource):
    """Where predictions arrive."""


class FeedbackColumns(Strict):
    """Which source column holds what; leave out what the source does not have."""

    prediction_id: ColumnName = "prediction_id"
    """The prediction that the feedback is about."""
    value: ColumnName = "label"
    """The label, correction or rating itself."""
    received_time: ColumnName | None = None
    """When the feedback was learned of; the file's modification time if absent."""
    event_time: ColumnName | None = None
    """When the truth happened in the world; the received time if absent."""
    event_id: ColumnName | None = None
    """Unique id of the feedback event; made from its content if absent."""
    kind: ColumnName | None = None
    """label, correction, rating or rejection; label if absent."""
    source: ColumnName | None = None
    """Who or what said so."""
    confidence: ColumnName | None = None
    """How sure the source is, 0 to 1; 1 if absent."""


class FeedbackSource(FileSource):
    """Where labels and other feedback arrive."""

    columns: FeedbackColumns = FeedbackColumns()
    """Names of the columns in the source."""


class Sources(Strict):
    """Both ends of the loop."""

    predictions: PredictionSource
    """Rows the model was asked about, with its answers."""
    feedback: FeedbackSource
    """The truth, as it becomes known."""


class ColumnRule(Strict):
    """What a good value of one column looks like; a row that breaks it goes to quarantine."""

    required: bool = False
    """Must not be null."""
    min: float | None = None
    """Smallest allowed value (numeric columns)."""
    max: float | None = None
    """Largest allowed value (numeric columns)."""
    allowed: list[str] | None = None
    """The only allowed values (categorical columns)."""


class Columns(Strict):
    """The columns of a prediction and what they mean."""

    id: ColumnName = "prediction_id"
    """Unique id of a prediction."""
    event_time: ColumnName = "event_time"
    """When the prediction was made (UTC if naive)."""
    received_time: ColumnName | None = None
    """When the prediction was logged; the event time if absent."""
    model_version: ColumnName | None = "model_version"
    """Which model answered; null means none did (history)."""
    role: ColumnName | None = None
    """served, shadow or history; told from the model version if absent."""
    propensity: ColumnName | None = None
    """Probability with which the answer was chosen; 1 if absent."""
    numeric: list[ColumnName] = []
    """Numeric features."""
    categorical: list[ColumnName] = []
    """Categorical features."""
    text: list[ColumnName] = []
    """Text features."""
    segments: list[ColumnName] = []
    """Columns by which performance is also judged apart; need not be features."""
    protected: list[ColumnName] = []
    """Protected attributes: never features, kept for fairness."""
    score: ColumnName | None = "score"
    """Probability of the positive class, or the predicted value."""
    class_scores: dict[str, ColumnName] = {}
    """Multiclass: class to the column of its probability."""
    prediction: ColumnName | None = "prediction"
    """The answer that was given."""
    rules: dict[ColumnName, ColumnRule] = {}
    """Rules by column."""

    @property
    def features(self) -> list[str]:
        """Every model input, in the order numeric, categorical, text."""
        return [*self.numeric, *self.categorical, *self.text]

    @property
    def carried(self) -> list[str]:
        """Segments and protected attributes that are not features."""
        features = set(self.features)
        return [c for c in dict.fromkeys([*self.segments, *self.protected]) if c not in features]

    def kind_of(self, column: str) -> FeatureKind:
        """The kind of a feature or carried column (carried ones are categorical)."""
        if column in self.numeric:
            return "numeric"
        return "text" if column in self.text else "categorical"

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        features = self.features
        if not features:
            raise ValueError("at least one feature is needed: numeric, categorical or text")
        twice = sorted({c for c in features if features.count(c) > 1})
        if twice:
            raise ValueError(f"listed as a feature twice: {', '.join(twice)}")
        # DuckDB's column names ignore case.
        taken = sorted(c for c in [*features, *self.carried] if c.lower() in RESERVED_COLUMNS)
        if taken:
            raise ValueError(f"these names are the tables' own, rename them: {', '.join(taken)}")
        leaking = sorted(set(self.protected) & set(features))
        if leaking:
            raise ValueError(f"protected attributes cannot be features: {', '.join(leaking)}")
        unknown = sorted(set(self.rules) - {*features, *self.carried})
        if unknown:
            raise ValueError(f"rules for columns that are not declared: {', '.join(unknown)}")
        return self


class Label(Strict):
    """What the truth is and how late it may come."""

    kind: LabelKind
    """binary, multiclass or regression."""
    positive: str = "1"
    """Binary: the value that counts as positive, beside 1 and true."""
    classes: list[str] = []
    """Multiclass: every class."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Binary: the score from which the answer is positive."""
    max_delay_days: Annotated[float, Field(gt=0)] = 30
    """A label that comes later is counted and kept, but no longer joined."""

    @model_validator(mode="after")
    def _classes_where_needed(self) -> Self:
        if self.kind == "multiclass" and len(self.classes) < 2:
            raise ValueError("a multiclass label lists its classes (two or more)")
        return self


class Partitions(Strict):
    """How time is cut."""

    grain: Literal["hourly", "daily", "weekly"] = "daily"
    """Size of a partition."""
    start: dt.date
    """First partition."""
    end: dt.date | None = None
    """The last day, for a history that is over; open if absent."""
    chunk: Annotated[int, Field(ge=1)] = 31
    """Partitions that one run of a backfill takes."""

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end and self.end < self.start:
            raise ValueError(f"partitions.end {self.end} lies before partitions.start {self.start}")
        return self


class Model(Strict):
    """What is trained."""

    estimator: str = "auto"
    """A named default (auto, hist_gradient_boosting, random_forest, linear) or an import path."""
    params: dict[str, Any] = {}
    """Parameters of the estimator."""
    features: list[ColumnName] | None = None
    """Columns that the model reads; all declared features if absent."""
    window_days: Annotated[int, Field(ge=1)] | None = None
    """Train on the last so many days; all history if absent."""
    max_rows: Annotated[int, Field(ge=100)] = 60_000
    """Train on at most so many rows, drawn by a hash of the id."""
    seed: int = 7
    """Seed of everything random in training."""
    parity_tolerance: Annotated[float, Field(gt=0)] = 1e-4
    """Largest allowed difference between ONNX and the estimator on any held-out row."""


class Drift(Strict):
    """When a column is said to have drifted."""

    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Chance of any false alarm on one clean day, over all columns together."""
    margin_sd: Annotated[float, Field(ge=0)] = 0.25
    """A shift smaller than this many standard deviations (or its like) is immaterial."""
    learn_margin: bool = True
    """Raise the margin to what the reference's own days already differ by."""
    min_rows: Annotated[int, Field(ge=1)] = 100
    """Below this nothing is claimed."""
    bins: Annotated[int, Field(ge=4, le=1024)] = 128
    """Quantile bins kept of the reference."""
    max_categories: Annotated[int, Field(ge=2)] = 100
    """Categories kept by name; the rest are counted together."""
    ignore: list[ColumnName] = []
    """Columns that are shown but never decide."""
    pages_per_run: Annotated[int, Field(ge=0)] = 1
    """Evidently pages rendered in one run, newest and most drifted days first."""
    page_rows: Annotated[int, Field(ge=100)] = 2_000
    """Rows sampled for an Evidently page."""


class Trigger(Strict):
    """When a candidate is trained: any one of these, outside the cooldown."""

    on_drift: bool = True
    """A day's drift verdict crossed."""
    drift_columns: Annotated[int, Field(ge=1)] = 1
    """Columns that must have drifted on one day."""
    new_labels: Annotated[int, Field(ge=1)] | None = 5_000
    """New labels since the champion's training data."""
    every_days: Annotated[float, Field(gt=0)] | None = None
    """A schedule."""
    cooldown_days: Annotated[float, Field(ge=0)] = 7
    """No retrain so soon after the last, whatever the cause."""
    min_new_labels: Annotated[int, Field(ge=0)] = 500
    """Whatever the cause, no retrain with fewer new labels: it could learn nothing."""


class Pool(Strict):
    """Which rows may be trained on."""

    maturity: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of a day's labels that must have arrived, by the learned delay curve."""
    mature_after_days: Annotated[float, Field(ge=0)] | None = None
    """A fixed age instead of the learned one."""
    holdout_days: Annotated[float, Field(gt=0)] = 7
    """The newest mature days, which training never sees and the gate compares on."""
    min_rows: Annotated[int, Field(ge=1)] = 200
    """No training with fewer rows."""
    relevance_days: Annotated[int, Field(ge=0)] = 90
    """Rows of segments that had no traffic for so long are left out; 0 keeps all."""
    drop_conflicts: bool = True
    """Leave out rows whose label is disputed."""


class Gate(Strict):
    """When a candidate replaces the champion."""

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


class Contract(Strict):
    """When data is too bad to build on."""

    max_quarantine_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """A day with a larger share of refused rows blocks what is downstream."""
    freshness_hours: Annotated[float, Field(gt=0)] = 48
    """Warn when the newest prediction is older."""
    min_label_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Warn when a mature day has fewer labels."""
    max_metric_loss: Annotated[float, Field(ge=0)] = 0.2
    """Warn when a day's realised metric is this much (relative) worse than at promotion."""


class Config(Strict):
    """One loop: one model in production."""

    name: Name
    """Short name: asset prefix, group, folder."""
    title: str
    """Name for people."""
    description: str = ""
    """What the model decides and for whom."""
    owners: Annotated[list[Owner], Field(min_length=1)]
    """E-mail addresses, or team:name."""
    kpi: Kpi
    """The business figure the model serves."""
    source: Sources
    """Where predictions and feedback come from."""
    columns: Columns
    """What the columns mean."""
    label: Label
    """What the truth is."""
    partitions: Partitions
    """How time is cut."""
    model: Model = Model()
    """What is trained."""
    drift: Drift = Drift()
    """When a column has drifted."""
    trigger: Trigger = Trigger()
    """When to train."""
    pool: Pool = Pool()
    """What to train on."""
    gate: Gate = Gate()
    """When to promote."""
    contract: Contract = Contract()
    """When to stop."""

    @property
    def features(self) -> list[str]:
        """The columns that the model reads."""
        return self.model.features if self.model.features is not None else self.columns.features

    @property
    def metric(self) -> Metric:
        """The gate's metric."""
        return self.gate.metric or ("mae" if self.label.kind == "regression" else "log_loss")

    @model_validator(mode="after")
    def _model_reads_declared_columns(self) -> Self:
        unknown = sorted(set(self.model.features or []) - set(self.columns.features))
        if unknown:
            raise ValueError(f"model.features names undeclared columns: {', '.join(unknown)}")
        regression = {"mae", "rmse", "r2"}
        if self.gate.metric and (self.gate.metric in regression) != (
            self.label.kind == "regression"
        ):
            raise ValueError(
                f"gate.metric {self.gate.metric} does not fit a {self.label.kind} label"
            )
        return self
