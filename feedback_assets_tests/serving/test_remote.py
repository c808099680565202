"""Bytes from a real MLflow registry, and serving on when it is gone."""

import hashlib
import logging
import shutil
import time
from types import SimpleNamespace

import msgspec
import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving import remote
from feedback_assets.serving.manifest import Remote, manifest_path
from feedback_assets.serving.publish import publish, published
from feedback_assets.serving.remote import Registry
from feedback_assets.settings import Settings
from feedback_assets.training import registry
from feedback_assets.training.fit import train
from feedback_assets_tests.serving.shop import LOOP, Shop
from feedback_assets_tests.serving.waiting import until

CONTEXT = SimpleNamespace(
    log=logging.getLogger("example"), run=SimpleNamespace(run_id="run-12345678")
)


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A home whose version 1 is in MLflow: `register_candidate` is what training calls."""
    shop = Shop(tmp_path_factory.mktemp("registered") / "home")
    folder = shop.train(1)
    frame = shop.frame(400, 1)
    trained = train(frame, shop.labels(frame, 1), shop.config)
    facts = {
        "onnx_digest": trained.digest,
        "training_digest": "t",
        "pool": {"fingerprint": "f" * 64, "table": "shop/labeled_pool", "version": 3},
        "metrics": {},
    }
    golden = {"golden.json": (folder / "golden.json").read_text("utf-8")}
    told = registry.register_candidate(
        shop.settings, shop.config, CONTEXT, trained, facts, {}, golden
    )
    return shop, Remote(told["mlflow_run_id"], told["mlflow_model"])


@pytest.fixture
def fresh(registered, tmp_path):
    """A copy of that home; its artifacts stay where they were registered."""
    shop, where = registered
    copied = Shop(tmp_path / "home")
    shutil.copytree(shop.settings.models, copied.settings.models)
    copied.settings.mlflow.mkdir()
    shutil.copy(shop.settings.mlflow / "mlflow.db", copied.settings.mlflow)
    about = published(copied.settings, LOOP, 1)
    publish(copied.settings, LOOP, msgspec.structs.replace(about, mlflow=where))
    return copied


def test_mlflow_restores_what_the_disk_lost_and_is_then_not_needed(fresh, engine_of):
    row, expected = fresh.row(0), fresh.model(1)
    shutil.rmtree(fresh.settings.models)
    engine = engine_of(fresh)
    until(lambda: engine.state().ready, 120)
    until(lambda: engine.state().problem == "")
    answer = engine.answer([row], ["p"], ["p"])[0]
    assert answer.model_digest == expected.digest
    engine.close()
    shutil.rmtree(fresh.settings.mlflow)
    again = engine_of(fresh)
    assert (again.state().problem, again.state().breakers["mlflow"]) == ("", "closed")
    assert again.answer([row], ["p"], ["p"]) == [answer]
    assert not fresh.settings.mlflow.exists()


def test_the_files_are_the_registered_ones(registered):
    shop, where = registered
    source = Registry(shop.settings)
    assert hashlib.sha256(source.model(where)).hexdigest() == shop.model(1).digest
    folder = shop.settings.models / LOOP / "1"
    assert source.golden(where) == (folder / "golden.json").read_bytes()


def test_what_mlflow_does_not_have_is_told(registered):
    shop, where = registered
    with pytest.raises(ServingError, match=f"MLflow could not give models:/{LOOP}/9/model.onnx"):
        Registry(shop.settings).model(Remote(where.run_id, f"models:/{LOOP}/9"))


def test_a_deleted_registry_is_not_made_anew(tmp_path):
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(ServingError, match="MLflow has no database"):
        Registry(settings).model(Remote("r", "models:/shop/1"))
    assert not settings.mlflow.exists()


def test_a_wrong_file_from_mlflow_is_not_used(fresh, engine_of, monkeypatch):
    shutil.rmtree(fresh.settings.models)
    monkeypatch.setattr(remote, "_download", lambda *_: b"another model")
    engine = engine_of(fresh)
    until(lambda: "MLflow's models:/shop/1 holds another file" in engine.state().problem)
    assert not engine.state().ready
    assert list((manifest_path(fresh.settings, LOOP).parent / "blobs").glob("*")) == []


def test_a_registry_that_hangs_is_left_alone_and_serving_goes_on(fresh, engine_of, monkeypatch):
    asked = []

    def hang(*_):
        asked.append(1)
        time.sleep(60)
        return b""

    monkeypatch.setattr(remote, "_download", hang)
    source = Registry(fresh.settings, timeout=0.05)
    for _ in range(remote.FAILURES):
        with pytest.raises(ServingError, match=r"no answer within 0\.05 seconds"):
            source.model(Remote("r", "models:/shop/1"))
    assert source.breaker.state == "open"
    with pytest.raises(ServingError, match="MLflow failed several times in a row"):
        source.model(Remote("r", "models:/shop/1"))
    assert len(asked) == remote.FAILURES
    started = time.monotonic()
    assert engine_of(fresh).state().ready
    assert time.monotonic() - started < 5
