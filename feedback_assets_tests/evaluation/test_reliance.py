"""Importance and ablation: what is used, what is worth something, what stands in."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from feedback_assets.errors import TrainingError
from feedback_assets.evaluation.reliance import (
    ablation,
    feature_groups,
    importance,
    typical_values,
)
from feedback_assets.evaluation.scenarios import kinds_of
from feedback_assets.evaluation.side import Side, Sides, mean_loss
from feedback_assets.training.fit import train
from feedback_assets.training.onnx_model import OnnxModel
from feedback_assets_tests.evaluation.examples import Stated, config, rows, trained

FRAME = rows(1_500, seed=8)
Y = FRAME["label"].to_numpy(float)


def both() -> Sides:
    return {
        "champion": Side.of(trained("binary", 60), FRAME),
        "candidate": Side.of(trained("binary", 800, 2), FRAME),
    }


def good(sides: Sides) -> dict[str, float]:
    return {name: mean_loss(config(), Y, side.values) for name, side in sides.items()}


def test_what_tells_more_is_more_important() -> None:
    sides = both()
    groups = feature_groups(config(), kinds_of(sides))
    found = importance(config(), FRAME, Y, sides, good(sides), groups)
    assert [e["group"] for e in found][:2] == ["x", "z"]
    by_name = {e["group"]: e for e in found}
    assert by_name["x"]["candidate"] > 5 * by_name["c"]["candidate"] > 0
    assert abs(by_name["noise"]["candidate"]) < 0.01
    assert by_name["x"]["candidate_sd"] > 0
    assert by_name["x"]["champion"] is not None


def test_the_leak_of_the_label_is_what_the_model_relies_on() -> None:
    """A feature that knows the answer carries nearly all that the features together are worth."""
    own = rows(800, seed=2)
    leak = lambda f: f.assign(noise=f["label"] + np.random.default_rng(0).normal(0, 0.05, len(f)))  # noqa: E731
    model = train(leak(own), own["label"], config()).model
    frame = leak(FRAME)
    sides: Sides = {"candidate": Side.of(model, frame)}
    base = {"candidate": mean_loss(config(), Y, sides["candidate"].values)}
    kinds = kinds_of(sides)
    found = importance(config(), frame, Y, sides, base, feature_groups(config(), kinds))
    whole = importance(config(), frame, Y, sides, base, {"all": list(kinds)})[0]
    assert found[0]["group"] == "noise"
    assert found[0]["candidate"] > 0.8 * whole["candidate"]


def test_groups_move_together_and_the_others_stay_alone() -> None:
    grouped = config(evaluation={"groups": {"signals": ["x", "z"]}})
    sides = both()
    groups = feature_groups(grouped, kinds_of(sides))
    assert groups == {"signals": ["x", "z"], "noise": ["noise"], "c": ["c"]}
    found = importance(grouped, FRAME, Y, sides, good(sides), groups)
    assert found[0]["group"] == "signals"
    assert found[0]["features"] == ["x", "z"]


def test_a_model_does_not_need_what_it_does_not_read() -> None:
    frame = pd.DataFrame({"s": [0.1, 0.9, 0.2, 0.8] * 25, "other": np.arange(100.0)})
    y = np.array([0.0, 1.0] * 50)
    old, new = Stated(), Stated(names=["s", "other"])
    sides: Sides = {"champion": Side.of(old, frame), "candidate": Side.of(new, frame)}  # type: ignore[arg-type]
    base = {name: mean_loss(config(), y, side.values) for name, side in sides.items()}
    found = importance(config(), frame, y, sides, base, feature_groups(config(), kinds_of(sides)))
    other = next(e for e in found if e["group"] == "other")
    assert (other["champion"], other["champion_sd"]) == (0, 0)
    assert next(e for e in found if e["group"] == "s")["champion"] > 0.1


def test_only_declared_groups_are_trained_without() -> None:
    asked: list[list[str]] = []

    def retrain(kept: Sequence[str]) -> OnnxModel:
        asked.append(list(kept))
        own = rows(800, seed=2)
        return train(own, own["label"], config(model={"features": list(kept)})).model

    made = config(evaluation={"groups": {"signals": ["x", "z"]}})
    sides = both()
    groups = feature_groups(made, kinds_of(sides))
    found = ablation(made, FRAME, Y, sides, good(sides), groups, retrain)
    assert asked == [["noise", "c"]]
    how = {e["group"]: e["how"] for e in found}
    assert how == {"signals": "retrained", "noise": "typical values", "c": "typical values"}
    assert found[0]["group"] == "signals"
    assert found[0]["candidate"] > 0.1


def test_what_stands_in_makes_a_feature_worth_less_than_it_is_important() -> None:
    """z is x again: shuffling x hurts, training without x does not."""
    twin = lambda f: f.assign(z=f["x"])  # noqa: E731
    own = rows(800, seed=2)

    def retrain(kept: Sequence[str]) -> OnnxModel:
        return train(twin(own), own["label"], config(model={"features": list(kept)})).model

    made, frame = config(evaluation={"groups": {"x": ["x"]}}), twin(FRAME)
    sides: Sides = {"candidate": Side.of(retrain(["x", "z", "noise", "c"]), frame)}
    base = {"candidate": mean_loss(config(), Y, sides["candidate"].values)}
    groups = {"x": ["x"]}
    used = importance(made, frame, Y, sides, base, groups)[0]["candidate"]
    worth = ablation(made, frame, Y, sides, base, groups, retrain)[0]["candidate"]
    assert used > 0.03
    assert abs(worth) < 0.005


def test_a_training_that_fails_is_not_known() -> None:
    def retrain(kept: Sequence[str]) -> OnnxModel:
        raise TrainingError("nothing to learn")

    made = config(evaluation={"groups": {"signals": ["x", "z"]}})
    sides = both()
    found = ablation(made, FRAME, Y, sides, good(sides), {"signals": ["x", "z"]}, retrain)
    assert np.isnan(found[0]["candidate"])
    assert found[0]["champion"] > 0


@pytest.mark.parametrize(
    ("values", "typical"),
    [
        ([1.0, 2.0, np.nan, 9.0], 2.0),
        (["a", "b", "b", None], "b"),
        ([None, None], None),
    ],
)
def test_typical_values(values: list[object], typical: object) -> None:
    assert set(typical_values(pd.Series(values))) == {typical}
