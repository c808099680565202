"""Churn, calibration, segments, time and memory, each by numbers that one can check by hand."""

import subprocess
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_assets.evaluation.calibrated import calibration
from feedback_assets.evaluation.churn import churn
from feedback_assets.evaluation.overall import segments_of
from feedback_assets.evaluation.side import Side, Sides
from feedback_assets.evaluation.weight import latency, loaded_mb, size
from feedback_assets_tests.evaluation.examples import Stated, config, rows, trained


def sides(frame: pd.DataFrame, kind: str = "binary") -> Sides:
    """Champion answers with columns `old`, candidate with `new`."""
    models = {"champion": Stated("old", kind), "candidate": Stated("new", kind)}
    return {name: Side.of(model, frame) for name, model in models.items()}  # type: ignore[arg-type]


def test_flips_are_counted_by_who_was_right() -> None:
    frame = pd.DataFrame(
        {
            "old": [0.9, 0.9, 0.1, 0.2, 0.6],
            "new": [0.8, 0.1, 0.9, 0.2, 0.4],
            "label": [1, 1, 1, 0, 0],
        }
    )
    found = churn(config(), frame["label"].to_numpy(float), sides(frame))
    assert found == {
        "changed_share": pytest.approx(3 / 5),
        "negative_flips": pytest.approx(1 / 5),
        "positive_flips": pytest.approx(2 / 5),
        "mean_score_change": pytest.approx((0.1 + 0.8 + 0.8 + 0 + 0.2) / 5),
    }


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=50
    )
)
def test_what_one_loses_the_other_wins(told: list[tuple[float, float, int]]) -> None:
    """Changing places turns negative flips into positive ones; their balance is the accuracies'."""
    frame = pd.DataFrame(told, columns=["old", "new", "label"])
    y = frame["label"].to_numpy(float)
    there = churn(config(), y, sides(frame))
    back = churn(config(), y, sides(frame.rename(columns={"old": "new", "new": "old"})))
    assert there is not None
    assert back is not None
    assert there["negative_flips"] == back["positive_flips"]
    assert there["changed_share"] == pytest.approx(
        there["negative_flips"] + there["positive_flips"]
    )
    gained = np.mean((frame["new"] >= 0.5) == y) - np.mean((frame["old"] >= 0.5) == y)
    assert there["positive_flips"] - there["negative_flips"] == pytest.approx(gained)


def test_a_change_between_two_wrong_classes_is_no_flip() -> None:
    frame = pd.DataFrame(
        {
            "old_a": [0.8, 0.1], "old_b": [0.1, 0.8], "old_c": [0.1, 0.1],
            "new_a": [0.1, 0.1], "new_b": [0.8, 0.8], "new_c": [0.1, 0.1],
        }
    )  # fmt: skip
    found = churn(config("multiclass"), np.array([2.0, 1.0]), sides(frame, "multiclass"))
    assert found is not None
    assert found["changed_share"] == pytest.approx(0.5)
    assert found["negative_flips"] == found["positive_flips"] == 0
    assert found["mean_score_change"] == pytest.approx(0.35)


def test_numbers_flip_beyond_the_champions_own_error() -> None:
    """The champion errs by 1 on average: right is within 1, changed is moved by more than 1."""
    frame = pd.DataFrame({"old": [1.0, 1.0, 1.0, 1.0], "new": [0.1, 3.0, 1.9, 1.0]})
    y = np.array([0.0, 2.0, 2.0, 2.0])
    found = churn(config("regression"), y, sides(frame, "regression"))
    assert found is not None
    assert found["changed_share"] == pytest.approx(1 / 4)
    assert found["negative_flips"] == 0
    worse = frame.assign(new=[0.1, 3.5, 1.9, 1.0])
    assert churn(config("regression"), y, sides(worse, "regression"))["negative_flips"] == 0.25  # type: ignore[index]


def test_calibration_error_stands_beside_what_chance_alone_shows() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.95, 4_000)
    y = (rng.random(4_000) < p).astype(float)
    frame = pd.DataFrame({"old": p, "new": np.clip(p * 1.4, 0, 0.99)})
    found = calibration(config(), y, sides(frame))
    assert found is not None
    right, wrong = found["champion"], found["candidate"]
    assert right["error"] < 2 * right["chance"] < 0.05
    assert wrong["error"] > 5 * wrong["chance"]
    assert sum(b["rows"] for b in wrong["bins"]) == 4_000
    assert all(b["lower"] <= b["share"] <= b["upper"] for b in wrong["bins"])
    few = calibration(config(), y[:30], sides(frame.iloc[:30]))
    assert few is not None
    assert few["champion"]["chance"] > 4 * right["chance"]


def test_a_pair_is_a_segment_where_both_are_known() -> None:
    frame = pd.DataFrame({"region": ["n", None, "s"], "c": ["r", "g", pd.NA]})
    found = segments_of(config(), frame)
    assert list(found) == ["region", "c", "region × c"]  # noqa: RUF001
    assert list(found["region × c"]) == ["n × r", None, None]  # noqa: RUF001


def test_a_slow_model_is_seen_as_slow() -> None:
    class Slow(Stated):
        def score(self, frame: pd.DataFrame) -> Any:
            time.sleep(0.004)
            return super().score(frame)

    frame = pd.DataFrame({"s": np.linspace(0, 1, 50)})
    both: Sides = {"champion": Side.of(Stated(), frame), "candidate": Side.of(Slow(), frame)}  # type: ignore[arg-type]
    found = latency(frame, both, 30)
    assert found["candidate"]["rows"] == 30
    assert found["candidate"]["p50_ms"] >= 4 > found["champion"]["p50_ms"]
    assert (
        found["candidate"]["p50_ms"] <= found["candidate"]["p95_ms"] <= found["candidate"]["p99_ms"]
    )


def test_what_else_the_machine_does_is_not_the_models_fault() -> None:
    """A pause that hits one answer of a row, not the other, does not count."""

    class Paused(Stated):
        calls = 0

        def score(self, frame: pd.DataFrame) -> Any:
            Paused.calls += 1
            if 40 < Paused.calls <= 60:
                time.sleep(0.02)
            return super().score(frame)

    frame = pd.DataFrame({"s": np.linspace(0, 1, 30)})
    found = latency(frame, {"candidate": Side.of(Paused(), frame)}, 30)  # type: ignore[arg-type]
    assert Paused.calls > 60
    assert found["candidate"]["p99_ms"] < 20


def test_a_large_model_takes_more_memory() -> None:
    small, large = trained(), trained("binary", 3_000, 4, "random_forest")
    little, much = loaded_mb([small, large])
    assert little is not None
    assert much is not None
    assert much > little + len(large.content) / 4e6
    frame = rows(20)
    found = size({"candidate": Side.of(large, frame)})
    assert found["champion"] is None
    assert found["candidate"]["file_mb"] == pytest.approx(len(large.content) / 1e6)


def test_memory_that_can_not_be_seen_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **options: Any) -> Any:
        raise subprocess.CalledProcessError(1, "probe")

    monkeypatch.setattr(subprocess, "run", fails)
    assert loaded_mb([trained(), trained()]) == [None, None]
