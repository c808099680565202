"""The typed shape of `configs/loops/<loop>.yaml`: one file, one model in production.

Every number has a default here and an environment variable that overrides it:
`FEEDBACK_ASSETS__<LOOP>__<SECTION>__<FIELD>`, as in `FEEDBACK_ASSETS__FLIGHTS__DRIFT__ALPHA=0.01`.
"""

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from feedback_assets.config.evaluation import Evaluation
from feedback_assets.config.flags import Flags
from feedback_assets.config.gate import Gate as Gate
from feedback_assets.config.gate import Metric as Metric
from feedback_assets.config.judgement import Drift, Performance
from feedback_assets.config.policy import Trigger
from feedback_assets.config.pool import Pool
from feedback_assets.config.review import Review
from feedback_assets.config.rollout import Approval, Decide, Rollout
from feedback_assets.config.section import ColumnName, Strict
from feedback_assets.config.serve import Serve
from feedback_assets.config.source import Sources
from feedback_assets.config.trust import Trust

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Owner = Annotated[str, StringConstraints(pattern=r"^(team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+)$")]
LabelKind = Literal["binary", "multiclass", "regression"]
FeatureKind = Literal["numeric", "categorical", "text"]
RESERVED_COLUMNS = frozenset(
    {
        "prediction_id", "event_time", "received_time", "model_version", "role", "propensity",
        "score", "prediction", "label", "label_event_time", "label_received_time", "label_delay_days",
        "label_source", "label_status", "label_count", "label_conflict", "labels_seen", "rating",
        "corrected", "label_principal", "label_confidence", "flags", "weight",
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


class Selective(Strict):
    """The truth becomes known only of some rows, by what was decided: loans that were granted."""

    known_when: Annotated[str, StringConstraints(min_length=1)]
    """SQL over a row of the feedback table that says for which, as in `prediction = 1`."""
    propensity: Literal["logged", "none"] = "none"
    """logged: `columns.propensity` holds the chance of the decision taken, and labels are weighted by
    its inverse; none: nothing can be said of the others, and every page says so."""


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
    selective: Selective | None = None
    """The truth becomes known only of some rows; of all if absent."""

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
    flags: Flags = Flags()
    """Which predictions deserve a second look."""
    trust: Trust = Trust()
    """Whose labels count how much."""
    review: Review = Review()
    """Which rows people are asked about."""
    evaluation: Evaluation = Evaluation()
    """How a candidate is examined."""
    gate: Gate = Gate()
    """What a candidate must prove."""
    decide: Decide = Decide()
    """When it is better."""
    rollout: Rollout = Rollout()
    """The way into production, and back."""
    approval: Approval = Approval()
    """Whom that needs."""
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
        self._promotion_fits()
        self._labels_fit()
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

    def _labels_fit(self) -> None:
        """What people are asked and what weighs rows names columns that there are."""
        declared = {*self.columns.features, *self.columns.carried}
        for field, names in (("by", self.review.by), ("show", self.review.show)):
            strange = sorted(set(names) - declared)
            if strange:
                raise ValueError(f"review.{field} names undeclared columns: {', '.join(strange)}")
        answers = {"binary": {"0", "1"}, "multiclass": set(self.label.classes), "regression": set()}
        strange = sorted(set(self.review.words) - answers[self.label.kind])
        if strange:
            raise ValueError(f"review.words: the label has no value {', '.join(strange)}")
        strange = sorted(set(self.pool.reweigh) - set(self.columns.protected))
        if strange:
            raise ValueError(f"pool.reweigh are not in columns.protected: {', '.join(strange)}")
        if self.label.kind == "regression":
            uncertain = {"entropy", "margin", "least_confidence"} & set(self.review.mix)
            if self.review.per_day and uncertain:
                raise ValueError(
                    f"review.mix: {', '.join(sorted(uncertain))} need a label with classes; "
                    "committee, density, diversity, stratified, drifted and random do not"
                )
            if self.review.automatic or self.pool.reweigh:
                raise ValueError("review.automatic and pool.reweigh need a label with classes")

    def _promotion_fits(self) -> None:
        """Evaluation and gate name only columns that there are, and fit the label."""
        grouped = [
            *self.evaluation.groups.values(),
            *(s.columns for s in self.evaluation.scenarios),
        ]
        unknown = sorted({c for columns in grouped for c in columns} - set(self.features))
        if unknown:
            raise ValueError(f"evaluation names columns that are no features: {', '.join(unknown)}")
        fairness = self.gate.fairness
        strange = sorted(set(fairness.attributes if fairness else []) - set(self.columns.protected))
        if strange:
            raise ValueError(
                f"gate.fairness.attributes are not in columns.protected: {', '.join(strange)}"
            )
        ranked = self.metric in ("roc_auc", "f1", "r2") and self.gate.min_improvement != 0
        if ranked and self.rollout.stages:
            raise ValueError(
                f"gate.min_improvement of {self.metric} cannot be proven row by row, as the stages of "
                "rollout do: set it to 0, or gate.metric to brier, log_loss, accuracy, mae or rmse"
            )
        if self.label.kind == "regression" and (fairness or self.gate.calibration):
            raise ValueError("gate.fairness and gate.calibration need a label with classes")
