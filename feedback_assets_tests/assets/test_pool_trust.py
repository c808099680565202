"""Who said a label, from the file to the model: quarantine, weights, poisoning, old tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import feedback_assets.assets.feedback_table as feedback_table
from feedback_assets.assets.labeled_pool import pinned_pool
from feedback_assets.assets.models import versions
from feedback_assets.audit.reproduce import reproduce
from feedback_assets_tests.worlds import START, World

SOURCE: dict[str, Any] = {
    "predictions": {"path": "{home}/sources/tiny/predictions"},
    "feedback": {
        "path": "{home}/sources/tiny/feedback",
        "columns": {
            "event_id": "event_id", "value": "value", "kind": "kind",
            "received_time": "received_time", "source": "from", "principal": "who",
        },
    },
}  # fmt: skip


def world_with(root: Path, **changes: Any) -> World:
    return World(root, source=SOURCE, **changes)


def said(
    world: World,
    first: str,
    days: int,
    liars: tuple[str, ...] = (),
    share: float = 0.0,
    n: int = 80,
) -> pd.DataFrame:
    """Days whose labels ten honest people say, and liars a share of them, all wrong."""
    frames = []
    for day in world.days(first, days):
        rows = world.rows(day, n)
        rng = np.random.default_rng(int(pd.Timestamp(day).timestamp()))
        lie = rng.random(n) < share if liars else np.zeros(n, np.bool_)
        who = np.where(lie, rng.choice(liars or ("",), n), [f"person:{i % 10}" for i in range(n)])
        value = np.where(lie, 1 - rows["truth"], rows["truth"]).astype(str)
        world.predict(rows, f"p-{day}")
        world.feed(rows, f"f-{day}", value=value, who=who, **{"from": np.where(lie, "web", "desk")})
        frames.append(rows.assign(who=who))
    return pd.concat(frames, ignore_index=True)


def test_a_liar_is_quarantined_and_what_is_left_is_weighed_and_reproduced(tmp_path: Path) -> None:
    world = world_with(
        tmp_path, trust={"weights": {"person:0": 0.25}, "cap_from": 5, "cap_times": 2}
    )
    world.ready_mlflow()
    rows = said(world, START, 10, ("token:mallory",), 0.4)
    world.at("2024-01-14")
    world.dataflow(START, 13)
    table = world.frame("feedback_table").merge(rows[["prediction_id", "who"]])
    known = table[table["label_status"] == "accepted"]
    assert (known["label_principal"] == known["who"]).all()
    assert set(known["label_confidence"]) == {1.0}
    world.materialize(["labeled_pool", "candidate_model"])
    told = world.metadata("labeled_pool")
    assert told["principals_in_quarantine"] == "token:mallory"
    worst = told["principals_judged"][0]
    assert (worst["principal"], worst["verdict"]) == ("token:mallory", "contradicts")
    outcomes = {row["outcome"]: row["rows"] for row in told["outcomes"]}
    assert outcomes["principal quarantined"] == (rows["who"] == "token:mallory").sum()
    assert sum(outcomes.values()) == len(table)
    pool = world.frame("labeled_pool")
    assert "token:mallory" not in set(pool["label_principal"])
    train = pool[pool["split"] == "train"]
    weights = train.groupby(train["label_principal"] == "person:0")["weight"].agg(["min", "max"])
    assert weights.loc[True, "min"] == weights.loc[True, "max"] < 0.5
    assert weights.loc[False, "max"] == pytest.approx(4 * weights.loc[True, "max"], rel=1e-5)
    assert train["weight"].mean() == pytest.approx(1.0, abs=1e-5)
    assert "trust" in told["weights"]
    first = pinned_pool(world.space)
    assert first.manifest["quarantined"] == ["token:mallory"]
    world.materialize(["labeled_pool"])
    assert pinned_pool(world.space).fingerprint == first.fingerprint
    (model,) = versions(world.space)
    assert model.manifest["pool"]["quarantined"] == ["token:mallory"]
    again = reproduce(world.space, str(model.version), lambda _: None)
    assert (again["same_model"], again["differences"]) == (True, [])


def test_new_labels_that_poison_stay_out_of_this_pool_and_the_next(tmp_path: Path) -> None:
    world = world_with(tmp_path, trust={"quarantine": False, "cap_times": None})
    world.ready_mlflow()
    said(world, START, 8, n=400)
    world.at("2024-01-12")
    world.dataflow(START, 11)
    world.materialize(["labeled_pool", "candidate_model", "promoted_model"])
    assert "nothing is new yet" in world.metadata("labeled_pool")["poisoning"]
    rows = said(world, "2024-01-09", 10, ("token:mallory",), 0.5, n=400)
    world.at("2024-01-22")
    world.dataflow("2024-01-09", 13)
    world.materialize(["labeled_pool"])
    told = world.metadata("labeled_pool")
    outcomes = {row["outcome"]: row["rows"] for row in told["outcomes"]}
    refused = {row["labels"].split(":")[0] for row in told["new_labels_tried"] if row["refused"]}
    assert {"token", "web"} & refused
    assert not {name for name in refused if name.startswith("person")}
    pool = world.frame("labeled_pool")
    trained = pool[pool["split"] == "train"]
    assert "token:mallory" not in set(trained["label_principal"])
    assert 0 < outcomes["fails the poisoning check"] <= (rows["who"] == "token:mallory").sum()
    fingerprint = pinned_pool(world.space).fingerprint
    world.materialize(["labeled_pool"])
    assert pinned_pool(world.space).fingerprint == fingerprint


def test_tables_without_the_new_columns_are_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.live(START, 8)
    world.at("2024-01-12")
    now = feedback_table.feedback_table_sql

    def before(*arguments: Any) -> str:
        return (
            f"SELECT * EXCLUDE (label_principal, label_confidence, flags) FROM ({now(*arguments)})"
        )

    monkeypatch.setattr(feedback_table, "feedback_table_sql", before)
    world.dataflow(START, 11)
    assert "label_principal" not in world.frame("feedback_table")
    world.materialize(["labeled_pool"])
    old = world.frame("labeled_pool")
    assert set(old["weight"]) == {1.0}
    monkeypatch.undo()
    world.materialize(["feedback_table"], world.days(START, 2))
    world.materialize(["labeled_pool"])
    new = world.frame("labeled_pool")
    assert list(new["prediction_id"]) == list(old["prediction_id"])
