"""The typed shape of `configs/loops/<loop>.yaml`: one file, one model in production.

Every number has a default here and an environment variable that overrides it:
`FEEDBACK_ASSETS__<LOOP>__<SECTION>__<FIELD>`, as in `FEEDBACK_ASSETS__FLIGHTS__DRIFT__ALPHA=0.01`.
"""

import datetime as dt
import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from feedback_assets.config.section import ColumnName, Strict
from feedback_assets.config.serve import Serve

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Owner = Annotated[str, StringConstraints(pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+)$")]
Metric = Literal[
    "log_loss", "brier", "roc_auc", "accuracy", "f1", "mae", "rmse", "r2"
]  # fmt: skip
ReportMetric = Literal[
    "log_loss", "brier", "roc_auc", "accuracy", "f1", "ece", "mae", "rmse", "r2", "mape", "pinball",
    "value",
]  # fmt: skip
LabelKind = Literal["binary", "multiclass", "regression"]
Format = Literal[
    "auto", "parquet", "csv", "jsonl",
    "generic", "sagemaker", "databricks", "kserve", "seldon", "azureml", "vertex", "bentoml",
]  # fmt: skip
Side = Literal["predictions", "feedback"]
OWN_FORMATS = ("auto", "parquet", "csv", "jsonl")
FeatureKind = Literal["numeric", "categorical", "text"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

RESERVED_COLUMNS = frozenset(
    {
        "prediction_id", "event_time", "received_time", "model_version", "role", "propensity",
        "score", "prediction", "label", "label_event_time", "label_received_time", "label_delay_days",
        "label_source", "label_status", "label_count", "label_conflict", "labels_seen", "rating",
        "rejected", "source_file", "partition_key", "split", "event_id", "kind", "value", "confidence", "source", "rows", "events",
    }
)  # fmt: skip


class Kpi(Strict):
    """The business figure the model serves."""

    name: str
    """What the business calls it."""
    description: str = ""
    """How the model moves it."""
    unit: str = ""
    """What `values` or `expression` count, as in EUR or hours."""
    values: dict[str, dict[str, float]] = {}
    """Classifiers: what one answer is worth: truth to answer to value, as in {"1": {"0": -5}}."""
    expression: str | None = None
    """Or SQL over a row of the feedback table, as in `-0.2 * abs(label - score)`."""

    @model_validator(mode="after")
    def _one_way_to_value(self) -> Self:
        if self.values and self.expression:
            raise ValueError("kpi: give values or expression, not both")
        return self


class FileSource(Strict):
    """Files that bring rows, beside what comes by `feedback-assets serve` and `import`."""

    path: str | None = None
    """Folder or glob; `{home}` is the state folder; relative paths start at the project."""
    format: Format = "auto"
    """auto tells Parquet, CSV and JSONL by the file's ending; or a log that others write."""
    map: dict[ColumnName, ColumnName] = {}
    """Logs that others write: their column to ours."""

    @property
    def foreign(self) -> bool:
        """Whether the files are logs of another system, which are imported first."""
        return self.format not in OWN_FORMATS

    @model_validator(mode="after")
    def _a_map_for_logs(self) -> Self:
        if self.map and not self.foreign:
            raise ValueError(
                f"map renames columns of logs that others write; with format {self.format} "
                "name the source's columns in `columns`"
            )
        return self


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

    predictions: PredictionSource = PredictionSource()
    """Rows the model was asked about, with its answers."""
    feedback: FeedbackSource = FeedbackSource()
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


class DriftCondition(Strict):
    """A day with material drift, since the last retrain."""

    columns: Annotated[int, Field(ge=1)] = 1
    """Columns that must have drifted on one day."""
    weight: Annotated[float, Field(ge=0)] = 0
    """What the weights of these columns (`drift.weights`) must add up to."""
    days: Annotated[int, Field(ge=1)] = 1
    """Days on which that must be so."""


class LossCondition(Strict):
    """A metric beyond doubt worse than when the model was judged."""

    worse_by: Annotated[float, Field(gt=0)]
    """By this share of the expected value, as in 0.1, also at the better end of its interval."""
    days: Annotated[int, Field(ge=1)] = 1
    """On so many days in a row; days of which it is not known are left out."""
    metric: ReportMetric | None = None
    """The metric; the gate's if absent."""


class AtLeast(Strict):
    """Some of several conditions."""

    n: Annotated[int, Field(ge=1)]
    """How many must hold."""
    of: Annotated[list["Condition"], Field(min_length=1)]
    """The conditions."""

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.n > len(self.of):
            raise ValueError(f"n is {self.n}, but of lists only {len(self.of)} conditions")
        return self


class Condition(Strict):
    """One condition, or several joined by any, all or at_least: exactly one field is given."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    any: Annotated[list["Condition"], Field(min_length=1)] | None = None
    """One of these holds."""
    all: Annotated[list["Condition"], Field(min_length=1)] | None = None
    """Each of these holds."""
    at_least: AtLeast | None = None
    """So many of these hold."""
    drift: DriftCondition | None = None
    """A day's data drifted."""
    estimated_loss: LossCondition | None = None
    """The model is estimated to be worse, before labels are there."""
    realised_loss: LossCondition | None = None
    """The model is worse on the labels that have arrived."""
    sla_streak: Annotated[int, Field(ge=1)] | None = None
    """A promise (`performance.sla`) is missed so many checks in a row."""
    new_labels: Annotated[int, Field(ge=1)] | None = None
    """Labels that arrived since the newest model's training data."""
    coverage: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the drifted days' rows that have their label: what a candidate could learn from."""
    every_days: Annotated[float, Field(gt=0)] | None = None
    """Days since the last retrain: a schedule."""

    @property
    def kind(self) -> str:
        """The name of the field that is given."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def parts(self) -> list["Condition"]:
        """The conditions that this one joins; none of a single one."""
        return self.any or self.all or (self.at_least.of if self.at_least else [])

    def leaves(self) -> Iterator["Condition"]:
        """The single conditions, in the order of the file."""
        for part in self.parts:
            yield from part.leaves()
        if not self.parts:
            yield self

    @model_validator(mode="before")
    @classmethod
    def _no_bare_list(cls, said: Any) -> Any:
        if isinstance(said, list):
            raise ValueError("several conditions are joined, as in {any: [...]}")  # noqa: TRY004
        return said

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = list(type(self).model_fields)
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            both = " and ".join(given)
            raise ValueError(
                f"give one condition, not {both}: list them below any, all or at_least"
            )
        if not given:
            empty = [
                f"{name} is empty, its defaults are {name}: {{}}" for name in self.model_fields_set
            ]
            hint = f" ({empty[0]})" if len(empty) == 1 else ""
            raise ValueError(f"give one condition{hint} of {', '.join(names)}")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = handler(self)
        return {name: value for name, value in said.items() if value is not None}


AtLeast.model_rebuild()


class OfficeHours(Strict):
    """When a retrain may start, so that somebody is there to look at it."""

    time_zone: str = "UTC"
    """As in Europe/Berlin."""
    days: Annotated[list[Weekday], Field(min_length=1)] = ["mon", "tue", "wed", "thu", "fri"]
    """Days of the week on which the hours begin."""
    start: dt.time = dt.time(9)
    """First moment, in quotes: "09:00"."""
    end: dt.time = dt.time(17)
    """The moment after the last; not after `start` means on the next day."""

    @model_validator(mode="after")
    def _zone_is_known(self) -> Self:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError):
            near = difflib.get_close_matches(self.time_zone, zoneinfo.available_timezones(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ", as in Europe/Berlin"
            raise ValueError(f"there is no time zone {self.time_zone}{hint}") from None
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError('write start and end as "09:00", in time_zone')
        return self


class Trigger(Strict):
    """When a candidate is trained: when its condition holds and nothing forbids it."""

    when: Condition = Condition(
        any=[Condition(drift=DriftCondition()), Condition(new_labels=5_000)]
    )
    """The condition. The first model waits for the largest `new_labels` in it, or `pool.min_rows`."""
    cooldown_days: Annotated[float, Field(ge=0)] = 7
    """No retrain so soon after the last, whatever the cause."""
    rearm: Annotated[float, Field(gt=0, le=1)] | None = None
    """Hysteresis: drift, a loss or a streak that caused the last retrain causes no other before a
    day was below this share of its threshold, it has grown by the inverse of this share, or another
    model was promoted; off if absent."""
    budget_per_month: Annotated[int, Field(ge=1)] | None = None
    """No more retrains than this in a calendar month (of the office's time zone); any if absent."""
    min_new_labels: Annotated[int, Field(ge=0)] = 500
    """Whatever the cause, no retrain with fewer new labels: it could learn nothing."""
    office_hours: OfficeHours | None = None
    """Train only then; at any time if absent."""

    @property
    def label_quota(self) -> int | None:
        """The largest number of new labels that a condition waits for."""
        return max(
            (leaf.new_labels for leaf in self.when.leaves() if leaf.new_labels), default=None
        )


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
    source: Sources = Sources()
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
    performance: Performance = Performance()
    """How good the model is."""
    trigger: Trigger = Trigger()
    """When to train."""
    pool: Pool = Pool()
    """What to train on."""
    gate: Gate = Gate()
    """When to promote."""
    contract: Contract = Contract()
    """When to stop."""
    serve: Serve = Serve()
    """How it answers requests."""

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
        paired = {c for pair in self.performance.segment_pairs for c in pair}
        apart = sorted(paired - set(self.columns.segments))
        if apart:
            raise ValueError(
                f"performance.segment_pairs names columns that are no segments: {', '.join(apart)}"
            )
        self.serve.check(
            self.label.kind, self.label.classes, self.columns.features + self.columns.carried
        )
        regression = {"mae", "rmse", "r2"}
        if self.gate.metric and (self.gate.metric in regression) != (
            self.label.kind == "regression"
        ):
            raise ValueError(
                f"gate.metric {self.gate.metric} does not fit a {self.label.kind} label"
            )
        return self
