"""Weighted metrics and influences, against repeated rows, finite differences and plain metrics."""

import math
from dataclasses import replace

import numpy as np
import pytest

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import LabelKind
from feedback_assets.performance import metrics as m
from feedback_assets.performance.measure import measure
from feedback_assets_tests.performance.rows import CASES, answers


# The bins of ECE are cut by rows, whatever they weigh.
@pytest.mark.parametrize(("kind", "metric"), [case for case in CASES if case[1] != "ece"])
def test_a_weight_is_a_repeated_row(kind: LabelKind, metric: ReportMetric) -> None:
    rows = answers(kind, 90, seed=3)
    times = np.random.default_rng(4).integers(1, 4, 90)
    weighted = measure(metric, rows, times.astype(float))
    repeated = measure(metric, rows.take(np.repeat(np.arange(90), times)))
    assert weighted.value == pytest.approx(repeated.value, abs=1e-12)


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_influence_is_the_derivative(kind: LabelKind, metric: ReportMetric) -> None:
    rows, step = answers(kind, 70, seed=5), 1e-6
    weights = np.random.default_rng(6).uniform(0.5, 2, 70)
    base = measure(metric, rows, weights)
    order = base.answers
    for at in (0, 13, 69):
        more = base.weights.copy()
        more[at] += step
        slope = (measure(metric, order, more).working - base.working) / step
        assert slope * base.weights.sum() == pytest.approx(base.influence[at], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_unweighted_it_is_the_plain_metric(kind: LabelKind, metric: ReportMetric) -> None:
    rows = answers(kind, 120, seed=7)
    got = measure(metric, rows)
    names = np.array(["a", "b", "c"], dtype=object)
    if kind == "multiclass":
        y, said = names[rows.y.astype(int)], names[rows.predicted.astype(int)]
        plain = m.evaluate(kind, y, rows.score.max(axis=1), said, rows.score, list(names))
        plain["value"] = rows.worth.mean()
    else:
        plain = m.evaluate(
            kind, rows.y, rows.score, rows.predicted, quantile=0.8, values=rows.worth
        )
    assert got.value == pytest.approx(plain[metric], abs=1e-12)
    assert got.rows == 120
    assert got.influence.mean() == pytest.approx(0, abs=1e-9)


def test_rows_that_a_metric_cannot_judge_are_left_out() -> None:
    rows = answers("binary", 50)
    unsaid = rows.predicted.copy()
    unsaid[:7] = np.nan
    rows = replace(rows, predicted=unsaid, worth=None)
    assert measure("accuracy", rows).rows == 43
    assert measure("log_loss", rows).rows == 50
    assert measure("value", rows).rows == 0
    assert math.isnan(measure("value", rows).value)


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_no_rows_are_undefined_not_an_error(kind: LabelKind, metric: ReportMetric) -> None:
    rows = answers(kind, 10).take(np.zeros(10, dtype=bool))
    assert math.isnan(measure(metric, rows).value)
