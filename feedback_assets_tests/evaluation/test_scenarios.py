"""Bad days: what is touched, by how much, and that nothing else is."""

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.evaluation import Scenario
from feedback_assets.evaluation.scenarios import kinds_of, robustness, touched_columns, troubled
from feedback_assets.evaluation.side import Side, Sides, loss_on
from feedback_assets_tests.evaluation.examples import Stated, config, rows, trained

KINDS = {"x": "numeric", "z": "numeric", "c": "categorical", "t": "text"}
FRAME = rows(2_000, seed=3).assign(t="some words")


def play(kind: str, frame: pd.DataFrame = FRAME, **fields: object) -> pd.DataFrame:
    return troubled(frame, Scenario(name="s", kind=kind, **fields), KINDS, 7)  # type: ignore[arg-type]


def test_each_kind_touches_what_it_can() -> None:
    can = {
        kind: touched_columns(Scenario(name="s", kind=kind), KINDS)  # type: ignore[arg-type]
        for kind in ("missing", "extreme", "unseen", "shifted")
    }
    assert can == {
        "missing": ["x", "z", "c", "t"],
        "extreme": ["x", "z"],
        "unseen": ["c"],
        "shifted": ["x", "z", "c", "t"],
    }
    only = Scenario(name="s", kind="missing", columns=["z", "c"])
    assert touched_columns(only, KINDS) == ["z", "c"]
    bad = troubled(FRAME, only, KINDS, 7)
    assert bad[["z", "c"]].isna().all(axis=None)
    pd.testing.assert_frame_equal(bad.drop(columns=["z", "c"]), FRAME.drop(columns=["z", "c"]))


def test_a_share_of_each_columns_rows_is_touched_apart() -> None:
    bad = play("missing", share=0.1)
    hit = bad[list(KINDS)].isna()
    assert hit.mean().between(0.07, 0.13).all()
    assert 0.25 < hit.any(axis=1).mean() < 0.42  # four columns drawn apart: 1 - 0.9⁴
    kept = ~hit["x"]
    assert (bad.loc[kept, "x"] == FRAME.loc[kept, "x"]).all()


def test_extremes_lie_so_many_standard_deviations_off_to_both_sides() -> None:
    moved = (play("extreme", amount=5)["x"] - FRAME["x"]) / FRAME["x"].std(ddof=0)
    assert np.allclose(np.abs(moved), 5)
    assert 0.4 < (moved > 0).mean() < 0.6
    still = play("extreme", FRAME.assign(x=0.0))["x"]
    assert set(still) == {-5.0, 5.0}


def test_the_new_category_is_none_that_there_is() -> None:
    held = FRAME.assign(c=np.where(np.arange(len(FRAME)) % 2, "never seen", "never seen!"))
    new = set(play("unseen", held)["c"])
    assert len(new) == 1
    assert not new & set(held["c"])


def test_shifted_rows_are_whole_rows_of_a_day_earlier() -> None:
    bad = play("shifted", amount=1)
    day = 144  # rows ten minutes apart
    for column in ("x", "c"):
        assert (bad[column].to_numpy()[day:] == FRAME[column].to_numpy()[:-day]).all()
    pairs = set(zip(FRAME["x"], FRAME["c"], strict=True))
    assert set(zip(bad["x"], bad["c"], strict=True)) <= pairs
    assert (bad["label"] == FRAME["label"]).all()


def test_rows_of_one_moment_get_different_rows_of_the_other() -> None:
    """Hourly data: 50 rows an hour must not all get the first row of the hour before."""
    hourly = FRAME.assign(event_time=FRAME["event_time"].dt.floor("8h"))
    bad = play("shifted", hourly, amount=1)
    assert bad["x"].nunique() > 0.9 * len(bad)
    late = hourly["event_time"] == hourly["event_time"].iloc[200]
    day_before = hourly["event_time"] == hourly["event_time"].iloc[200] - pd.Timedelta(days=1)
    assert set(bad.loc[late, "x"]) == set(hourly.loc[day_before, "x"])


def test_a_column_may_be_called_as_it_likes() -> None:
    named = FRAME.rename(columns={"x": "self"})
    scenario = Scenario(name="s", kind="missing", columns=["self"])
    bad = troubled(named, scenario, {"self": "numeric"}, 7)
    assert bad["self"].isna().all()
    assert named["self"].notna().all()


def test_one_row_alone_is_shifted_to_itself() -> None:
    pd.testing.assert_frame_equal(play("shifted", FRAME.iloc[[3]]), FRAME.iloc[[3]])


def test_scenarios_do_not_change_each_other() -> None:
    sides: Sides = {"candidate": Side.of(trained(), FRAME)}
    y, good = FRAME["label"].to_numpy(float), {"candidate": 0.5}
    one = {"name": "a", "kind": "missing", "share": 0.2}
    two = {"name": "b", "kind": "missing", "share": 0.2}
    alone = robustness(config(evaluation={"scenarios": [two]}), FRAME, y, sides, good)
    both = robustness(config(evaluation={"scenarios": [one, two]}), FRAME, y, sides, good)
    assert both[1] == alone[0]
    assert both[0]["candidate_increase"] != both[1]["candidate_increase"]


def test_increase_is_relative_to_the_models_own_loss() -> None:
    sides: Sides = {"candidate": Side.of(trained(), FRAME)}
    y = FRAME["label"].to_numpy(float)
    good = {"candidate": loss_on(config(), trained(), FRAME, y)}
    scenarios = [{"name": "no x", "kind": "missing", "columns": ["x"]}]
    found = robustness(config(evaluation={"scenarios": scenarios}), FRAME, y, sides, good)[0]
    bad = loss_on(config(), trained(), FRAME.assign(x=np.nan), y)
    assert found["candidate_increase"] == pytest.approx(bad / good["candidate"] - 1)
    assert found["candidate_increase"] > 0.05
    assert found["champion_increase"] is None


def test_nothing_to_touch_changes_nothing_and_a_perfect_model_has_no_relative_increase() -> None:
    frame = pd.DataFrame({"s": [0.0, 1.0], "event_time": pd.date_range("2024", periods=2)})
    sides: Sides = {"candidate": Side.of(Stated(), frame)}  # type: ignore[arg-type]
    assert kinds_of(sides) == {"s": "numeric"}
    scenarios = [{"name": "new", "kind": "unseen"}, {"name": "far", "kind": "extreme"}]
    made = config(gate={"metric": "accuracy"}, evaluation={"scenarios": scenarios})
    unseen, far = robustness(made, frame, np.array([0.0, 1.0]), sides, {"candidate": 0.25})
    assert unseen["columns"] == []
    assert unseen["candidate_increase"] == 0
    assert np.isfinite(far["candidate_increase"])
    perfect = robustness(made, frame, np.array([0.0, 1.0]), sides, {"candidate": 0.0})
    assert np.isnan(perfect[1]["candidate_increase"])
