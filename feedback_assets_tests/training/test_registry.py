import datetime as dt
import logging
import multiprocessing
from types import SimpleNamespace

import pytest

from feedback_assets.errors import TrainingError
from feedback_assets.settings import Settings
from feedback_assets.training import registry
from feedback_assets.training.fit import train
from feedback_assets_tests.training.examples import config, rows

CONTEXT = SimpleNamespace(
    log=logging.getLogger("example"), run=SimpleNamespace(run_id="run-12345678")
)
LOOP = config()
NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def trained():
    return train(*rows(300), LOOP)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def place(home):
    made = Settings(home=home)
    registry.forget_model(made, LOOP.name)
    return made


def manifest(trained, identity="one"):
    return {
        "onnx_digest": trained.digest,
        "training_digest": identity,
        "pool": {"fingerprint": "f" * 64, "table": "example/labeled_pool", "version": 3},
        "metrics": {"log_loss": 0.5, "f1": None},
        "cause": "new labels",
        "git_commit": None,
    }


def register(place, trained, identity="one"):
    facts = manifest(trained, identity)
    given = (CONTEXT, trained, facts, {"roc": b"png"}, {"reference.json": "{}"})
    return facts | registry.register_candidate(place, LOOP, *given)


def decide(place, facts, kind):
    decision = SimpleNamespace(
        kind=kind, decision_id="d", time=NOW, rule="paired bootstrap", reason="better by 0.01"
    )
    notes = {"release_notes.md": f"# {kind}"}
    registry.project_decision(place, LOOP, facts, decision, notes)


def client(place):
    import mlflow

    mlflow.set_tracking_uri(place.mlflow_uri)
    return mlflow.MlflowClient()


def test_a_candidate_is_logged_and_registered(place, trained):
    facts = register(place, trained)
    assert facts["version"] == 1
    assert registry.aliases(place, LOOP.name) == {"candidate": 1}
    found = client(place)
    run = found.get_run(facts["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["log_loss"] == 0.5
    assert "f1" not in run.data.metrics
    assert run.data.params["max_iter"] == "150"
    assert run.data.tags["dagster_run_id"] == "run-12345678"
    assert run.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    listed = {a.path for a in found.list_artifacts(run.info.run_id)}
    assert listed == {"manifest.json", "plots", "reference.json"}
    assert run.info.artifact_uri.startswith((place.mlflow / "artifacts").as_uri())
    version = found.get_model_version(LOOP.name, "1")
    assert version.tags["onnx_digest"] == trained.digest
    assert version.tags["stage"] == "candidate"


def test_mlflow_serves_the_very_model(place, trained):
    import mlflow.onnx

    facts = register(place, trained)
    client(place)
    loaded = mlflow.onnx.load_model(facts["mlflow_model"])
    assert loaded.SerializeToString(deterministic=True) == trained.onnx_bytes
    assert mlflow.active_run() is None


def test_the_same_training_is_registered_once(place, trained):
    first = register(place, trained)
    assert register(place, trained) == first
    assert register(place, trained, "two")["version"] == 2


def test_decisions_are_told_with_their_version_and_may_be_repeated(place, trained):
    one, two = (register(place, trained, str(i)) for i in range(2))
    for facts, kind in [(one, "promote"), (two, "refuse"), (one, "promote")]:
        decide(place, facts, kind)
    found = client(place)
    told = [found.get_model_version(LOOP.name, str(v)).tags["decision"] for v in (1, 2)]
    assert told == ["promote", "refuse"]
    assert found.get_model_version(LOOP.name, "2").tags["reason"] == "better by 0.01"
    notes = found.list_artifacts(one["mlflow_run_id"], "decision")
    assert [a.path for a in notes] == ["decision/release_notes.md"]


@pytest.mark.parametrize(
    ("error", "status"), [(TrainingError("no"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_a_failure_ends_the_run(place, trained, monkeypatch, error, status):
    import mlflow

    def fail(*_):
        raise error

    monkeypatch.setattr(registry, "log_model", fail)
    with pytest.raises(type(error)):
        register(place, trained)
    found = client(place)
    experiment = found.get_experiment_by_name(LOOP.name)
    (run,) = found.search_runs([experiment.experiment_id])
    assert run.info.status == status
    assert mlflow.active_run() is None
    assert registry.aliases(place, LOOP.name) == {}


def test_forgetting_starts_again_at_version_one(place, trained):
    register(place, trained)
    registry.forget_model(place, LOOP.name)
    assert registry.aliases(place, LOOP.name) == {}
    assert register(place, trained)["version"] == 1


def test_forgetting_in_a_new_home_makes_nothing(tmp_path):
    registry.forget_model(Settings(home=tmp_path), LOOP.name)
    assert list(tmp_path.iterdir()) == []


def _register_in_a_process(home, identity, said):
    trained = train(*rows(300), LOOP)
    said.put(register(Settings(home=home), trained, identity)["version"])


@pytest.mark.slow
def test_two_processes_may_meet_in_a_new_home(tmp_path):
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    workers = [
        context.Process(target=_register_in_a_process, args=(tmp_path, str(i), said))
        for i in range(2)
    ]
    for worker in workers:
        worker.start()
    versions = sorted(said.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    assert versions == [1, 2]
