"""Labelled rows as the searches for a cause want them: features, loss, label, segment, day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config, FeatureKind, Metric
from feedback_assets.performance.metrics import class_codes, floats, losses

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_MEANS: frozenset[Metric] = frozenset({"log_loss", "brier", "accuracy", "mae", "rmse"})


@dataclass(frozen=True)
class Rows:
    """Rows with a known label: all arrays have their length n."""

    features: Mapping[str, Floats | npt.NDArray[np.object_]]
    """Column → numbers (NaN: missing) or words (None: missing); declared segments included."""
    loss: Floats
    """Loss of each row, smaller is better, finite."""
    label: Floats
    """The label: a class's position, or the number itself."""
    segment: npt.NDArray[np.object_]
    """Which declared segment (all of them joined) the row is of; one value where none is declared."""
    day: npt.NDArray[np.object_]
    """Partition key: the rows of one day are taken to depend on each other."""
    metric: str = "loss"
    """What the loss is, for words."""
    numeric_label: bool = False
    """Whether the label is a number and no class."""

    def __len__(self) -> int:
        return int(self.loss.size)

    def take(self, which: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Rows":
        """The rows at these positions, or where the mask is true."""
        return Rows(
            {name: values[which] for name, values in self.features.items()},
            self.loss[which],
            self.label[which],
            self.segment[which],
            self.day[which],
            self.metric,
            self.numeric_label,
        )

    def sampled(self, rows: int, seed: int) -> "Rows":
        """At most so many rows, drawn without replacement and kept in order."""
        if len(self) <= rows:
            return self
        drawn = np.random.default_rng(seed).choice(len(self), rows, replace=False)
        return self.take(np.sort(drawn))


def rows_of(frame: pd.DataFrame, config: Config, metric: Metric | None = None) -> Rows:
    """The rows of the feedback table that have an accepted label and a score.

    Args:
        frame: Rows with partition_key, label, label_status, score (score_<class> for multiclass),
            the features and the declared segments. Columns that are not there are left out.
        config: The loop.
        metric: Which loss. One that is no mean over rows (roc_auc, f1, r2) gives way to log_loss
            or mae; the accuracy's loss is the error. The gate's metric by default.
    """
    metric = _mean_metric(config, metric or config.metric)
    kept = frame[(frame["label_status"] == "accepted").to_numpy(bool)]
    label, loss = _labels_and_losses(kept, config, metric)
    known = np.isfinite(loss)
    kept, loss, label = kept[known], loss[known], label[known]
    columns = config.columns
    names = list(dict.fromkeys([*config.features, *columns.segments]))
    features = {n: plain(kept[n], columns.kind_of(n)) for n in names if n in kept}
    segments = [kept[c] for c in columns.segments if c in kept]
    return Rows(
        features,
        loss,
        label,
        _joined(segments, len(kept)),
        kept["partition_key"].astype(str).to_numpy(object),
        "error" if metric == "accuracy" else metric,
        config.label.kind == "regression",
    )


def plain(values: pd.Series, kind: FeatureKind) -> Floats | npt.NDArray[np.object_]:
    """A column as float64 (text: its length) or as words, missing as NaN or None.

    >>> plain(pd.Series(["ab", None]), "text").tolist()
    [2.0, nan]
    """
    if kind == "numeric":
        numbers = floats(pd.Series(pd.to_numeric(values, errors="coerce")))
        return np.where(np.isfinite(numbers), numbers, np.nan)
    present = values.notna().to_numpy(bool)
    text = values.astype(str)
    if kind == "text":
        return np.where(present, text.str.len().to_numpy(np.float64), np.nan)
    words = text.to_numpy(object, copy=True)
    words[~present] = None
    return words


def _mean_metric(config: Config, metric: Metric) -> Metric:
    if metric in _MEANS:
        return metric
    return "mae" if config.label.kind == "regression" else "log_loss"


def _labels_and_losses(
    frame: pd.DataFrame, config: Config, metric: Metric
) -> tuple[Floats, Floats]:
    kind = config.label.kind
    if kind == "multiclass":
        classes = config.label.classes
        codes = class_codes(frame["label"], classes)
        scores = frame[[f"score_{c}" for c in classes]].to_numpy(np.float64, na_value=np.nan)
        loss = losses(kind, metric, codes.astype(np.float64), scores)
        known = (codes >= 0) & np.isfinite(scores).all(axis=1)
        return codes.astype(np.float64), np.where(known, loss, np.nan)
    label, score = floats(frame["label"]), floats(frame["score"])
    loss = losses(kind, metric, label, score, config.label.threshold)
    return label, np.where(np.isfinite(label) & np.isfinite(score), loss, np.nan)


def _joined(segments: Sequence[pd.Series], rows: int) -> npt.NDArray[np.object_]:
    """One value per row for all segments together."""
    if not segments:
        return np.full(rows, "", dtype=object)
    joined = segments[0].astype("string").fillna("null").astype(object)
    for column in segments[1:]:
        joined = joined + "," + column.astype("string").fillna("null").astype(object)
    return joined.to_numpy(object)
