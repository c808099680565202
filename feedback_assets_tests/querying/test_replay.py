"""Replays on made-up histories where it is known which labels teach."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.review import Review
from feedback_assets.config.schema import Config
from feedback_assets.errors import TrainingError
from feedback_assets.querying import replay as replays
from feedback_assets.querying.advice import AS_CONFIGURED, advice, budgets_up_to, ways_of
from feedback_assets.querying.history import History
from feedback_assets.querying.needed import crossing, needed
from feedback_assets.querying.replay import Curve, Plan, replay

LOOP = {
    "name": "tiny", "title": "tiny", "owners": ["team:a"], "kpi": {"name": "good"},
    "columns": {"numeric": ["a", "b"], "categorical": ["c"]},
    "label": {"kind": "binary"}, "partitions": {"start": "2024-01-01"},
    "model": {"estimator": "linear"},
}  # fmt: skip
PLAN = Plan((30, 60, 120), seeds=2, candidates=400)


def history(kind: str = "binary", rows: int = 900) -> History:
    """Nine rows of ten are plain; what decides is learned at the few near the border."""
    rng = np.random.default_rng(0)
    a = np.where(rng.random(rows) < 0.9, rng.choice([-4.0, 4.0], rows), rng.normal(size=rows))
    b = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(rows)],
            "a": a,
            "b": b,
            "c": rng.choice(list("xy"), rows),
        }
    )
    signal = a + b + 0.3 * rng.normal(size=rows)
    label = {
        "binary": pd.Series((signal > 0).astype(int)),
        "multiclass": pd.Series(np.where(signal > 1, "high", np.where(signal < -1, "low", "mid"))),
        "regression": pd.Series(signal),
    }[kind]
    classes = ["low", "mid", "high"] if kind == "multiclass" else []
    config = Config.model_validate({**LOOP, "label": {"kind": kind, "classes": classes}})
    return History.of(config, frame, label, pd.Series(np.arange(rows) // 20))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_curves_fall_and_begin_alike(kind: str) -> None:
    curves = replay(history(kind), {"diverse": Review(mix={"diversity": 1.0})}, PLAN)
    assert set(curves) == {"random", "diverse"}
    assert np.array_equal(curves["random"].losses[:, 0], curves["diverse"].losses[:, 0])
    assert curves["random"].mean[-1] < curves["random"].mean[0]


def test_the_same_replay_twice_is_the_same() -> None:
    ways = {"unsure": Review(mix={"entropy": 1.0})}
    one, other = (replay(history(), ways, PLAN)["unsure"].losses for _ in range(2))
    assert np.array_equal(one, other)


def test_asking_where_the_border_is_beats_chance() -> None:
    ways = {"unsure": Review(mix={"entropy": 1.0}, audit_share=0.2)}
    curves = replay(history(rows=2_000), ways, Plan((30, 60, 120, 240), 3))
    found = needed(curves["unsure"], curves["random"])
    assert found.share < 0.95
    assert found.worse < -2


def test_rows_that_judge_are_whole_groups_and_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    past, asked = history(), []
    fitted = History.fitted

    def seen(self: History, rows: np.ndarray, weights: object = None) -> object:
        asked.append(rows)
        return fitted(self, rows, weights)

    monkeypatch.setattr(History, "fitted", seen)
    replay(past, {}, Plan((30, 60), seeds=1))
    pool, judges = past.divided(0.3, 0)
    assert not set(past.group[pool]) & set(past.group[judges])
    assert all(set(rows) <= set(pool) and len(set(rows)) == len(rows) for rows in asked)
    assert [len(rows) for rows in asked] == [30, 60]


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_asked_rows_weigh_what_the_pool_would_let_them(
    monkeypatch: pytest.MonkeyPatch, power: float
) -> None:
    past, seen = history(), []
    pool = past.config.pool.model_copy(update={"asked_power": power})
    past = dataclasses.replace(past, config=past.config.model_copy(update={"pool": pool}))
    fitted, chosen = History.fitted, replays.choose
    chances: list[np.ndarray] = []

    def trained(self: History, rows: np.ndarray, weights: np.ndarray | None = None) -> object:
        seen.append(weights)
        return fitted(self, rows, weights)

    def drawn(*given: object) -> object:
        found = chosen(*given)  # type: ignore[arg-type]
        chances.append(found.probability)
        return found

    monkeypatch.setattr(History, "fitted", trained)
    monkeypatch.setattr(replays, "choose", drawn)
    replay(past, {"unsure": Review(mix={"entropy": 1.0})}, Plan((30, 60), seeds=1, candidates=400))
    random, last = seen[-2:]
    assert random is None
    if power == 0:
        assert last is None
        return
    assert last == pytest.approx(
        np.append(np.ones(30), chances[0] ** -power / np.mean(chances[0] ** -power))
    )


def test_strange_labels_are_named() -> None:
    past = history()
    config = past.config.model_copy(
        update={
            "label": past.config.label.model_copy(
                update={"kind": "multiclass", "classes": ["u", "v"]}
            )
        }
    )
    with pytest.raises(TrainingError, match="label w is none of"):
        History.of(config, past.frame, pd.Series(["u"] * 899 + ["w"]), pd.Series(range(900)))


def curve(name: str, losses: list[list[float]]) -> Curve:
    return Curve(name, np.array([100, 200, 400]), np.array(losses))


def test_half_the_labels_are_told_as_half() -> None:
    random = curve("random", [[0.6, 0.5, 0.4], [0.62, 0.52, 0.42]])
    better = curve("better", [[0.6, 0.4, 0.3], [0.62, 0.42, 0.3]])
    found = needed(better, random)
    assert found.labels == pytest.approx(200)
    assert found.share == pytest.approx(0.5)
    assert found.low <= found.labels <= found.high
    assert found.worse < -2


def test_a_way_that_never_gets_there_needs_more_than_all() -> None:
    random = curve("random", [[0.6, 0.5, 0.4], [0.62, 0.52, 0.42]])
    worse = curve("worse", [[0.6, 0.55, 0.5], [0.62, 0.57, 0.5]])
    found = needed(worse, random)
    assert found.labels == np.inf
    assert found.worse > 2


def test_a_bump_upwards_is_smoothed() -> None:
    assert crossing(np.array([10, 20, 40, 80]), np.array([1, 0.4, 0.6, 0.5]), 0.5) == pytest.approx(
        20
    )


def test_advice_names_the_best_way_and_when_it_is_enough() -> None:
    random = curve("random", [[0.6, 0.5, 0.4], [0.62, 0.52, 0.42]])
    better = curve("better", [[0.6, 0.4, 0.39], [0.62, 0.42, 0.40]])
    config = history().config
    found = advice(config, {"random": random, "better": better}, 900)
    assert found.best.name == "better"
    assert found.enough == 200
    assert found.words.startswith("better: 200 labels gave what 400 random ones would")
    equal = advice(config, {"random": random, "same": curve("same", random.losses.tolist())}, 900)
    assert equal.words.startswith("No way of asking beat random rows")


def test_ways_suit_the_label() -> None:
    assert set(ways_of(history("binary").config)) == {
        AS_CONFIGURED, "entropy", "committee", "density", "diversity",
    }  # fmt: skip
    assert "margin" in ways_of(history("multiclass").config)
    assert "entropy" not in ways_of(history("regression").config)


@pytest.mark.parametrize(("most", "fewest"), [(3000, 200), (80, 20), (370, 30)])
def test_budgets_grow_from_the_first_to_the_last(most: int, fewest: int) -> None:
    found = budgets_up_to(most, fewest)
    assert (found[0], found[-1]) == (fewest, most)
    assert all(a < b for a, b in itertools.pairwise(found))
