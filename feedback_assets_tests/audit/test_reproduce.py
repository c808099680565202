"""`reproduce` on models that were really trained: the same again, or what differs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from feedback_assets.assets.ledger import decisions, record
from feedback_assets.assets.models import model_version
from feedback_assets.audit.onnx_difference import onnx_differences
from feedback_assets.audit.reproduce import reproduce
from feedback_assets.audit.reproduce_page import reproduce_document
from feedback_assets.errors import AuditError
from feedback_assets_tests.worlds import World

STAGED = {
    "model": {"window_days": 7},
    "decide": {"unit": "row"},
    "rollout": {"stages": ["shadow"], "shadow": {"min_labels": 50}},
}


def silent(_: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world has turned: version 2 was trained on the new one and promoted by the evidence."""
    world = World(
        tmp_path_factory.mktemp("reproduced"),
        **STAGED,
    )
    world.first_model()
    for day in world.days("2024-01-09", 11):
        rows = world.rows(day, version="1")
        world.predict(rows, f"p-{day}")
        world.feed(rows.assign(truth=1 - rows["truth"]), f"f-{day}")
    world.at("2024-01-24")
    world.dataflow("2024-01-09", 15)
    world.materialize(["labeled_pool", "candidate_model", "promoted_model"])
    return world


@pytest.fixture
def copied(world: World, tmp_path: Path) -> World:
    """The same home elsewhere, to be spoiled."""
    shutil.copytree(world.root, tmp_path / "copy")
    return World(
        tmp_path / "copy",
        **STAGED,
    )


def flip(path: str) -> None:
    """Turn every label of a partition's file around, as somebody without the tables' code would."""
    rows = pq.read_table(path)
    place = rows.schema.get_field_index("label")
    turned = pc.subtract(pa.scalar(1, pa.int64()), rows["label"])
    pq.write_table(rows.set_column(place, rows.schema.field(place), turned), path)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_version_comes_out_the_same(world, version):
    told = reproduce(world.space, version, silent)
    assert told["same_model"], told["differences"]
    assert told["same_gate"], told["differences"]
    assert told["model"]["digest"] == model_version(world.space, int(version)).digest
    assert told["gate"]["suite_digest"]["then"] == told["gate"]["suite_digest"]["now"] is not None
    assert told["differences"] == []
    assert reproduce_document(told).state == "reproduced"
    json.dumps(told, allow_nan=False)


def test_the_evidence_of_a_promotion_gives_the_same_verdict(world):
    assert decisions(world.space, "promote")[-1].version == "2"
    verdict = reproduce(world.space, "2", silent)["gate"]["verdict"]
    assert (verdict["then"], verdict["now"]) == ("promote", "promote")


def test_another_configuration_is_named_and_seen_in_the_model(copied):
    path = copied.space.models / "2" / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["model"]["params"] = {"C": 0.01}
    path.write_text(json.dumps(config), encoding="utf-8")
    told = reproduce(copied.space, "2", silent)
    assert not told["same_model"]
    assert any(d["what"] == "configuration" for d in told["environment"])
    said = " ".join(told["differences"])
    assert "learned numbers differ by up to" in said
    assert "held-out rows their answers differ" in said
    assert reproduce_document(told).tone == "bad"


def test_changed_rows_are_named_by_their_partition(copied):
    pool = copied.space.table("labeled_pool").snapshot(
        model_version(copied.space, 1).manifest["pool"]["version"]
    )
    (path,) = pool.partitions()["2024-01-02"].files
    flip(path)
    told = reproduce(copied.space, "1", silent)
    assert told["model"]["broken_partitions"] == ["2024-01-02"]
    assert not told["same_model"]
    assert told["differences"][0] == "the pinned rows changed in 1 partitions: 2024-01-02"


def test_rows_that_cannot_be_read_are_said(copied):
    pool = copied.space.table("labeled_pool").snapshot(
        model_version(copied.space, 1).manifest["pool"]["version"]
    )
    Path(pool.partitions()["2024-01-02"].files[0]).unlink()
    told = reproduce(copied.space, "1", silent)
    assert not told["same_model"]
    assert told["same_gate"] is False
    assert "cannot be read" in told["differences"][0]


def test_other_libraries_are_named_though_the_model_is_the_same(copied):
    path = copied.space.models / "1" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["libraries"]["numpy"] = "1.0"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    told = reproduce(copied.space, "1", silent)
    assert told["same_model"]
    assert told["same_gate"]
    assert [d for d in told["differences"] if d.startswith("numpy: then 1.0, now ")]


def test_a_gate_that_says_something_else_now_is_named(copied):
    gate = next(d for d in decisions(copied.space, "gate") if d.version == "2")
    wrong = [
        {**said, "passed": False, "observed": 7.0} if said["name"] == "size" else said
        for said in gate.details["gates"]
    ]
    evidence = {**gate.evidence, "changed": True}
    record(copied.space, replace(gate, evidence=evidence, details={**gate.details, "gates": wrong}))
    told = reproduce(copied.space, "2", silent)
    assert told["same_model"]
    assert told["same_gate"] is False
    assert any(said.startswith("gate size: failed then") for said in told["differences"])


def test_labels_that_were_changed_since_give_other_evaluation_rows(copied):
    pool = copied.space.table("labeled_pool").snapshot()
    (path,) = pool.partitions()["2024-01-18"].files
    flip(path)
    told = reproduce(copied.space, "2", silent)
    assert told["same_gate"] is False
    assert "the evaluation rows or their labels are not the recorded ones" in told["differences"]


def test_what_is_gone_is_said(copied):
    shutil.rmtree(copied.space.models / "1")
    told = reproduce(copied.space, "2", silent)
    assert told["same_model"]
    assert "the champion of then, version 1, is gone" in told["differences"][0]
    with pytest.raises(AuditError, match="is gone: fetch it from MLflow"):
        reproduce(copied.space, "1", silent)


def test_a_model_does_not_differ_from_itself(world):
    first, second = (model_version(world.space, version).load() for version in (1, 2))
    rows = world.rows("2024-01-08")
    assert onnx_differences(first, first, rows) == [
        f"on {len(rows):,} held-out rows their answers differ by up to 0"
    ]
    assert len(onnx_differences(first, second, rows)) > 1


def forget(world: World) -> None:
    """Take away all that was ever recorded."""
    shutil.rmtree(world.settings.ledger)
    shutil.rmtree(world.settings.tables / "tiny" / "decisions")


def older(world: World, outcome: str) -> None:
    """Put the record of an older release in place of the ledger: no gate, no details."""
    newest = decisions(world.space, "promote")[-1]
    forget(world)
    record(world.space, replace(newest, kind=outcome, details={}))


@pytest.mark.parametrize(("outcome", "same"), [("promote", True), ("refuse", False)])
def test_a_record_of_an_older_release_is_judged_by_the_rule_of_then(copied, outcome, same):
    older(copied, outcome)
    told = reproduce(copied.space, "2", silent)
    assert told["same_model"]
    assert told["same_gate"] is same
    assert told["gate"]["outcome"] == {"then": outcome, "now": "promote"}


def test_a_version_that_was_never_judged_has_no_verdict(copied):
    forget(copied)
    told = reproduce(copied.space, "1", silent)
    assert told["same_model"]
    assert told["same_gate"] is None
    assert reproduce_document(told).state == "reproduced"
