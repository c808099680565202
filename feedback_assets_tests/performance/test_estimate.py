"""The estimator as a whole: what it keeps, what it says when it knows nothing, and real rows."""

import json

import numpy as np
import pandas as pd
import pytest

from feedback_assets.performance.estimate import Estimator, estimate_together
from feedback_assets.performance.metrics import evaluate, losses
from feedback_assets.performance.track import track_record
from feedback_assets_tests.performance.worlds import binary, census, multiclass, regression
from feedback_assets_tests.promotion.loops import loop_config

WORTH = {"1": {"1": 3.0, "0": -2.0}, "0": {"1": -1.0}}
WORLDS = {"binary": binary, "multiclass": multiclass, "regression": regression}


@pytest.mark.parametrize("kind", list(WORLDS))
def test_json_and_back_estimates_the_same_in_few_bytes(kind: str) -> None:
    config = loop_config(kind)
    held, rows = (WORLDS[kind](np.random.default_rng(seed), 1000) for seed in (0, 1))
    made = Estimator.fit(config, held)
    text = made.to_json()
    back = Estimator.from_json(text, config)
    assert len(text) < 20_000
    assert made.rows == back.rows == 1000
    for name, found in made.estimate(rows).metrics.items():
        assert back.estimate(rows).metrics[name] == pytest.approx(found, nan_ok=True)
    assert np.array_equal(back.expected_loss(rows), made.expected_loss(rows))


def test_a_file_of_another_label_knows_nothing() -> None:
    text = Estimator.fit(loop_config(), binary(np.random.default_rng(0), 500)).to_json()
    rows = regression(np.random.default_rng(1), 100)
    found = Estimator.from_json(text, loop_config("regression")).estimate(rows)
    assert not any(v.known for v in found.metrics.values())
    assert found.reasons["mae"] == "learned for another kind of label, or by other code"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held.head(12), "12 held-out labels, 30 needed"),
        (lambda held: held.assign(label=np.nan), "0 held-out labels, 30 needed"),
        (lambda held: held.assign(score=np.nan), "0 held-out labels, 30 needed"),
        (lambda held: held.assign(label=1.0), "the held-out rows are all of one class"),
        (lambda held: held.head(0), "0 held-out labels, 30 needed"),
    ],
)
def test_too_little_to_learn_from_is_said(change, said: str) -> None:
    rng = np.random.default_rng(0)
    made = Estimator.fit(loop_config(), change(binary(rng, 400)))
    made = Estimator.from_json(made.to_json(), loop_config())
    found = made.estimate(binary(rng, 100))
    assert set(found.reasons.values()) == {said}
    assert np.isnan(made.expected_loss(binary(rng, 100))).all()


def test_too_few_answers_are_said_and_rows_without_a_score_do_not_count() -> None:
    rng = np.random.default_rng(0)
    made = Estimator.fit(loop_config(), binary(rng, 400))
    rows = binary(rng, 100)
    rows.loc[20:, "score"] = np.nan
    found = made.estimate(rows)
    assert found.rows == 20
    assert found.reasons["roc_auc"] == "20 answers, 30 needed"
    rows = pd.concat([binary(rng, 500), rows.tail(50)])
    assert made.estimate(rows).metrics == made.estimate(rows.head(500)).metrics
    assert np.isnan(made.expected_loss(rows)).sum() == 50


def test_regression_says_what_it_cannot_know() -> None:
    rng, config = np.random.default_rng(0), loop_config("regression")
    held = regression(rng, 400)
    found = Estimator.fit(config, held).estimate(regression(rng, 200))
    assert found.reasons["r2"] == "needs the spread of labels that are not known yet"
    assert found.reasons["mape"].startswith("needs the size of labels")
    assert found.reasons["mae"] == ""
    without = Estimator.fit(config, held.drop(columns="expected_error"))
    assert without.estimate(held).reasons["mae"] == "no model of the errors was made"


def test_value_by_matrix_by_columns_and_for_regression() -> None:
    rng = np.random.default_rng(0)
    held, rows = binary(rng, 2000), binary(rng, 500)
    by_matrix = loop_config(kpi={"values": WORTH})
    found = Estimator.fit(by_matrix, held).estimate(rows).metrics["value"]
    by_sql = loop_config(kpi={"expression": "score"})
    made = Estimator.fit(by_sql, held)
    assert made.estimate(rows).reasons["value"] == "what an answer was worth is not known"
    yes = rows["prediction"] == 1
    told = rows.assign(value_if_0=np.where(yes, -1.0, 0.0), value_if_1=np.where(yes, 3.0, -2.0))
    assert made.estimate(told).metrics["value"] == pytest.approx(found)
    told.loc[0, "value_if_1"] = np.nan
    assert not made.estimate(told).metrics["value"].known
    numbers = loop_config("regression", kpi={"expression": "-abs(label - score)"})
    held = regression(rng, 2000)
    held["value"] = -(held["label"] - held["score"]).abs()
    metrics = Estimator.fit(numbers, held).estimate(regression(rng, 500)).metrics
    assert metrics["value"].value == pytest.approx(-metrics["mae"].value)


