"""Lineage over real tables: back from a prediction, forward from a row, a file, a person."""

import copy
import json
import shutil
from pathlib import Path

import pytest

from feedback_assets.assets.labeled_pool import pinned_pool
from feedback_assets.assets.ledger import record
from feedback_assets.audit.lineage import lineage_back
from feedback_assets.audit.lineage_page import back_document, forward_document
from feedback_assets.audit.touched import lineage_forward
from feedback_assets.errors import AuditError
from feedback_assets.promotion.decisions import Decision
from feedback_assets_tests.worlds import LOOP, World, moment

DAYS = [f"2024-01-{day:02d}" for day in range(1, 9)]
HELD = DAYS[5:]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Eight days; version 1 learned from the first five, version 2 from the last two of them.

    Version 1 answers since January 12; one of its answers is there.
    """
    feedback = copy.deepcopy(LOOP["source"]["feedback"])
    feedback["columns"]["source"] = "said_by"
    world = World(tmp_path_factory.mktemp("lineage"), source={"feedback": feedback})
    for day in DAYS:
        rows = world.rows(day)
        world.predict(rows, f"p-{day}")
        said_by = "bo" if day == DAYS[1] else "ann"
        world.feed(rows, f"f-{day}", said_by=said_by)
    world.at("2024-01-12")
    world.predict(world.rows("2024-01-12", n=20, version="1"), "p-new")
    world.at("2024-01-14")
    world.materialize(
        ["prediction_log", "feedback_events", "feedback_table"], world.days(DAYS[0], 13)
    )
    world.materialize(["labeled_pool"])
    pool = pinned_pool(world.space).manifest
    for version, window in ((1, None), (2, 2)):
        train(world, pool, version, window)
    for kind, version, day in (("promote", 1, "2024-01-11"), ("refuse", 2, "2024-01-13")):
        decide(world, kind, version, day)
    return world


def train(world: World, pool: dict, version: int, window: int | None) -> None:
    """A version's folder, as if it had been trained."""
    folder = world.space.models / str(version)
    folder.mkdir(parents=True)
    manifest = {
        "version": version, "onnx_digest": str(version) * 64, "pool": pool,
        "training_digest": "t", "as_of": pool["as_of"], "config_digest": "c",
        "train_rows": 200 if window is None else 80, "trained_at": "2024-01-11T00:00:00+00:00",
        "sampling": {"window_days": window, "max_rows": 60_000, "seed": 7},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def decide(world: World, kind: str, version: int, day: str) -> None:
    record(
        world.space,
        Decision(
            loop="tiny", kind=kind, time=moment(day), cause="drift", rule="rule", reason="better",
            version=str(version), previous_version="1" if version > 1 else None,
            evidence={"version": version, "kind": kind},
        ),
    )  # fmt: skip


def test_a_prediction_leads_back_to_the_rows_of_its_model(world):
    told = lineage_back(world.space, "2024-01-12-0-0003")
    model = told["model"]
    assert (model["version"], model["role_then"], model["intact"]) == ("1", "champion", True)
    assert model["let_in_by"]["kind"] == "promote"
    trained = {p["partition"]: p["trained"] for p in model["partitions"]}
    assert trained == {day: 40 if day not in HELD else 0 for day in DAYS}
    assert told["prediction"]["source_file"].endswith("p-new.parquet")
    assert told["tables"]["feedback_table"]["made_from"]["prediction_log"] >= 0
    json.dumps(told, allow_nan=False)
    assert back_document(told).state == "rows intact"


def test_a_row_of_history_was_answered_by_nobody(world):
    told = lineage_back(world.space, f"{DAYS[0]}-0-0001")
    assert told["model"] is None
    (event,) = told["feedback"]
    assert (event["kind"], event["source"]) == ("label", "ann")
    assert told["label"]["label_status"] == "accepted"
    assert back_document(told).state == ""


def test_an_unknown_prediction_is_an_error(world):
    with pytest.raises(AuditError, match="no prediction 'nobody'"):
        lineage_back(world.space, "nobody")


def test_a_row_leads_forward_to_all_that_it_touched(world):
    told = lineage_forward(world.space, row=f"{DAYS[4]}-0-0007")
    assert told["rows"] == 1
    assert told["found_as"] == {"prediction_log": 1, "feedback_events": 1}
    assert told["tables"]["feedback_table"] == {DAYS[4]: 1}
    assert told["tables"]["labeled_pool"] == {DAYS[4]: 1}
    assert told["models"] == [
        {"version": "1", "served": True, "trained": 1},
        {"version": "2", "served": False, "trained": 1},
    ]
    assert told["answers"] == {"1": 20}
    assert [(d["kind"], d["version"]) for d in told["decisions"]] == [
        ("promote", "1"), ("refuse", "2"),
    ]  # fmt: skip
    json.dumps(told, allow_nan=False)
    assert "v1 and v2" in forward_document(told).replies[1].told


def test_a_row_outside_the_window_trained_only_who_saw_it(world):
    uses = {
        m["version"]: m for m in lineage_forward(world.space, row=f"{DAYS[0]}-0-0007")["models"]
    }
    assert uses["1"]["trained"] == 1
    assert uses["2"] == {"version": "2", "served": False, "left over": 1}


def test_a_held_out_row_touches_judgements_and_not_trainings(world):
    told = lineage_forward(world.space, row=f"{HELD[0]}-0-0007")
    assert all(m.get("held out") == 1 and not m.get("trained") for m in told["models"])
    assert told["answers"] == {}
    assert {d["kind"] for d in told["decisions"]} == {"promote", "refuse"}


@pytest.mark.parametrize(("source", "rows"), [("p-2024-01-02.parquet", 40), ("bo", 40)])
def test_a_file_and_a_person_lead_forward(world, source, rows):
    told = lineage_forward(world.space, source=source)
    assert told["rows"] == rows
    assert told["tables"]["feedback_table"] == {DAYS[1]: rows}
    assert {m["version"]: m.get("trained", 0) for m in told["models"]} == {"1": rows, "2": 0}


def test_a_person_who_said_nothing_touched_nothing(world):
    with pytest.raises(AuditError, match="nothing comes from source eve"):
        lineage_forward(world.space, source="eve")


def test_a_quoted_source_is_a_text(world):
    with pytest.raises(AuditError, match="nothing comes from"):
        lineage_forward(world.space, source="' OR TRUE --")


def test_damaged_training_rows_are_said(world, tmp_path):
    shutil.copytree(world.root, tmp_path / "copy")
    other = World(tmp_path / "copy")
    pool = other.space.table("labeled_pool").snapshot()
    Path(pool.partitions()[DAYS[0]].files[0]).unlink()
    told = lineage_back(other.space, "2024-01-12-0-0003")
    assert told["model"]["intact"] is False
    assert "cannot be read" in back_document(told).replies[2].told[0]
