"""The gate promotes what is better beyond doubt, and nothing else."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from feedback_assets.config.schema import Config, Metric
from feedback_assets.errors import GateError
from feedback_assets.promotion.gate import GateResult, compare
from feedback_assets.promotion.resample import paired_resamples, statistic_of
from feedback_assets.promotion.scores import ModelScores, evaluation_digest
from feedback_assets_tests.promotion.loops import loop_config

Array = np.ndarray[Any, Any]


def scores(name: str, score: Array, **more: Any) -> ModelScores:
    return ModelScores(name, "rows", score, **more)


def world(n: int, seed: int = 0) -> tuple[Array, Array]:
    """True log odds and the labels they give."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 1.5, n)
    return odds, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)


def blurred(odds: Array, noise: float, seed: int) -> Array:
    """Probabilities of a model that sees the log odds through noise."""
    return 1 / (1 + np.exp(-(odds + np.random.default_rng(seed).normal(0, noise, odds.size))))


def gate(config: Config, noise: tuple[float, float], n: int = 2_000, seed: int = 0) -> GateResult:
    odds, y = world(n, seed)
    old, new = (blurred(odds, s, 100 + seed + i) for i, s in enumerate(noise))
    return compare(scores("old", old), scores("new", new), y, config)


@pytest.mark.parametrize("metric", ["log_loss", "brier", "roc_auc", "accuracy", "f1"])
def test_a_clearly_better_candidate_is_promoted_and_the_reverse_refused(metric: Metric) -> None:
    config = loop_config(gate={"metric": metric, "resamples": 400})
    better, worse = gate(config, (2.5, 0.1)), gate(config, (0.1, 2.5))
    assert better.outcome == "promote"
    assert better.improvement > better.lower > 0
    assert worse.outcome == "refuse"
    assert worse.improvement < 0
    assert worse.rule == f"{metric} not better beyond uncertainty"


def test_equal_candidates_are_promoted_no_more_often_than_said() -> None:
    config = loop_config(gate={"resamples": 200, "min_rows": 100})
    promoted = sum(gate(config, (0.7, 0.7), 300, seed).outcome == "promote" for seed in range(150))
    assert promoted <= 16


@pytest.mark.parametrize(
    ("metric", "kind"), [("mae", "regression"), ("rmse", "regression"), ("r2", "regression")]
)
def test_numbers_are_compared(metric: Metric, kind: str) -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(1e6, 5, 500)
    good, bad = y + rng.normal(0, 1, 500), y + rng.normal(0, 3, 500)
    config = loop_config(kind, gate={"metric": metric, "resamples": 300})
    result = compare(scores("a", bad), scores("b", good), y, config)
    assert result.outcome == "promote"
    assert result.improvement == pytest.approx(
        abs(result.candidate[metric] - result.champion[metric]), rel=1e-6
    )


@pytest.mark.parametrize("metric", ["log_loss", "brier", "roc_auc", "accuracy", "f1"])
def test_classes_are_compared(metric: Metric) -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(3) * 0.6, 800)
    y = np.array(["a", "b", "c"], dtype=object)[[rng.choice(3, p=row) for row in p]]
    bad = 0.3 * p + 0.7 * rng.dirichlet(np.ones(3), 800)
    config = loop_config("multiclass", gate={"metric": metric, "resamples": 300})
    old = scores("old", bad.max(axis=1), class_scores=bad)
    new = scores("new", p.max(axis=1), class_scores=p)
    result = compare(old, new, y, config)
    assert result.outcome == "promote"
    assert result.improvement == pytest.approx(
        abs(result.candidate[metric] - result.champion[metric]), rel=1e-9
    )


def test_the_interval_is_the_bootstraps() -> None:
    """Against a bootstrap written out row by row, and DeLong for the AUC."""
    from sklearn.metrics import roc_auc_score

    odds, y = world(400)
    old, new = blurred(odds, 1.0, 1), blurred(odds, 0.5, 2)
    rng = np.random.default_rng(9)
    gains = []
    for _ in range(600):
        rows = rng.integers(400, size=400)
        gains.append(roc_auc_score(y[rows], new[rows]) - roc_auc_score(y[rows], old[rows]))
    config = loop_config(gate={"metric": "roc_auc", "resamples": 3_000})
    result = compare(scores("a", old), scores("b", new), y, config)
    assert result.lower == pytest.approx(np.quantile(gains, 0.05), abs=0.006)
    assert result.upper == pytest.approx(np.quantile(gains, 0.95), abs=0.006)


def test_many_rows_in_units_give_the_same_interval() -> None:
    odds, y = world(60_000)
    label = loop_config().label
    whole = statistic_of("log_loss", label, y, blurred(odds, 1.0, 1), blurred(odds, 0.9, 2))
    draws = paired_resamples(whole, 300, 0)
    loss = whole.rows[:, 1] - whole.rows[:, 2]
    gain = draws[:, 0] - draws[:, 1]
    assert gain.mean() == pytest.approx(loss.mean(), abs=3e-4)
    assert gain.std() == pytest.approx(loss.std() / np.sqrt(60_000), rel=0.15)


def test_the_same_inputs_give_the_same_verdict() -> None:
    config = loop_config(gate={"resamples": 200})
    assert gate(config, (1.0, 0.9)).to_json() == gate(config, (1.0, 0.9)).to_json()


def test_a_minimum_improvement_is_demanded() -> None:
    assert gate(loop_config(gate={"resamples": 200}), (1.0, 0.1)).outcome == "promote"
    strict = loop_config(gate={"resamples": 200, "min_improvement": 0.5})
    assert gate(strict, (1.0, 0.1)).outcome == "refuse"


