"""Metrics against scikit-learn, and where they are undefined."""

import math
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.schema import Config
from feedback_assets.performance import metrics as m
from feedback_assets_tests.promotion.loops import loop_config

PROBABILITIES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.9, 1.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), PROBABILITIES), min_size=2, max_size=60))
def test_binary_metrics_are_scikit_learns(rows: list[tuple[int, float]]) -> None:
    from sklearn import metrics as sk

    y = np.array([r[0] for r in rows], dtype=float)
    p = np.array([r[1] for r in rows])
    said = (p >= 0.5).astype(float)
    got = m.evaluate("binary", y, p, said)
    assert got["log_loss"] == pytest.approx(sk.log_loss(y, p, labels=[0, 1]))
    assert got["brier"] == pytest.approx(sk.brier_score_loss(y, p))
    assert got["accuracy"] == pytest.approx(sk.accuracy_score(y, said))
    if 0 < y.sum() < y.size:
        assert got["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p))
    else:
        assert math.isnan(got["roc_auc"])
    if y.sum() + said.sum():
        assert got["f1"] == pytest.approx(sk.f1_score(y, said))
    else:
        assert math.isnan(got["f1"])


def test_multiclass_metrics_are_scikit_learns() -> None:
    from sklearn import metrics as sk

    rng = np.random.default_rng(0)
    classes = ["cat", "dog", "eel"]
    p = rng.dirichlet(np.ones(3), 400)
    codes = np.array([rng.choice(3, p=row) for row in p])
    y = np.array(classes, dtype=object)[codes]
    said = np.array(classes, dtype=object)[p.argmax(axis=1)]
    got = m.evaluate("multiclass", y, p.max(axis=1), said, p, classes)
    assert got["log_loss"] == pytest.approx(sk.log_loss(y, p, labels=classes))
    assert got["brier"] == pytest.approx(sk.brier_score_loss(y, p, labels=classes))
    assert got["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
    assert got["accuracy"] == pytest.approx(sk.accuracy_score(y, said))
    assert got["f1"] == pytest.approx(sk.f1_score(y, said, average="macro"))


def test_regression_metrics_are_scikit_learns() -> None:
    from sklearn import metrics as sk

    rng = np.random.default_rng(1)
    y = rng.normal(50, 9, 300)
    value = y + rng.normal(1, 3, 300)
    got = m.evaluate("regression", y, value, value)
    assert got["mae"] == pytest.approx(sk.mean_absolute_error(y, value))
    assert got["rmse"] == pytest.approx(sk.root_mean_squared_error(y, value))
    assert got["r2"] == pytest.approx(sk.r2_score(y, value))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_no_rows_are_undefined_not_an_error(kind: m.LabelKind) -> None:
    got = m.evaluate(kind, [], [], [], np.empty((0, 2)), ["a", "b"])
    assert got.pop("rows") == 0
    assert got
    assert all(math.isnan(v) for v in got.values())


def test_rows_without_label_or_score_do_not_count() -> None:
    y = pd.Series([1, 0, pd.NA, 1], dtype="Int64")
    p = pd.Series([0.9, 0.2, 0.1, np.nan])
    got = m.evaluate("binary", y, p, pd.Series([1, 0, 0, pd.NA], dtype="Int64"))
    assert got["rows"] == 2
    assert got["accuracy"] == 1
    assert got["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)


def test_a_certain_and_wrong_answer_costs_a_finite_loss() -> None:
    assert 30 < m.log_loss(np.array([1.0]), np.array([0.0])) < 40


@pytest.mark.parametrize("metric", ["log_loss", "brier", "accuracy"])
def test_losses_average_to_the_metric(metric: m.Metric) -> None:
    rng = np.random.default_rng(2)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(float)
    got = m.evaluate("binary", y, p, (p >= 0.5).astype(float))[metric]
    mean = m.losses("binary", metric, y, p).mean()
    assert (1 - mean if metric == "accuracy" else mean) == pytest.approx(got)


def test_rank_metrics_have_no_losses() -> None:
    with pytest.raises(ValueError, match="roc_auc is not a mean"):
        m.losses("binary", "roc_auc", [1.0], np.array([0.5]))


def test_evaluate_frame_takes_accepted_labels_only() -> None:
    config: Config = loop_config()
    frame = pd.DataFrame(
        {
            "label_status": ["accepted", "rejected", "pending"],
            "label": pd.array([1, 0, None], dtype="Int64"),
            "score": [0.75, 0.9, 0.5],
            "prediction": pd.array([1, 1, 1], dtype="Int64"),
        }
    )
    got = m.evaluate_frame(frame, config)
    assert got["rows"] == 1
    assert got["log_loss"] == pytest.approx(-math.log(0.75))


def test_calibration_error_is_the_gap_of_equal_bins() -> None:
    rng = np.random.default_rng(3)
    p = rng.random(150)
    y = (rng.random(150) < p**2).astype(float)
    bins = np.array_split(np.argsort(p), 15)
    gaps = [abs(y[b].mean() - p[b].mean()) * b.size for b in bins]
    assert m.ece(y, p) == pytest.approx(sum(gaps) / 150)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), PROBABILITIES), min_size=1, max_size=40), st.randoms())
def test_calibration_error_does_not_depend_on_the_order(
    rows: list[tuple[int, float]], random: Random
) -> None:
    mixed = random.sample(rows, len(rows))
    first, second = (np.array(r, dtype=float).T for r in (rows, mixed))
    assert m.ece(*first) == pytest.approx(m.ece(*second), abs=1e-12)


def test_relative_and_quantile_errors_are_scikit_learns() -> None:
    from sklearn import metrics as sk

    rng = np.random.default_rng(4)
    y = rng.normal(50, 9, 200)
    value = y + rng.normal(1, 3, 200)
    got = m.evaluate("regression", y, value, value, quantile=0.8)
    assert got["mape"] == pytest.approx(sk.mean_absolute_percentage_error(y, value))
    assert got["pinball"] == pytest.approx(sk.mean_pinball_loss(y, value, alpha=0.8))


def test_labels_next_to_zero_have_no_relative_error() -> None:
    y, value = np.array([0.0, 1e-9, -10.0, 20.0]), np.array([5.0, 5.0, -9.0, 25.0])
    assert m.mape(y, value) == pytest.approx((0.1 + 0.25) / 2)
    assert np.isnan(m.relative_errors(y, value)).tolist() == [True, True, False, False]
    assert math.isnan(m.mape(np.zeros(5), np.ones(5)))


def test_worth_is_averaged_over_labelled_rows_that_have_one() -> None:
    y = pd.Series([1, 0, pd.NA, 1], dtype="Int64")
    found = m.evaluate("binary", y, [0.9, 0.1, 0.5, 0.2], [1, 0, 1, 0], values=[2, 0, 99, np.nan])
    assert found["value"] == 1
    assert "value" not in m.evaluate("binary", y, [0.9, 0.1, 0.5, 0.2], [1, 0, 1, 0])
