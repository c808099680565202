"""Young days in a real pool: their labels weigh what they stand for, and none is held out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feedback_assets_tests.worlds import START, World

DAYS, ROWS, LATE = 24, 80, 24


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Good things are known within a day, bad ones after two to eight."""
    return booked(tmp_path_factory.mktemp("young"))


def booked(root: Path) -> World:
    world = World(
        root,
        label={"kind": "binary", "max_delay_days": 8},
        pool={"mature_after_days": 8, "holdout_days": 2, "immature": "weight", "max_weight": 10},
        trust={"quarantine": False},
    )
    rng = np.random.default_rng(5)
    now = pd.Timestamp(START, tz="UTC") + pd.Timedelta(days=LATE)
    for day in world.days(START, DAYS):
        rows = world.rows(day, n=ROWS)
        good = rows["truth"].to_numpy() == 1
        delay = np.where(good, rng.uniform(0, 1, ROWS), rng.uniform(2, 8, ROWS))
        rows["known"] = rows["event_time"] + pd.to_timedelta(np.round(delay * 86_400), unit="s")
        world.predict(rows, f"p-{day}")
        world.feed(rows[rows["known"] <= now], f"f-{day}")
    world.at(f"{now:%Y-%m-%d}")
    world.materialize(
        ["prediction_log", "feedback_events", "feedback_table"], world.days(START, DAYS)
    )
    world.materialize(["labeled_pool"])
    return world


def test_young_days_are_trained_on_with_weights_and_never_held_out(world: World) -> None:
    pool = world.frame("labeled_pool")
    age = LATE - 1 - (pd.to_datetime(pool["partition_key"]) - pd.Timestamp(START)).dt.days
    young = pool[age < 8]
    assert young["partition_key"].nunique() >= 4
    assert set(young["split"]) == {"train"}
    assert (pool[pool["split"] == "holdout"]["partition_key"]).nunique() == 2
    own = pool[pool["split"] == "train"]
    by_class = young.groupby("label")["weight"].mean()
    assert by_class[0] > 1.4 * by_class[1]
    truth = pool[age >= 8]["label"].mean()
    weighed = np.average(young["label"], weights=young["weight"])
    assert young["label"].mean() > truth + 0.1
    assert weighed == pytest.approx(truth, abs=0.06)
    assert own["weight"].mean() == pytest.approx(1.0)


def test_the_pool_says_what_it_did(world: World) -> None:
    told = world.metadata("labeled_pool")
    assert "labels 1 come earlier than labels 0" in told["delay_by_label"]
    assert "immature days are trained on" in told["immature_days"]
    assert "labels of" in told["labels_in"]
    assert told["delay_curves"].startswith("![share of rows")
