"""The metrics of answers whose labels are not known yet, and how sure that is.

An `Estimator` is learned when a version is trained, from held-out labelled rows with that version's
answers, and is kept with it as JSON. It cannot see concept drift: a label that changed its meaning
shows only when labels arrive.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import Config, Metric
from feedback_assets.performance.calibration import Calibrator, Curve
from feedback_assets.performance.cbpe import Calibrated, Unlabelled, expected_metrics, probabilities
from feedback_assets.performance.days import DaySpread, day_numbers
from feedback_assets.performance.dle import LossCurve, mean_interval
from feedback_assets.performance.intervals import UNKNOWN, Interval
from feedback_assets.performance.metrics import (
    Codes,
    Floats,
    class_codes,
    floats,
    losses,
    quantile_losses,
)
from feedback_assets.performance.report import report_metrics
from feedback_assets.performance.value import value_matrix

EXPECTED_ERROR = "expected_error"
"""Regression: column with the error model's answer."""
VALUE = "value"
"""Regression: column with what each answer was worth."""
FORMAT = 1

_NOT_HONEST: Mapping[str, str] = {
    "r2": "needs the spread of labels that are not known yet",
    "mape": "needs the size of labels that are not known yet",
}
_CURVES: Mapping[ReportMetric, str] = {
    "mae": "absolute", "rmse": "square", "pinball": "quantile", "value": VALUE,
}  # fmt: skip
_ROW_LOSSES: frozenset[Metric] = frozenset({"log_loss", "brier", "accuracy", "mae", "rmse", "r2"})


@dataclass(frozen=True)
class Estimates:
    """The estimated metrics of one set of rows."""

    metrics: dict[ReportMetric, Interval]
    """Every metric of the report; NaN where not known."""
    reasons: dict[ReportMetric, str]
    """Why it is not known; empty where it is."""
    rows: int
    """Unlabelled with a score."""


