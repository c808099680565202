"""Estimates for traffic of another mix, where the truth is constructed."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from feedback_assets.performance.estimate import Estimator
from feedback_assets.performance.metrics import evaluate
from feedback_assets.performance.shift import SAMPLE_ROWS, adjusted, held_sample, importance
from feedback_assets_tests.performance.worlds import expit, keys, regression
from feedback_assets_tests.promotion.loops import loop_config

CONFIG = loop_config()


def world(seed: int, n: int, share: float) -> pd.DataFrame:
    """Rows of c = u are positive more often than the score says; `share` of the rows are."""
    rng = np.random.default_rng(seed)
    c, x = np.where(rng.random(n) < share, "u", "v"), rng.normal(size=n)
    y = rng.random(n) < expit(x + np.where(c == "u", 1.2, -0.4))
    score = expit(x)
    return pd.DataFrame(
        {
            "prediction_id": [f"{seed}-{i}" for i in range(n)],
            "partition_key": keys(rng.integers(0, 10, n)),
            "x": x,
            "c": c,
            "score": score,
            "prediction": (score >= 0.5).astype(float),
            "label": y.astype(float),
        }
    )


def test_a_shifted_mix_needs_the_adjusted_estimate() -> None:
    hits: dict[str, list[bool]] = defaultdict(list)
    for seed in range(15):
        held, now = world(seed, 4000, 0.25), world(1000 + seed, 1000, 0.8)
        made = Estimator.fit(CONFIG, held)
        shifted = adjusted(made, held_sample(CONFIG, held), now, CONFIG)
        assert shifted.reason == ""
        assert 300 < shifted.effective_rows < 1300
        real = evaluate("binary", now["label"], now["score"], now["prediction"])
        for name, estimator in (("plain", made), ("adjusted", shifted.estimator)):
            found = estimator.estimate(now).metrics
            hits[name] += [found[m].low <= real[m] <= found[m].high for m in ("f1", "ece", "brier")]
    assert np.mean(hits["adjusted"]) > 0.85
    assert np.mean(hits["plain"]) < 0.6


def test_without_a_shift_it_is_the_plain_estimate() -> None:
    held, now = world(1, 4000, 0.25), world(2, 1000, 0.25)
    made = Estimator.fit(CONFIG, held)
    shifted = adjusted(made, held_sample(CONFIG, held), now, CONFIG)
    assert shifted.effective_rows > 0.9 * SAMPLE_ROWS
    assert shifted.uncovered < 0.1
    plain, other = made.estimate(now).metrics, shifted.estimator.estimate(now).metrics
    for metric, found in plain.items():
        assert abs(other[metric].value - found.value) < 0.5 * (found.high - found.low), metric


def test_weights_are_the_ratio_of_the_mixes() -> None:
    held, now = world(3, 2000, 0.25), world(4, 2000, 0.75)
    found = importance(held, now, CONFIG)
    by = pd.Series(found.values).groupby(held["c"]).mean()
    assert by["u"] == pytest.approx(3, rel=0.15)
    assert by["v"] == pytest.approx(1 / 3, rel=0.2)
    assert found.values.mean() == pytest.approx(1)


def test_rows_unlike_any_held_out_row_are_said() -> None:
    held, now = world(5, 2000, 0.25), world(6, 1000, 0.25)
    far = now.assign(x=now["x"] + 20, c="new")
    made = Estimator.fit(CONFIG, held)
    shifted = adjusted(made, held_sample(CONFIG, held), far, CONFIG)
    assert shifted.uncovered > 0.95
    assert shifted.estimator is None
    assert (
        shifted.reason == f"{shifted.uncovered:.0%} of the current rows are unlike any held-out one"
    )


def test_too_few_rows_and_an_empty_estimator_are_said() -> None:
    held, now = world(7, 2000, 0.25), world(8, 20, 0.25)
    made, sample = Estimator.fit(CONFIG, held), held_sample(CONFIG, held)
    assert adjusted(made, sample, now, CONFIG).reason == (
        "2000 held-out and 20 current rows, 30 needed of each"
    )
    nothing = Estimator.fit(CONFIG, held.head(3))
    assert adjusted(nothing, sample, held, CONFIG).reason == "3 held-out labels, 30 needed"


def test_ugly_columns_do_not_stop_it() -> None:
    rng = np.random.default_rng(9)
    held, now = world(9, 1000, 0.25), world(10, 500, 0.25)
    config = loop_config(columns={"numeric": ["x", "empty"], "text": ["t"]})
    for frame in (held, now):
        frame["empty"] = np.nan
        frame["t"] = np.where(rng.random(len(frame)) < 0.5, None, "some words")
        frame.loc[::7, "x"] = np.inf
        frame.loc[::5, "c"] = None
    found = adjusted(Estimator.fit(config, held), held_sample(config, held), now, config)
    assert found.reason == ""
    assert found.effective_rows > 800


def test_regression_is_corrected_where_the_errors_of_a_mix_are_larger() -> None:
    config, rng = loop_config("regression"), np.random.default_rng(0)

    def mixed(share: float) -> pd.DataFrame:
        rows = regression(rng, 3000)
        rows["c"] = np.where(rng.random(3000) < share, "u", "v")
        more = np.where(rows["c"] == "u", 2.0, 1.0)
        return rows.assign(label=rows["score"] + (rows["label"] - rows["score"]) * more)

    held, now = mixed(0.2), mixed(0.9)
    made = Estimator.fit(config, held)
    shifted = adjusted(made, held_sample(config, held), now, config)
    real = (now["label"] - now["score"]).abs().mean()
    found = shifted.estimator.estimate(now).metrics["mae"]
    assert found.low <= real <= found.high
    assert made.estimate(now).metrics["mae"].high < real


def test_the_sample_is_bounded_labelled_and_the_same_in_any_order() -> None:
    held = world(11, 5000, 0.5)
    held.loc[:999, "label"] = np.nan
    sample = held_sample(CONFIG, held)
    assert len(sample) == SAMPLE_ROWS
    assert sample["label"].notna().all()
    mixed = held_sample(CONFIG, held.sample(frac=1, random_state=1))
    assert set(mixed["prediction_id"]) == set(sample["prediction_id"])
    assert {"x", "c", "score", "prediction", "label", "partition_key"} <= set(sample)
