import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from feedback_assets.config.inference.leaks import leaks, moves_with_clock, roc_auc


def test_auc_agrees_with_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 500).astype(float), rng.integers(0, 9, 500).astype(float)
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_a_column_that_is_the_label_in_other_words_leaks(events):
    events["result"] = np.where(events["label"] == 1, "stopped", "went on")
    found = leaks(events, ["signal", "colour", "result"], "label", "binary")
    assert found == {"result": "tells the label almost alone (AUC 1.000)"}


def test_a_label_hidden_in_a_middle_range_leaks(events):
    rng = np.random.default_rng(1)
    events["odd"] = np.where(
        events["label"] == 1, rng.uniform(4, 5, 2000), rng.choice([1, 9], 2000)
    )
    assert "odd" in leaks(events, ["odd"], "label", "binary")


def test_a_good_feature_does_not_leak(events):
    events["good"] = events["label"] + np.random.default_rng(1).normal(0, 0.8, 2000)
    assert leaks(events, ["good", "signal"], "label", "binary") == {}


def test_a_column_that_is_empty_exactly_where_the_label_is_leaks(events):
    unknown = np.arange(2000) % 20 == 0
    events["label"] = events["label"].where(~unknown)
    events["duration"] = np.where(unknown, np.nan, events["signal"] ** 2)
    events["sparse"] = np.where(np.arange(2000) % 7 == 0, np.nan, 1.5 * events["signal"])
    found = leaks(events, ["duration", "sparse"], "label", "binary")
    assert list(found) == ["duration"]


def test_a_value_under_which_no_label_ever_comes_leaks(events):
    unknown = np.arange(2000) % 20 == 0
    events["label"] = events["label"].where(~unknown)
    events["cancelled"] = unknown
    found = leaks(events, ["cancelled", "colour"], "label", "binary")
    assert found == {
        "cancelled": "is True only where there never was a label: known only afterwards"
    }


def test_parts_of_a_sum_leak_together():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({c: rng.poisson(50, 2000).astype(float) for c in ("a", "b", "c", "other")})
    frame["label"] = frame["a"] + 2 * frame["b"] - frame["c"]
    found = leaks(frame, ["a", "b", "c", "other"], "label", "regression")
    assert set(found) == {"a", "b", "c"}
    assert found["a"] == "label is a weighted sum of a and b and c"


def test_a_copy_of_the_label_does_not_hide_the_parts():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({c: rng.poisson(50, 500).astype(float) for c in ("a", "b", "other")})
    frame["label"] = frame["a"] + frame["b"]
    frame["twice"] = 2 * frame["label"]
    assert set(leaks(frame, ["a", "b", "other", "twice"], "label", "regression")) == {
        "a", "b", "twice",
    }  # fmt: skip


def test_a_monotone_function_of_a_number_leaks():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"label": rng.gamma(2, 3, 1000), "x": rng.normal(size=1000)})
    frame["log"] = np.log(frame["label"])
    assert list(leaks(frame, ["x", "log"], "label", "regression")) == ["log"]


def test_classes_told_by_another_column_leak():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"label": rng.choice(["a", "b", "c"], 900), "x": rng.normal(size=900)})
    frame["code"] = frame["label"].map({"a": 7, "b": 8, "c": 9})
    assert list(leaks(frame, ["x", "code"], "label", "multiclass")) == ["code"]


def test_the_clock_is_told_from_what_comes_back():
    day = pd.Series(np.arange(800) // 10)
    assert moves_with_clock(day)
    assert moves_with_clock((day > 40).map({True: "new", False: "old"}))
    assert not moves_with_clock(day % 7)
    assert not moves_with_clock(pd.Series(np.random.default_rng(0).normal(size=800)) + day / 800)