def segmented(margin: float = 0.05, min_rows: int = 100) -> GateResult:
    """Better over all, much worse where c is s0; s9 has but 20 rows."""
    odds, y = world(4_000)
    names = np.array(["s0"] * 400 + ["s1"] * 3_580 + ["s9"] * 20, dtype=object)
    old, new = blurred(odds, 1.5, 1), blurred(odds, 0.2, 2)
    new[:400] = 1 - new[:400]
    new[-20:] = 1 - new[-20:]
    config = loop_config(
        gate={"resamples": 300, "segment_margin": margin, "segment_min_rows": min_rows}
    )
    return compare(scores("old", old), scores("new", new), y, config, {"c": names})


def test_a_segment_that_gets_clearly_worse_stops_the_candidate() -> None:
    result = segmented()
    assert result.lower > 0
    assert result.outcome == "refuse"
    assert result.rule == "a segment is clearly worse"
    assert "c s0" in result.reason
    assert [s.verdict for s in result.segments] == ["clearly worse", "ok", "shown only"]


def test_a_wide_margin_lets_it_pass() -> None:
    assert segmented(margin=5.0).outcome == "promote"


def test_many_harmless_segments_do_not_stop_a_candidate() -> None:
    odds, y = world(20_000)
    old, new = blurred(odds, 1.0, 1), blurred(odds, 0.8, 2)
    names = np.arange(20_000) % 180
    config = loop_config(gate={"resamples": 200})
    result = compare(scores("old", old), scores("new", new), y, config, {"c": names})
    assert result.outcome == "promote", result.reason
    assert sum(s.improvement < 0 for s in result.segments) > 15


def test_rows_without_a_segment_are_in_none() -> None:
    odds, y = world(1_000)
    names = np.array([None, "k"] * 500, dtype=object)
    config = loop_config(gate={"resamples": 200})
    result = compare(
        scores("a", blurred(odds, 1, 1)), scores("b", blurred(odds, 1, 2)), y, config, {"c": names}
    )
    assert [(s.value, s.rows) for s in result.segments] == [("k", 500)]


def test_a_model_is_not_compared_with_itself_or_on_other_rows() -> None:
    odds, y = world(300)
    one = scores("same", blurred(odds, 1, 1))
    with pytest.raises(GateError, match="one model"):
        compare(one, one, y, loop_config())
    with pytest.raises(GateError, match="scored on rows"):
        compare(one, replace(one, model_digest="b", evaluation_digest="other"), y, loop_config())
    with pytest.raises(GateError, match="300 scores for 299 labels"):
        compare(one, replace(one, model_digest="b"), y[1:], loop_config())
    with pytest.raises(GateError, match="1 of 300 evaluation rows have no usable label"):
        compare(one, replace(one, model_digest="b"), np.append(y[1:], np.nan), loop_config())


def test_the_first_model_is_promoted_by_rule() -> None:
    odds, y = world(50)
    result = compare(None, scores("first", blurred(odds, 1, 1), version="1"), y, loop_config())
    assert (result.outcome, result.rule) == ("promote", "no champion")
    assert result.champion_digest is None
    assert "log loss" in result.reason


@pytest.mark.parametrize("first", [True, False])
def test_a_model_that_answers_nan_is_refused(first: bool) -> None:
    odds, y = world(300)
    broken = blurred(odds, 0.1, 1)
    broken[3] = np.nan
    champion = None if first else scores("old", blurred(odds, 3, 2))
    result = compare(champion, scores("new", broken), y, loop_config(gate={"resamples": 100}))
    assert result.outcome == "refuse"
    assert "no score for 1 of 300" in result.reason


@pytest.mark.parametrize("n", [0, 1, 150])
def test_too_few_rows_decide_nothing(n: int) -> None:
    result = gate(loop_config(gate={"resamples": 100}), (3.0, 0.1), n)
    assert result.outcome == "refuse"
    assert f"only {n} fresh rows" in result.reason


def test_an_undefined_metric_never_promotes() -> None:
    odds, _ = world(300)
    config = loop_config(gate={"metric": "roc_auc", "resamples": 100})
    old, new = scores("a", blurred(odds, 3, 1)), scores("b", blurred(odds, 1, 2))
    result = compare(old, new, np.ones(300), config)
    assert result.outcome == "refuse"
    assert "not defined" in result.reason


def test_the_reason_is_in_words_and_numbers() -> None:
    result = gate(loop_config(gate={"resamples": 300}), (2.0, 0.1))
    assert result.reason.startswith("log loss 0.")
    assert "95% lower bound" in result.reason
    assert result.reason.endswith("on 2,000 rows; no segment clearly worse")
    assert result.numbers["candidate_log_loss"] == pytest.approx(result.candidate["log_loss"])


def test_json_has_null_for_the_unknown() -> None:
    odds, y = world(50)
    text = compare(None, scores("first", blurred(odds, 1, 1)), y, loop_config()).to_json()
    assert json.loads(text)["lower"] is None


def test_evaluation_digests_follow_rows_and_labels() -> None:
    one = evaluation_digest(["a", "b"], [0, 1])
    assert one == evaluation_digest(np.array(["a", "b"]), np.array([0, 1]))
    assert (
        len({one, evaluation_digest(["b", "a"], [0, 1]), evaluation_digest(["a", "b"], [1, 1])})
        == 3
    )
