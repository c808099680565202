"""Realised metrics of answers of which only some can have a truth, and of labels still to come."""

import math

import numpy as np
import pandas as pd
import pytest

from feedback_assets.performance.intervals import interval
from feedback_assets.performance.maturity import Missing, at_maturity
from feedback_assets.performance.measure import measure
from feedback_assets.performance.periods import realised_rows
from feedback_assets.performance.sla import sla_rows
from feedback_assets_tests.performance.rows import CASES, answers, feedback
from feedback_assets_tests.promotion.loops import loop_config

DAY = "2024-01-10"


@pytest.mark.parametrize(("kind", "metric"), [case for case in CASES if case[1] != "ece"])
def test_an_answer_of_weight_three_counts_as_three(kind, metric) -> None:  # type: ignore[no-untyped-def]
    made = answers(kind, 300, 4)
    times = np.random.default_rng(1).integers(1, 4, 300)
    weighed = measure(metric, made_of(made, times.astype(float)))
    repeated = measure(metric, made.take(np.repeat(np.arange(300), times)))
    assert weighed.value == pytest.approx(repeated.value)


def made_of(made, weight):  # type: ignore[no-untyped-def]
    """The answers with weights."""
    from dataclasses import replace

    return replace(made, weight=weight)


def test_uneven_weights_widen_a_share_that_looks_perfect() -> None:
    made = answers("binary", 200, 1)
    right = made_of(made, np.ones(200)).take(made.predicted == made.y)
    uneven = made_of(right, np.where(np.arange(right.y.size) < 5, 40.0, 1.0))
    even, wide = (interval(measure("accuracy", x), 0.95) for x in (right, uneven))
    assert (even.value, wide.value) == (1, 1)
    assert wide.low < even.low - 0.1


def world(seed: int) -> tuple[pd.DataFrame, float]:
    """Labels of half of the answers, the less the surer of the positive class; the true log loss."""
    frame = feedback(10, 400, seed)
    rng = np.random.default_rng(seed)
    p = frame["score"].to_numpy()
    truth = (rng.random(p.size) < 0.3 + 0.6 * p).astype(float)
    loss = float(-np.mean(np.log(np.where(truth == 1, p, 1 - p))))
    chance = 0.9 - 0.75 * p
    known = rng.random(p.size) < chance
    frame = frame.assign(
        label=np.where(known, truth, np.nan),
        label_status=np.where(known, "accepted", "pending"),
        selection_weight=1 / chance,
    )
    return frame, loss


def window_loss(frame: pd.DataFrame) -> pd.Series:
    config = loop_config(performance={"window_days": 10})
    now = pd.Timestamp("2024-02-01", tz="UTC").to_pydatetime()
    rows = realised_rows(frame, [DAY], config, {}, None, now)
    rows = rows[
        (rows["period"] == "window") & (rows["segment"] == "") & (rows["model_version"] == "")
    ]
    return rows[rows["metric"] == "log_loss"].iloc[0]


def test_the_loss_on_all_answers_is_told_from_those_with_a_chance() -> None:
    errors, hidden, inside = [], [], 0
    for seed in range(20):
        frame, truth = world(seed)
        found = window_loss(frame)
        errors.append(found["value"] - truth)
        inside += found["low"] <= truth <= found["high"]
        hidden.append(window_loss(frame.drop(columns="selection_weight"))["value"] - truth)
    assert abs(np.mean(hidden)) > 0.02
    assert abs(np.mean(errors)) < 3 * np.std(errors) / math.sqrt(20)
    assert inside >= 17


def test_a_label_that_came_another_way_stands_for_nobody() -> None:
    frame, _ = world(1)
    labelled = int((frame["label_status"] == "accepted").sum())
    frame.loc[frame.index % 2 == 0, "selection_weight"] = 0.0
    assert window_loss(frame)["labels"] < 0.6 * labelled


def test_labels_still_to_come_carry_the_weights_of_their_kind() -> None:
    """Twice the labels of class 1 are missing: as if each known one counted double, and its weight."""
    made = answers("binary", 400, 2)
    group = made.y.astype(np.int64)
    weight = np.where(np.arange(400) % 2, 3.0, 1.0)
    ones = float(group.sum())
    from dataclasses import replace

    some = replace(made, group=group, weight=weight)
    missing = Missing(np.array([400 - ones, ones]), np.array([0.0, ones]), np.array([1e9, 1e9]))
    low, high = at_maturity(measure("log_loss", some), missing, 0.95)
    expected = measure("log_loss", made, weight * (1 + group)).value
    assert (low + high) / 2 == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("low", "high", "breached"),
    [(0.55, 0.7, True), (0.45, 0.7, None), (math.nan, math.nan, True), (0.3, 0.45, None)],
)
def test_a_promise_is_missed_only_if_the_labels_still_to_come_cannot_save_it(
    low: float, high: float, breached: bool | None
) -> None:
    config = loop_config(
        performance={"sla": [{"metric": "log_loss", "target": 0.5, "checks": 1}]},
    )
    history = pd.DataFrame(
        {
            "partition_key": [DAY], "metric": ["log_loss"], "period": ["day"], "value": [0.6],
            "low_mature": [low], "high_mature": [high],
        }
    )  # fmt: skip
    got = sla_rows(history, config)
    assert got["breached"].isna()[0] if breached is None else got["breached"][0] == breached
    assert got["broken"][0] == (breached is True)
