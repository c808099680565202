"""Champion and candidate on the same rows become evidence that may be looked at any time."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.errors import GateError
from feedback_assets.promotion.paired import (
    Paired,
    loss_cap,
    needed_gain,
    paired,
    paired_metric,
    row_losses,
)
from feedback_assets_tests.promotion.loops import loop_config

Array = np.ndarray[Any, Any]


def hits(n: int, gain: float, seed: int = 0, disagree: float = 0.1) -> tuple[Array, Array]:
    """Errors of two models [n], the candidate's rarer by `gain`."""
    u = np.random.default_rng(seed).random(n)
    return (u < (disagree + gain) / 2) * 1.0, (u > 1 - (disagree - gain) / 2) * 1.0


def by_rows(**decide: Any) -> Any:
    return loop_config(gate={"metric": "accuracy"}, decide={"unit": "row", **decide})


def evidence(n: int, gain: float, seed: int = 0, **decide: Any) -> Paired:
    return paired(by_rows(**decide), *hits(n, gain, seed), cap=1.0, scale=0.2)


@pytest.mark.parametrize(
    ("kind", "metric", "judged"),
    [
        ("binary", None, "log_loss"), ("binary", "roc_auc", "brier"), ("binary", "f1", "brier"),
        ("binary", "accuracy", "accuracy"), ("multiclass", "roc_auc", "log_loss"),
        ("regression", None, "mae"), ("regression", "r2", "rmse"), ("regression", "rmse", "rmse"),
    ],
)  # fmt: skip
def test_every_metric_is_judged_by_a_loss_that_each_row_has(kind, metric, judged) -> None:
    assert paired_metric(loop_config(kind, gate={"metric": metric})) == judged


def test_the_cap_is_known_from_labels_alone() -> None:
    rare = np.array([1] * 5 + [0] * 95)
    assert loss_cap(loop_config(), rare) == pytest.approx(math.log(10 / 0.05))
    assert loss_cap(loop_config(gate={"metric": "brier"}), []) == 1
    assert loss_cap(loop_config("multiclass", gate={"metric": "brier"}), []) == 2
    assert loss_cap(loop_config("multiclass"), ["a", "b", "b", "c"]) == pytest.approx(math.log(40))
    spread = np.append(np.arange(1001.0), 1e9)
    assert 900 < loss_cap(loop_config("regression"), spread) < 1_100
    assert loss_cap(loop_config(decide={"max_loss": 0.7}), []) == 0.7
    with pytest.raises(GateError, match=r"decide\.max_loss"):
        loss_cap(loop_config(), [])
    with pytest.raises(GateError, match=r"decide\.max_loss"):
        loss_cap(loop_config("regression"), [3.0, 3.0])


def test_a_row_loses_at_most_the_cap_and_all_of_it_without_a_score() -> None:
    found = row_losses(loop_config(), pd.Series([1, 0, 1]), [0.5, 1.0, math.nan], 2.0)
    assert found == pytest.approx([math.log(2), 2.0, 2.0])
    classes = row_losses(
        loop_config("multiclass"), ["a", "c"], [[0.5, 0.3, 0.2], [math.nan, 0.5, 0.5]], 3.0
    )
    assert classes == pytest.approx([math.log(2), 3.0])
    assert row_losses(loop_config("regression"), [3.0], [1.0], 9.0) == pytest.approx([2.0])


def test_what_cannot_be_paired_is_refused() -> None:
    config = by_rows()
    with pytest.raises(GateError, match="label"):
        row_losses(config, [1, None], [0.1, 0.2], 1.0)
    with pytest.raises(GateError, match="2 scores for 1 labels"):
        row_losses(config, [1], [0.1, 0.2], 1.0)
    with pytest.raises(GateError, match="no pairs"):
        paired(config, np.zeros(2), np.zeros(3), cap=1.0, scale=0.2)
    with pytest.raises(GateError, match="between 0 and the cap"):
        paired(config, np.zeros(2), np.array([0.0, 2.0]), cap=1.0, scale=0.2)
    with pytest.raises(GateError, match="expected loss"):
        paired(config, np.zeros(2), np.zeros(2), cap=1.0, scale=math.nan)
    with pytest.raises(GateError, match=r"decide\.unit is day"):
        paired(by_rows(unit="day"), np.zeros(2), np.zeros(2), cap=1.0, scale=0.2)


def test_what_must_be_gained_is_in_the_loss_of_a_row() -> None:
    assert needed_gain(by_rows(), 0.2) == 0
    asked = {"gate": {"metric": "accuracy", "min_improvement": 0.01}}
    assert needed_gain(loop_config(**asked), 0.2) == 0.01
    rmse = loop_config("regression", gate={"metric": "rmse", "min_improvement": 1.0})
    assert needed_gain(rmse, 16.0) == pytest.approx(16 - 9)
    at_once = {"gate": {"metric": "roc_auc", "min_improvement": 0.01}, "rollout": {"stages": []}}
    assert needed_gain(loop_config(**at_once), 0.2) == 0


