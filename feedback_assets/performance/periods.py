"""Realised metrics of every period, slice and version, with what is still open about them."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import Config
from feedback_assets.performance.answered import Answered, Slicing
from feedback_assets.performance.intervals import interval
from feedback_assets.performance.maturity import (
    UNSAID,
    WHOLE,
    Arrivals,
    Missing,
    Owed,
    at_maturity,
)
from feedback_assets.performance.measure import Answers, measure
from feedback_assets.performance.metrics import Floats
from feedback_assets.performance.report import performance_frame, report_metrics

Expected = Mapping[str, Mapping[str, float | None]]
_UNDEFINED: Mapping[str, str] = {
    "roc_auc": "all labels are of one class",
    "r2": "the labels do not vary",
    "f1": "the class is neither there nor answered",
    "mape": "every label is next to zero",
}


@dataclass(frozen=True)
class Group:
    """The answers of one period, slice and version.

    Attributes:
        partition_key: the partition that the period ends with.
        period: day, week or window.
        slicing: how the answers are cut.
        code: which of its slices.
        rows: row numbers of the answers, sorted by score.
        missing: labels still to come.
    """

    partition_key: str
    period: str
    slicing: Slicing
    code: int
    rows: npt.NDArray[np.int64]
    missing: Missing


def period_days(config: Config) -> dict[str, int]:
    """Length of each period of the report, in days."""
    return {"day": 1, "week": 7, "window": config.performance.window_days}


def longest_days(config: Config) -> int:
    """Days before and with a judged partition that `realised_rows` needs the rows of."""
    return max(period_days(config).values())


def realised_rows(
    frame: pd.DataFrame,
    keys_wanted: Sequence[str],
    config: Config,
    expected: Expected,
    arrivals: Arrivals | None,
    as_of: dt.datetime,
) -> pd.DataFrame:
    """Rows of kind `realised` of the performance report; stated anew whenever labels arrive.

    A period ends with its partition: the last day, week or window (whole partitions; with weekly ones a
    day is the partition). Slices are the most frequent values of the trailing window; a version is
    judged on all its answers. Below `performance.min_rows` labels a value is null and the reason
    says how many are missing.

    Args:
        frame: the feedback table's rows that were answered by a model that served, those without a
            label too: partition_key, label, label_status, score, prediction, model_version,
            `score_<class>` for multiclass, the segment columns, `value` if the KPI is an expression,
            and `selection_weight` where labels are selective and their chance was logged.
            Of all partitions of the last `longest_days` before and with each wanted one.
        keys_wanted: the partitions to judge.
        config: the loop's.
        expected: model version to metric to its value on held-out rows. For all versions together: the
            mean by answers over the versions, null unless known for most answers. Null for slices,
            which may well differ from the whole.
        arrivals: how late labels come; None when not known.
        as_of: when the frame was read.

    Returns:
        A frame with `PERFORMANCE_COLUMNS`.
    """
    answered = Answered.of(frame, keys_wanted, config, arrivals)
    rows = [
        row
        for key in sorted(set(keys_wanted))
        for group in _groups(answered, key, config, arrivals)
        for row in _group_rows(answered, group, config, expected, arrivals)
    ]
    return performance_frame(rows, as_of)


def _groups(
    answered: Answered, key: str, config: Config, arrivals: Arrivals | None
) -> Iterator[Group]:
    last = answered.keys.index(key)
    firsts = {p: answered.first_position(key, d, config) for p, d in period_days(config).items()}
    start = min(firsts.values())
    window = np.flatnonzero((answered.position >= start) & (answered.position <= last))
    delays = _Delays.of(answered, window, start, last, config, arrivals) if arrivals else None
    for slicing in answered.slicings:
        for code, rows in _split(slicing, window, config.performance.segment_values):
            owed = delays.owed(slicing, code, rows) if delays else None
            for period, first in firsts.items():
                own = rows[answered.position[rows] >= first]
                if own.size or slicing.whole:
                    missing = owed.missing(slice(first - start, None)) if owed else UNSAID
                    yield Group(key, period, slicing, code, own, missing)


def _split(
    slicing: Slicing, window: npt.NDArray[np.int64], most: int
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each slice's code and rows, in the order of `window`; the whole even without rows."""
    codes = slicing.codes[window]
    inside = codes >= 0
    window, codes = window[inside], codes[inside]
    counts = np.bincount(codes, minlength=len(slicing.names))
    order, ends = window[np.argsort(codes, kind="stable")], counts.cumsum()
    for code in slicing.largest(counts, most):
        yield code, order[ends[code] - counts[code] : ends[code]]