@pytest.mark.parametrize("kind", list(WORLDS))
def test_rows_of_two_versions_that_are_alike_are_estimated_as_of_one(kind: str) -> None:
    rng = np.random.default_rng(0)
    made = Estimator.fit(loop_config(kind), WORLDS[kind](rng, 2000))
    rows = WORLDS[kind](rng, 600)
    one, two = made.estimate(rows), estimate_together([(made, rows[:200]), (made, rows[200:])])
    assert two.rows == 600
    for metric, found in one.metrics.items():
        assert two.metrics[metric].value == pytest.approx(found.value, rel=0.02, nan_ok=True)
        size = found.high - found.low
        assert two.metrics[metric].high - two.metrics[metric].low == pytest.approx(
            size, rel=0.2, nan_ok=True
        )


def test_each_version_is_read_by_its_own_calibrator() -> None:
    """Half of the answers come from a model whose scores are upside down."""
    rng = np.random.default_rng(0)
    parts, rows = [], []
    for turn in (False, True):
        held, now = binary(rng, 3000), binary(rng, 800)
        if turn:
            held, now = (
                f.assign(score=1 - f["score"], prediction=1 - f["prediction"]) for f in (held, now)
            )
        parts.append((Estimator.fit(loop_config(), held), now))
        rows.append(now)
    both = pd.concat(rows)
    real = evaluate("binary", both["label"], both["score"], both["prediction"])
    for metric, found in estimate_together(parts).metrics.items():
        assert found.low <= real[metric] <= found.high, metric
    nothing = Estimator(loop_config(), reason="no labels")
    told = estimate_together([parts[0], (nothing, rows[1])])
    assert told.reasons["roc_auc"] == "no labels"
    assert told.rows == 1600


@pytest.mark.parametrize("metric", ["log_loss", "brier", "accuracy"])
def test_the_expected_loss_is_the_estimate_row_by_row(metric: str) -> None:
    rng, config = np.random.default_rng(0), loop_config(gate={"metric": metric})
    made = Estimator.fit(config, binary(rng, 2000))
    rows = binary(rng, 20_000)
    each = made.expected_loss(rows)
    found = made.estimate(rows).metrics[metric].value
    assert made.loss_metric == metric
    assert (1 - each.mean() if metric == "accuracy" else each.mean()) == pytest.approx(found)
    real = losses("binary", metric, rows["label"], rows["score"].to_numpy())
    assert each.mean() == pytest.approx(real.mean(), rel=0.08)


def test_a_metric_that_is_no_mean_falls_back_to_one() -> None:
    assert Estimator(loop_config(gate={"metric": "roc_auc"})).loss_metric == "log_loss"
    assert Estimator(loop_config("regression")).loss_metric == "mae"


def inside(made: Estimator, rows: pd.DataFrame, size: int) -> pd.DataFrame:
    """One row a chunk: whether each realised metric lies within its estimate's interval."""
    hits = []
    for at in range(0, len(rows), size):
        part = rows.iloc[at : at + size]
        real = evaluate("binary", part["label"], part["score"], part["prediction"])
        found = made.estimate(part).metrics
        hits.append({m: v.low <= real[m] <= v.high for m, v in found.items() if m in real})
    return pd.DataFrame(hits)


@pytest.mark.parametrize("size", [100, 250, 500])
def test_real_answers_come_true_within_the_interval(size: int) -> None:
    """Calibrated on 2015, judged on 2016, which had no concept drift to speak of."""
    held, later = census()
    made = Estimator.from_json(Estimator.fit(loop_config(), held).to_json(), loop_config())
    share = inside(made, later, size).mean()
    assert len(share) == 6
    assert (share >= 0.9).all(), share


def test_real_answers_of_thousand_rows_miss_only_where_the_scores_were_wrong() -> None:
    """8 chunks; in the last the answers were luckier than any calibration says (z = 2.5)."""
    held, later = census()
    made = Estimator.fit(loop_config(), held)
    hits = inside(made, later, 1000)
    p = made.curves[0](later["score"].to_numpy())
    right = np.where(later["prediction"] == 1, p, 1 - p)
    gap = (later["label"] == later["prediction"]).to_numpy() - right
    z = gap.reshape(8, -1).sum(axis=1) / np.sqrt((right * (1 - right)).reshape(8, -1).sum(axis=1))
    assert hits.all(axis=1).to_numpy()[np.abs(z) < 2.3].mean() >= 0.9
    assert (np.abs(z) >= 2.3).sum() == 1
    assert hits.to_numpy().mean() >= 0.9


def test_concept_drift_is_not_seen_by_the_estimate_but_by_its_track_record() -> None:
    held, later = census()
    made = Estimator.fit(loop_config(), held)
    turned = later.assign(label=np.where(later["AGEP"] < 30, 1 - later["label"], later["label"]))
    estimates, real = [], []
    for at in range(0, 8000, 500):
        part = turned.iloc[at : at + 500]
        estimates.append(made.estimate(part).metrics["accuracy"]._asdict())
        real.append((part["label"] == part["prediction"]).mean())
    record = track_record(pd.DataFrame(estimates), real, 0.95)
    assert record.inside == 0
    assert record.holds is False
    assert record.mean_error < -0.1


def test_nothing_of_the_json_is_not_a_number() -> None:
    made = Estimator.fit(loop_config("multiclass"), multiclass(np.random.default_rng(0), 300))
    raw = json.loads(made.to_json())
    assert set(raw) == {"format", "kind", "curves", "spreads", "loss_curves", "rows", "reason"}