def test_a_better_candidate_is_proven_better_and_safe_and_not_worse() -> None:
    found = evidence(6_000, 0.02)
    assert found.log_better > 3
    assert found.log_safe > found.log_better
    assert found.log_worse < 0
    assert 0 < found.lower < found.gain < found.upper
    assert found.gain == pytest.approx(found.champion_loss - found.candidate_loss)
    turned = paired(by_rows(), *reversed(hits(6_000, 0.02)), cap=1.0, scale=0.2)
    assert turned.log_worse > 3 > 0 > turned.log_better
    assert turned.upper == pytest.approx(-found.lower)


def test_an_improvement_that_is_asked_for_must_be_proven() -> None:
    asked = loop_config(
        gate={"metric": "accuracy", "min_improvement": 0.02}, decide={"unit": "row"}
    )
    assert paired(asked, *hits(6_000, 0.02), cap=1.0, scale=0.2).log_better < 1


def test_the_path_ends_now_and_never_knew_what_came_later() -> None:
    champion, candidate = hits(5_000, 0.01)
    whole = paired(by_rows(), champion, candidate, cap=1.0, scale=0.2)
    assert len(whole.points) == 200
    assert whole.points[-1].log_better == whole.log_better
    assert [p.labels for p in whole.points] == sorted({p.labels for p in whole.points})
    at = whole.points[90]
    cut = paired(by_rows(), champion[: at.labels], candidate[: at.labels], cap=1.0, scale=0.2)
    for name in ("gain", "log_better", "log_safe", "log_worse"):
        assert getattr(cut, name) == pytest.approx(getattr(at, name)), name
    assert cut.lower == pytest.approx(at.lower, abs=0.003)


def test_no_label_and_one_label_say_nothing() -> None:
    none = evidence(0, 0.0)
    assert (none.labels, none.log_better, none.lower, none.upper) == (0, 0, -1, 1)
    assert math.isnan(none.gain)
    one = evidence(1, 0.0)
    assert one.labels == 1
    assert math.isnan(one.error)
    assert (one.lower, one.upper) == (-1, 1)


def test_it_can_be_kept_as_json() -> None:
    for found in (evidence(300, 0.02), evidence(0, 0.0)):
        text = json.dumps(found.to_dict(), allow_nan=False)
        assert Paired.from_dict(json.loads(text)).to_dict() == found.to_dict()


def test_the_newest_day_is_counted_and_not_bet_on() -> None:
    champion, candidate = hits(3_000, 0.03)
    days = np.array([f"2024-01-{1 + i // 150:02d}" for i in range(3_000)])
    config = by_rows(unit="day")
    whole = paired(config, champion, candidate, cap=1.0, scale=0.2, days=days)
    assert (whole.labels, whole.days) == (3_000, 19)
    assert whole.log_better > 3
    growing = paired(
        config, champion[:2_900], candidate[:2_900], cap=1.0, scale=0.2, days=days[:2_900]
    )
    assert growing.log_better == whole.log_better
    alone = paired(config, champion[:150], candidate[:150], cap=1.0, scale=0.2, days=days[:150])
    assert (alone.labels, alone.days, alone.log_better) == (150, 0, 0)
    assert alone.champion_loss == champion[:150].mean()


def test_independent_days_tell_nearly_as_much_as_their_rows() -> None:
    by_day = paired(
        by_rows(unit="day"), *hits(9_000, 0.03), cap=1.0, scale=0.2, days=np.arange(9_000) // 100
    )
    by_row = evidence(9_000, 0.03)
    assert by_day.lower < 0.03 < by_day.upper
    assert by_day.upper - by_day.lower < 1.5 * (by_row.upper - by_row.lower)
    assert by_day.error == pytest.approx(by_row.error, rel=0.3)


def test_a_day_whose_labels_come_in_parts_is_one_bet() -> None:
    champion, candidate = hits(1_200, 0.03)
    days = np.arange(1_200) // 100
    order = np.argsort((days + np.random.default_rng(0).integers(0, 2, 1_200)) * 10_000 + days)
    config = by_rows(unit="day")
    whole = paired(config, champion, candidate, cap=1.0, scale=0.2, days=days)
    mixed = paired(config, champion[order], candidate[order], cap=1.0, scale=0.2, days=days[order])
    assert mixed.days == whole.days == 11
    assert mixed.log_better == pytest.approx(whole.log_better)
    assert mixed.points[-1].labels == whole.points[-1].labels == 1_100


@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from(["row", "day"]))
@settings(max_examples=40, deadline=None)
def test_whatever_the_losses_the_numbers_hang_together(seed: int, n: int, unit: str) -> None:
    rng = np.random.default_rng(seed)
    champion, candidate = rng.random(n) ** 3, rng.random(n)
    found = paired(
        by_rows(unit=unit), champion, candidate, cap=1.0, scale=0.3, days=rng.integers(0, 9, n)
    )
    assert -1 <= found.lower <= found.upper <= 1
    assert found.lower <= found.gain <= found.upper
    assert found.log_safe >= found.log_better - 1e-9 or unit == "day"
    json.dumps(found.to_dict(), allow_nan=False)