@dataclass(frozen=True)
class Estimator:
    """Calibrators (classifiers) or loss curves (regression) of one model version."""

    config: Config
    curves: Sequence[Curve] = ()
    """Classifiers: of the positive class, or of each class."""
    spreads: Sequence[DaySpread] = ()
    """The days' effects on their log-odds."""
    loss_curves: Mapping[str, LossCurve] = field(default_factory=dict)
    """Regression: by loss: absolute, square, quantile, value."""
    rows: int = 0
    """Held-out rows learned from."""
    reason: str = ""
    """Why nothing can be estimated; empty if it can."""

    @classmethod
    def fit(cls, config: Config, held: pd.DataFrame) -> Self:
        """Learn from held-out rows that the version was not trained on.

        Args:
            config: The loop.
            held: `label`, `score`, `prediction`, `partition_key`; multiclass: `score_<class>`;
                regression: `expected_error`, out of fold, and with `kpi.expression` `value`, what
                each answer was worth. Rows without label or score do not count.

        Returns:
            An estimator; `reason` says why if the rows do not suffice.
        """
        if config.label.kind == "regression":
            return cls._fit_losses(config, held)
        return cls._fit_classes(config, held)

    @property
    def calibrated(self) -> Calibrated:
        """A classifier's calibrators."""
        return Calibrated(self.curves, self.spreads)

    @property
    def loss_metric(self) -> Metric:
        """The loss that `expected_loss` speaks of: the gate's if it is a mean over rows."""
        fallback: Metric = "mae" if self.config.label.kind == "regression" else "log_loss"
        return self.config.metric if self.config.metric in _ROW_LOSSES else fallback

    def estimate(self, frame: pd.DataFrame) -> Estimates:
        """The metrics of rows without labels, each with its interval.

        Args:
            frame: Unlabelled of this version: columns as in `fit`, without `label`. Classifiers with
                `kpi.expression` may have `value_if_<class>` (binary: `value_if_0`, `value_if_1`):
                what each answer is worth if the truth were that class.
        """
        return estimate_together([(self, frame)])

    def expected_loss(self, frame: pd.DataFrame) -> Floats:
        """Loss of each row [rows] expected by its calibrated score; NaN where not known."""
        found = np.full(len(frame), np.nan)
        if self.reason:
            return found
        kind, metric = self.config.label.kind, self.loss_metric
        if kind == "regression":
            curve = self.loss_curves["absolute" if metric == "mae" else "square"]
            return curve(floats(frame[EXPECTED_ERROR]))
        answers, known = answers_of(self.config, frame)
        if known.any():
            p = probabilities(answers, [self.calibrated])
            scores = answers.scores[:, 1] if kind == "binary" else answers.scores
            threshold = self.config.label.threshold
            truths = (np.full(len(scores), float(c)) for c in range(len(p)))
            each = (losses(kind, metric, truth, scores, threshold) for truth in truths)
            found[known] = sum(chance * loss for chance, loss in zip(p, each, strict=True))
        return found

    def with_curves(
        self, curves: Sequence[Curve] = (), loss_curves: Mapping[str, LossCurve] | None = None
    ) -> Self:
        """The same with corrected curves."""
        return replace(self, curves=curves, loss_curves=loss_curves or {})

    def to_json(self) -> str:
        """Plain numbers: no correction for other traffic, no configuration."""
        curves = [c.to_dict() for c in self.curves if isinstance(c, Calibrator)]
        return json.dumps(
            {
                "format": FORMAT,
                "kind": self.config.label.kind,
                "curves": curves,
                "spreads": [spread.to_dict() for spread in self.spreads],
                "loss_curves": {name: c.to_dict() for name, c in self.loss_curves.items()},
                "rows": self.rows,
                "reason": self.reason,
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str, config: Config) -> Self:
        """The inverse of `to_json`; what does not fit the configuration any more knows nothing."""
        raw = json.loads(text)
        fitting = len(_classes(config)) if config.label.kind == "multiclass" else 1
        stale = raw["kind"] != config.label.kind or len(raw["curves"]) not in (0, fitting)
        if raw["format"] != FORMAT or stale:
            return cls(config, reason="learned for another kind of label, or by other code")
        return cls(
            config,
            [Calibrator.from_dict(curve) for curve in raw["curves"]],
            [DaySpread.from_dict(spread) for spread in raw["spreads"]],
            {name: LossCurve.from_dict(c) for name, c in raw["loss_curves"].items()},
            int(raw["rows"]),
            str(raw["reason"]),
        )

    @classmethod
    def _fit_classes(cls, config: Config, held: pd.DataFrame) -> Self:
        truth = truths_of(config, held)
        answers, known = answers_of(config, held)
        labelled = truth[known] >= 0
        answers, truth = answers.take(np.flatnonzero(labelled)), truth[known][labelled]
        if reason := _too_little(config, truth.size):
            return cls(config, rows=truth.size, reason=reason)
        if np.unique(truth).size < 2:
            return cls(config, rows=truth.size, reason="the held-out rows are all of one class")
        curves, spreads = [], []
        for c in [1] if config.label.kind == "binary" else range(len(_classes(config))):
            score, y = answers.scores[:, c], (truth == c).astype(np.float64)
            curves.append(Calibrator.fit(score, y))
            p = curves[-1](score)
            spreads.append(DaySpread.learn(y - p, p * (1 - p), p * (1 - p), answers.day))
        return cls(config, curves, spreads, rows=truth.size)

    @classmethod
    def _fit_losses(cls, config: Config, held: pd.DataFrame) -> Self:
        if EXPECTED_ERROR not in held:
            return cls(config, reason="no model of the errors was made")
        expected, each = floats(held[EXPECTED_ERROR]), row_losses(config, held)
        known = np.isfinite(expected) & np.isfinite(each["absolute"])
        count = int(known.sum())
        if reason := _too_little(config, count):
            return cls(config, rows=count, reason=reason)
        day = day_numbers(held["partition_key"], config)[known]
        curves = {
            name: LossCurve.fit(expected[known], loss[known], day)
            for name, loss in each.items()
            if np.isfinite(loss[known]).all()
        }
        return cls(config, loss_curves=curves, rows=count)


def estimate_together(parts: Sequence[tuple[Estimator, pd.DataFrame]]) -> Estimates:
    """The metrics of rows that several versions answered, as if one had; each with its interval.

    Args:
        parts: Each version's estimator and rows, at least one. One that knows nothing leaves the
            whole unknown.
    """
    config = parts[0][0].config
    frame = pd.concat([rows for _, rows in parts]) if len(parts) > 1 else parts[0][1]
    version = np.repeat(np.arange(len(parts)), [len(rows) for _, rows in parts])
    reason = next((estimator.reason for estimator, _ in parts if estimator.reason), "")
    estimators = [estimator for estimator, _ in parts]
    if config.label.kind == "regression":
        found, rows = _losses_of(estimators, frame, version, bool(reason))
    else:
        found, rows = _classes_of(estimators, frame, version, bool(reason))
    wanted = report_metrics(config)
    if not reason and rows < (least := config.performance.min_rows):
        reason = f"{rows} answers, {least} needed"
    if reason:
        return Estimates(dict.fromkeys(wanted, UNKNOWN), dict.fromkeys(wanted, reason), rows)
    metrics = {name: found.get(name, UNKNOWN) for name in wanted}
    return Estimates(metrics, {name: _why(name, v) for name, v in metrics.items()}, rows)


def _classes_of(
    estimators: Sequence[Estimator], frame: pd.DataFrame, version: Codes, count_only: bool
) -> tuple[dict[ReportMetric, Interval], int]:
    config = estimators[0].config
    answers, known = answers_of(config, frame)
    rows = len(answers.day)
    if count_only or rows < config.performance.min_rows:
        return {}, rows
    if len(estimators) > 1:
        answers = replace(answers, version=version[known])
    models = [estimator.calibrated for estimator in estimators]
    return expected_metrics(answers, models, config.performance.confidence), rows


def _losses_of(
    estimators: Sequence[Estimator], frame: pd.DataFrame, version: Codes, count_only: bool
) -> tuple[dict[ReportMetric, Interval], int]:
    config = estimators[0].config
    if count_only or EXPECTED_ERROR not in frame:
        return {}, int(np.isfinite(floats(frame["score"])).sum())
    expected = floats(frame[EXPECTED_ERROR])
    known = np.isfinite(expected)
    day, version, expected = (
        day_numbers(frame["partition_key"], config)[known], version[known], expected[known],
    )  # fmt: skip
    found: dict[ReportMetric, Interval] = {}
    for metric, name in _CURVES.items():
        if all(name in estimator.loss_curves for estimator in estimators):
            parts = [
                (estimator.loss_curves[name], expected[version == v], day[version == v])
                for v, estimator in enumerate(estimators)
            ]
            found[metric] = mean_interval(
                parts, config.performance.confidence, root=metric == "rmse"
            )
    return found, int(known.sum())


def _why(metric: ReportMetric, found: Interval) -> str:
    if found.known:
        return ""
    if metric == "value":
        return "what an answer was worth is not known"
    return _NOT_HONEST.get(metric, "too few rows of one class are expected")


def answers_of(config: Config, frame: pd.DataFrame) -> tuple[Unlabelled, npt.NDArray[np.bool_]]:
    """A classifier's rows that have a score, and which of the frame's they are [rows]."""
    if config.label.kind == "multiclass":
        names = [f"score_{c}" for c in config.label.classes]
        scores = frame[names].to_numpy(np.float64, na_value=np.nan)
        answer = class_codes(frame["prediction"], config.label.classes)
    else:
        positive = floats(frame["score"])
        scores = np.stack([1 - positive, positive], axis=1)
        said = floats(frame["prediction"])
        answer = np.where(np.isfinite(said), said == 1, -1).astype(np.int64)
    known = np.isfinite(scores).all(axis=1)
    worth = _worth(config, frame, answer)
    return Unlabelled(
        config.label.kind,
        np.clip(scores[known], 0, 1),
        answer[known],
        day_numbers(frame["partition_key"], config)[known],
        None if worth is None else worth[known],
    ), known


def truths_of(config: Config, frame: pd.DataFrame) -> Codes:
    """Position of each row's class [rows]; -1 where the label is not known."""
    if config.label.kind == "multiclass":
        return class_codes(frame["label"], config.label.classes)
    label = floats(frame["label"])
    return np.where(np.isfinite(label), label == 1, -1).astype(np.int64)


def row_losses(config: Config, frame: pd.DataFrame) -> dict[str, Floats]:
    """A regressor's losses by name, each [rows]; NaN where label or score is not known."""
    label, score = floats(frame["label"]), floats(frame["score"])
    error = label - score
    error[~np.isfinite(error)] = np.nan
    found = {
        "absolute": np.abs(error),
        "square": error**2,
        "quantile": quantile_losses(label, score, config.performance.quantile),
    }
    if VALUE in frame:
        found[VALUE] = floats(frame[VALUE])
    return found


def _worth(config: Config, frame: pd.DataFrame, answer: Codes) -> Floats | None:
    """What each answer is worth if the truth were each class [rows, classes]."""
    names = [f"value_if_{c}" for c in _classes(config)]
    if all(name in frame for name in names):
        return frame[names].to_numpy(np.float64, na_value=np.nan)
    matrix = value_matrix(config.kpi, config.label)
    if matrix is None:
        return None
    return np.where((answer >= 0)[:, None], matrix[:, np.maximum(answer, 0)].T, np.nan)


def _classes(config: Config) -> list[str]:
    return config.label.classes or ["0", "1"]


def _too_little(config: Config, rows: int) -> str:
    least = config.performance.min_rows
    return f"{rows} held-out labels, {least} needed" if rows < least else ""
