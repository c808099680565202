"""A candidate names the exact rows that made it, and the same inputs make the same model."""

import sqlite3
from pathlib import Path

import pytest

from feedback_assets.assets.labeled_pool import pinned_pool
from feedback_assets.assets.ledger import decisions
from feedback_assets.assets.models import model_version, versions
from feedback_assets.assets.training_rows import broken_digests, training_rows
from feedback_assets.errors import ParityError, TrainingError
from feedback_assets.labels.pool import training_sql
from feedback_assets.tables.connection import connect
from feedback_assets.training import registry
from feedback_assets.training.fit import train
from feedback_assets_tests.worlds import World

START = "2024-01-01"
TRAIN = ["labeled_pool", "candidate_model"]


def pooled(world: World) -> None:
    """Eight labelled days, ready to train on."""
    world.ready_mlflow()
    world.live(START, 8)
    world.at("2024-01-12")
    world.dataflow(START, 11)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One trained candidate; its tests change nothing."""
    world = World(tmp_path_factory.mktemp("trained"))
    pooled(world)
    evidence = '{"reason": "size drifted"}'
    world.materialize(
        TRAIN, **{"feedback_assets/cause": "drift", "feedback_assets/evidence": evidence}
    )
    return world


def mlflow_rows(world: World, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(world.settings.mlflow / "mlflow.db") as con:
        return con.execute(query).fetchall()


def test_the_manifest_names_exactly_the_rows_that_were_trained_on(world: World) -> None:
    pooled(world)
    world.materialize(TRAIN)
    pool = world.frame("labeled_pool")
    trained = set(pool.loc[pool["split"] == "train", "prediction_id"])
    world.live("2024-01-09", 3)
    world.at("2024-01-15")
    world.dataflow(START, 14)
    world.materialize(["labeled_pool"])
    model = model_version(world.space, 1)
    rows = training_rows(world.space, model)
    assert set(rows["prediction_id"].to_pylist()) == trained
    assert model.manifest["train_rows"] == rows.num_rows == 200
    assert len(world.frame("labeled_pool")) > len(pool)
    assert broken_digests(world.space, model) == []


def test_the_rows_it_names_make_the_same_model_again(trained: World) -> None:
    model = model_version(trained.space, 1)
    rows = training_rows(trained.space, model).to_pandas()
    assert train(rows, rows["label"], trained.config).digest == model.digest


def test_only_the_pinned_rows_of_the_window_are_named(tmp_path: Path) -> None:
    world = World(tmp_path, model={"window_days": 2, "max_rows": 100})
    pooled(world)
    world.materialize(TRAIN)
    model = model_version(world.space, 1)
    changed_since = World(tmp_path, model={"window_days": 9, "max_rows": 1_000})
    rows = training_rows(changed_since.space, model).to_pandas()
    assert len(rows) == model.manifest["train_rows"] == 80
    assert rows["event_time"].min().isoformat() == model.manifest["train_start"]
    assert rows["partition_key"].min() >= "2024-01-03"


def test_a_changed_row_is_found(trained: World) -> None:
    model = model_version(trained.space, 1)
    assert broken_digests(trained.space, model) == []
    model.manifest["pool"]["partitions"]["2024-01-02"]["digest"] = "0" * 64
    assert broken_digests(trained.space, model) == ["2024-01-02"]


def test_the_same_inputs_give_the_same_model_elsewhere(trained: World, world: World) -> None:
    pooled(world)
    world.materialize(TRAIN)
    assert model_version(world.space, 1).digest == model_version(trained.space, 1).digest


def test_a_regression_is_trained_as_well(tmp_path: Path) -> None:
    world = World(tmp_path, "regression")
    pooled(world)
    world.materialize(TRAIN)
    metrics = model_version(world.space, 1).manifest["metrics"]
    assert metrics["mae"] < 1
    assert metrics["r2"] > 0.5


def test_training_twice_from_the_same_inputs_registers_nothing_new(world: World) -> None:
    pooled(world)
    world.materialize(TRAIN)
    world.materialize(TRAIN)
    assert [model.version for model in versions(world.space)] == [1]
    assert [d.kind for d in decisions(world.space)] == ["config", "retrain"]
    assert mlflow_rows(world, "SELECT version FROM model_versions") == [(1,)]


def test_its_mlflow_run_is_finished_and_tells_of_its_origin(trained: World) -> None:
    world = trained
    manifest = model_version(world.space, 1).manifest
    runs = mlflow_rows(world, "SELECT run_uuid, status FROM runs")
    assert runs == [(manifest["mlflow_run_id"], "FINISHED")]
    tags = dict(mlflow_rows(world, "SELECT key, value FROM model_version_tags"))  # type: ignore[arg-type]
    assert tags["onnx_digest"] == manifest["onnx_digest"]
    assert tags["training_digest"] == manifest["training_digest"]
    assert world.instance.get_run_by_id(manifest["dagster_run_id"])
    assert mlflow_rows(world, "SELECT alias, version FROM registered_model_aliases") == [
        ("candidate", 1)
    ]


def test_a_failure_ends_the_mlflow_run_and_leaves_no_version(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled(world)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise OSError("the disk is full")

        patch.setattr(registry, "log_model", refuse)
        with pytest.raises(OSError, match="the disk is full"):
            world.materialize(TRAIN)
    assert mlflow_rows(world, "SELECT status FROM runs") == [("FAILED",)]
    assert versions(world.space) == []
    assert decisions(world.space) == []
    world.materialize(["candidate_model"])
    assert [model.version for model in versions(world.space)] == [1]
    assert mlflow_rows(world, "SELECT status FROM runs ORDER BY start_time") == [
        ("FAILED",),
        ("FINISHED",),
    ]


def test_onnx_that_answers_otherwise_is_not_registered(tmp_path: Path) -> None:
    world = World(tmp_path, model={"parity_tolerance": 1e-300})
    pooled(world)
    with pytest.raises(ParityError, match=r"the worst row is .*'colour'"):
        world.materialize(TRAIN)
    assert versions(world.space) == []


def test_too_few_rows_are_not_trained_on(tmp_path: Path) -> None:
    world = World(tmp_path, pool={"min_rows": 201})
    pooled(world)
    with pytest.raises(TrainingError, match=r"200 labelled rows are fewer than .* 201"):
        world.materialize(TRAIN)


def test_without_a_label_that_may_judge_nothing_is_trained(tmp_path: Path) -> None:
    world = World(tmp_path, trust={"judges": ["audit"]})
    pooled(world)
    with pytest.raises(TrainingError, match=r"no row is held out .* of audit \(trust.judges\)"):
        world.materialize(TRAIN)
    assert versions(world.space) == []


def test_an_older_pool_can_be_trained_on_by_hand(world: World) -> None:
    pooled(world)
    world.materialize(["labeled_pool"])
    old = pinned_pool(world.space)
    world.live("2024-01-09", 3)
    world.at("2024-01-15")
    world.dataflow(START, 14)
    world.materialize(["labeled_pool"])
    chosen = {"ops": {"tiny__candidate_model": {"config": {"pool_version": old.snapshot.version}}}}
    world.materialize(["candidate_model"], run_config=chosen)
    assert model_version(world.space, 1).manifest["pool"]["fingerprint"] == old.fingerprint
    with connect(world.settings) as con:
        query = training_sql(world.config, old.snapshot.relation())
        (count,) = con.execute(f"SELECT COUNT(*) FROM ({query})").fetchone() or (0,)
    assert model_version(world.space, 1).manifest["train_rows"] == count


def test_the_cause_is_the_runs(trained: World) -> None:
    (decision,) = decisions(trained.space, "retrain")
    assert (decision.cause, decision.rule) == ("drift", "trigger policy")
    assert decision.reason.startswith("size drifted; trained on 200 rows")
    assert model_version(trained.space, 1).manifest["cause"] == "drift"