@dataclass(frozen=True)
class _Delays:
    """What the labels of one window's slices have come to."""

    answered: Answered
    start: int
    days: list[str]
    config: Config
    arrivals: Arrivals
    share: Floats
    whole: Floats

    @classmethod
    def of(
        cls,
        answered: Answered,
        window: npt.NDArray[np.int64],
        start: int,
        last: int,
        config: Config,
        arrivals: Arrivals,
    ) -> "_Delays":
        days = list(answered.keys[start : last + 1])
        share = arrivals.known(WHOLE, days, config.label)
        nothing = cls(
            answered, start, days, config, arrivals, share, np.full(share.shape[1], np.nan)
        )
        return replace(nothing, whole=nothing._counted(window, share).rate())

    def owed(self, slicing: Slicing, code: int, rows: npt.NDArray[np.int64]) -> Owed:
        key = (slicing.segment, slicing.names[code])
        own = not slicing.versions and key in self.arrivals.shares
        share = self.arrivals.known(key, self.days, self.config.label) if own else self.share
        return replace(self._counted(rows, share), whole=self.whole)

    def _counted(self, rows: npt.NDArray[np.int64], share: Floats) -> Owed:
        days, groups = share.shape
        day = self.answered.position[rows] - self.start
        labelled = self.answered.labelled[rows]
        group = self.answered.answers.group
        code = np.zeros(rows.size, dtype=np.int64) if group is None else group[rows]
        cell = (day * groups + code)[labelled]
        return Owed(
            np.bincount(day, minlength=days).astype(np.float64),
            np.bincount(cell, minlength=days * groups).reshape(days, groups).astype(np.float64),
            share,
            self.config.performance.min_rows,
        )


def _group_rows(
    answered: Answered,
    group: Group,
    config: Config,
    expected: Expected,
    arrivals: Arrivals | None,
) -> Iterator[dict[str, Any]]:
    labelled = group.rows[answered.labelled[group.rows]]
    version = group.slicing.names[group.code] if group.slicing.versions else ""
    common = {
        "partition_key": group.partition_key,
        "period": group.period,
        "segment": group.slicing.segment,
        "segment_value": "" if version else group.slicing.names[group.code],
        "model_version": version,
        "kind": "realised",
        "rows": group.rows.size,
        "maturity": group.missing.maturity,
    }
    held_out = _expected_of(answered, group, expected)
    answers = answered.answers.take(labelled)
    for metric in report_metrics(config):
        found = _judged(metric, answers, group.missing, config, arrivals)
        yield {**common, "metric": metric, "expected": held_out.get(metric, math.nan), **found}


def _judged(
    metric: ReportMetric,
    answers: Answers,
    missing: Missing,
    config: Config,
    arrivals: Arrivals | None,
) -> dict[str, Any]:
    needed = config.performance.min_rows
    if answers.y.size < needed:
        return {"labels": answers.y.size, "reason": f"{answers.y.size} labels, {needed} needed"}
    measured = measure(metric, answers)
    if measured.rows < needed:
        reason = f"{measured.rows} labelled answers that it can judge, {needed} needed"
        return {"labels": measured.rows, "reason": reason}
    if math.isnan(measured.working):
        return {"labels": measured.rows, "reason": _UNDEFINED.get(metric, "not defined")}
    confidence = config.performance.confidence
    found = interval(measured, confidence)
    moved = arrivals.moved.get(metric, 0.0) if arrivals else 0.0
    low_mature, high_mature = at_maturity(measured, missing, confidence, moved)
    return {
        "labels": measured.rows,
        **found._asdict(),
        "low_mature": low_mature,
        "high_mature": high_mature,
        "reason": "",
    }


def _expected_of(answered: Answered, group: Group, expected: Expected) -> dict[str, float]:
    """The held-out metrics of the versions that answered, weighted by their answers."""
    if group.slicing.segment or not group.rows.size:
        return {}
    versions = answered.slicings[-1]
    codes = versions.codes[group.rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(versions.names))
    found: dict[str, float] = {}
    for metric in {m for values in expected.values() for m in values}:
        held_out = [expected.get(v, {}).get(metric) for v in versions.names]
        values = np.array([math.nan if v is None else v for v in held_out], dtype=np.float64)
        known = np.where(np.isfinite(values), counts, 0)
        if known.sum() * 2 > group.rows.size:
            found[metric] = float(np.nansum(values * known) / known.sum())
    return found
