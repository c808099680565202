"""Estimates of classifiers against brute force, against certainty, and against labels drawn anew."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from feedback_assets.performance.calibration import REPLICATES, Curve
from feedback_assets.performance.cbpe import Calibrated, Unlabelled, expected_metrics, probabilities
from feedback_assets.performance.days import DaySpread
from feedback_assets.performance.estimate import Estimator
from feedback_assets.performance.metrics import evaluate
from feedback_assets_tests.performance.worlds import CLASSES, binary, multiclass
from feedback_assets_tests.promotion.loops import loop_config


class Known:
    """A calibrator without doubt: a function of the score."""

    def __init__(self, function=lambda s: s) -> None:
        self.function = function

    def __call__(self, score: np.ndarray) -> np.ndarray:
        return np.asarray(self.function(score))

    def replicated(self, score: np.ndarray) -> np.ndarray:
        return np.repeat(self(score)[None], REPLICATES, axis=0)


def two(score: np.ndarray, value: np.ndarray | None = None) -> Unlabelled:
    scores = np.stack([1 - score, score], axis=1)
    answer = (score >= 0.5).astype(np.int64)
    return Unlabelled("binary", scores, answer, np.zeros(score.size, np.int64), value)


def estimate(answers: Unlabelled, *curves: Curve, spread: DaySpread = DaySpread()):  # noqa: B008
    return expected_metrics(answers, [Calibrated(curves, [spread] * len(curves))], 0.95)


def test_certain_labels_give_the_realised_metrics_without_any_doubt() -> None:
    rng = np.random.default_rng(0)
    score = np.round(rng.random(300), 2)
    truth = (np.abs(score - 0.6) < 0.25).astype(float)
    found = estimate(two(score), Known(lambda s: (np.abs(s - 0.6) < 0.25).astype(float)))
    real = evaluate("binary", truth, score, (score >= 0.5).astype(float))
    for name in ("log_loss", "brier", "roc_auc", "accuracy", "f1", "ece"):
        assert found[name] == pytest.approx([real[name]] * 3, abs=1e-5), name


def test_the_estimate_is_the_expected_confusion_matrix_and_roc_curve() -> None:
    """The definition of CBPE, by brute force over thresholds and pairs."""
    from sklearn.metrics import auc

    rng = np.random.default_rng(1)
    score = rng.random(400)
    p = score**2
    found = estimate(two(score), Known(lambda s: s**2))
    said = score >= 0.5
    hit, false, missed = p[said].sum(), (1 - p)[said].sum(), p[~said].sum()
    assert found["f1"].value == pytest.approx(2 * hit / (2 * hit + false + missed))
    assert found["accuracy"].value == pytest.approx(np.where(said, p, 1 - p).mean())
    assert found["brier"].value == pytest.approx((p * (1 - score) ** 2 + (1 - p) * score**2).mean())
    down = np.argsort(-score)
    true, wrong = (np.append(0, v[down].cumsum()) / v.sum() for v in (p, 1 - p))
    assert found["roc_auc"].value == pytest.approx(auc(wrong, true))


def test_value_is_the_expected_worth_of_the_answers() -> None:
    score = np.random.default_rng(2).random(200)
    answer = (score >= 0.5).astype(int)
    matrix = np.array([[0.0, -3.0], [-1.0, 5.0]])
    found = estimate(two(score, matrix[:, answer].T), Known())
    worth = (1 - score) * matrix[0, answer] + score * matrix[1, answer]
    assert found["value"].value == pytest.approx(worth.mean())
    assert not estimate(two(score), Known())["value"].known


def test_the_interval_of_many_rows_is_the_closed_form_though_few_are_drawn() -> None:
    score = np.random.default_rng(3).random(15_000)
    found = estimate(two(score), Known())["accuracy"]
    p = np.maximum(score, 1 - score)
    half = 1.96 * np.sqrt((p * (1 - p)).sum()) / score.size
    assert found.high - found.value == pytest.approx(half, rel=0.15)
    assert found.value - found.low == pytest.approx(half, rel=0.15)


def test_days_that_differ_widen_the_interval_of_a_day_more_than_of_a_week() -> None:
    rows = two(np.random.default_rng(4).random(2000))
    week = Unlabelled(rows.kind, rows.scores, rows.answer, np.arange(2000) % 7)
    spread = DaySpread(0.25, 30, 0.03)
    sizes = [
        (found := estimate(answers, Known(), spread=known)["log_loss"]).high - found.low
        for answers, known in ((rows, DaySpread()), (week, spread), (rows, spread))
    ]
    assert sizes[0] < sizes[1] < 0.8 * sizes[2]


def test_the_order_of_the_rows_does_not_matter() -> None:
    score = np.random.default_rng(5).random(3000)
    mixed = np.random.default_rng(6).permutation(score)
    one, other = estimate(two(score), Known()), estimate(two(mixed), Known())
    for name, found in one.items():
        assert other[name] == pytest.approx(found, nan_ok=True), name


def test_no_rows_and_one_sided_rows_are_not_known_rather_than_wrong() -> None:
    assert not any(v.known for v in estimate(two(np.empty(0)), Known()).values())
    found = estimate(two(np.full(50, 0.001)), Known())
    assert not found["roc_auc"].known
    assert found["log_loss"].known
    silent = Unlabelled("binary", two(np.full(50, 0.4)).scores, np.full(50, -1), np.zeros(50, int))
    found = estimate(silent, Known())
    assert not found["accuracy"].known
    assert not found["value"].known


def test_classes_are_renormalised() -> None:
    rows = multiclass(np.random.default_rng(7), 50)
    scores = rows[[f"score_{c}" for c in CLASSES]].to_numpy()
    answers = Unlabelled("multiclass", scores, scores.argmax(1), np.zeros(50, int))
    curves = [Known(), Known(lambda s: s * 2), Known(lambda s: s * 0)]
    p = probabilities(answers, [Calibrated(curves, [])])
    assert p.sum(axis=0) == pytest.approx(1)
    assert p[1] / p[0] == pytest.approx(2 * scores[:, 1] / scores[:, 0])
    nothing = probabilities(answers, [Calibrated([Known(lambda s: s * 0)] * 3, [])])
    assert nothing == pytest.approx(1 / 3)


def coverage(kind: str, make, trials: int, held: int, now: int, **world) -> dict[str, float]:
    config = loop_config(kind)
    rng, inside = np.random.default_rng(0), defaultdict(list)
    for _ in range(trials):
        estimator = Estimator.fit(config, make(rng, held, **world))
        rows = make(rng, now, **world)
        scores = [rows[f"score_{c}"] for c in CLASSES] if kind == "multiclass" else None
        classes = CLASSES if scores else []
        real = evaluate(
            kind, rows["label"], rows["score"], rows["prediction"],
            np.stack(scores, axis=1) if scores else None, classes,
        )  # fmt: skip
        for name, found in estimator.estimate(rows).metrics.items():
            inside[name].append(found.low <= real[name] <= found.high)
    return {name: float(np.mean(hits)) for name, hits in inside.items()}


BINARY = [
    (2000, 600, {}),
    (400, 100, {}),
    (3000, 800, {"level": -3.5}),
    (4000, 900, {"days": 7, "tau": 0.4}),
]


def test_the_realised_value_lies_inside_as_often_as_promised() -> None:
    """A small version of the study below: 40 trials leave 3.4% of error on each share."""
    found = coverage("binary", binary, 40, 2000, 400)
    assert min(found.values()) > 0.82, found
    found = coverage("multiclass", multiclass, 30, 1500, 300)
    assert min(found.values()) > 0.79, found


@pytest.mark.study
@pytest.mark.parametrize(("held", "now", "world"), BINARY)
def test_study_of_the_coverage_of_two_classes(held: int, now: int, world: dict) -> None:
    found = coverage("binary", binary, 400, held, now, **world)
    assert min(found.values()) > 0.915, found


@pytest.mark.study
def test_study_of_the_coverage_of_three_classes() -> None:
    found = coverage("multiclass", multiclass, 300, 2000, 500)
    assert min(found.values()) > 0.915, found


def test_an_interval_is_not_wider_than_it_must_be() -> None:
    """Twice the closed form's width would pass any test of coverage."""
    rng = np.random.default_rng(8)
    estimator = Estimator.fit(loop_config(), binary(rng, 3000))
    rows: pd.DataFrame = binary(rng, 600)
    found = estimator.estimate(rows).metrics["accuracy"]
    p = found.value
    labels = 1.96 * np.sqrt(p * (1 - p) * (1 / 600 + 1 / 3000))
    assert (found.high - found.low) / 2 < 1.25 * labels
