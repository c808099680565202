"""MLflow and the models folder are gone: the service goes on, and starts again."""

import json
import shutil
import time

import pytest

from feedback_assets.serving.manifest import Remote
from feedback_assets.serving.publish import publish, published
from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.load import Load
from feedback_assets_tests.door.proof.recount import Recount
from feedback_assets_tests.door.proof.stored import stored
from feedback_assets_tests.serving.shop import LOOP


@pytest.fixture
def door(tmp_path):
    with living(tmp_path, versions=3) as opened:
        yield opened


def _publish(door, champion, previous=None):
    """Publish models that MLflow is said to have, as promotions do."""
    settings = door.shop.settings

    def of(version):
        found = version and published(settings, LOOP, version)
        remote = Remote(run_id="0" * 32, artifact=f"models:/{LOOP}/{version}")
        return found and type(found)(
            version=found.version, digest=found.digest, file=found.file, golden=found.golden,
            mlflow=remote, stage=found.stage,
        )  # fmt: skip

    return publish(settings, LOOP, of(champion), of(previous))


def _answers(door, count=20):
    with door.http() as client:
        rows = [door.row(i) for i in range(count)]
        answer = client.post(f"/v1/{LOOP}/predict", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


@pytest.mark.parametrize(
    "registry",
    [
        "damaged",
        pytest.param("absent", marks=pytest.mark.chaos),
        pytest.param("a folder", marks=pytest.mark.chaos),
    ],
)
def test_serving_goes_on_and_starts_again(door, registry):
    recount = Recount(door.shop, (1, 2, 3))
    settings = door.shop.settings
    door.wait_for(_publish(door, 2, 1))
    before = {a["model_version"] for a in _answers(door)}
    with Load(door, clients=2, pause=0.01) as load:
        shutil.rmtree(settings.mlflow, ignore_errors=True)
        if registry == "damaged":
            settings.mlflow.mkdir()
            (settings.mlflow / "mlflow.db").write_bytes(b"no database" * 1_000)
        if registry == "a folder":
            (settings.mlflow / "mlflow.db").mkdir(parents=True)
        settings.models.rename(settings.models.with_name("models-gone"))
        time.sleep(1.5)
    assert not load.failures, load.failures[:3]
    assert before == {a["model_version"] for a in load.answers} == {"2"}

    door.restart()
    after = _answers(door)
    assert {(a["model_version"], a["answered_by"]) for a in after} == {("2", "champion")}
    assert recount.worst(stored(settings, "predictions")) <= 1e-6
    with door.http() as client:
        assert client.get("/readyz").status_code == 200


@pytest.mark.chaos
def test_a_version_that_nobody_has_changes_nothing(door):
    """It is told as a problem, the champion goes on, and the file that comes back is taken."""
    settings = door.shop.settings
    door.wait_for(_publish(door, 2, 1))
    manifest = settings.serving / LOOP / "manifest.json"
    generation = _publish(door, 3, 2)
    said = json.loads(manifest.read_text())
    door.wait_for(_publish(door, 2, 1))
    lost = settings.models / LOOP / "3"
    aside = lost.with_name("aside")
    lost.rename(aside)
    for blob in (settings.serving / LOOP).glob(f"blobs/{said['champion']['digest']}*"):
        blob.unlink()
    said["generation"] = generation + 2
    manifest.with_name(".new").write_text(json.dumps(said))
    manifest.with_name(".new").replace(manifest)
    with Load(door, clients=2, pause=0.02) as load:
        time.sleep(2)
    assert not load.failures
    assert {a["model_version"] for a in load.answers} == {"2"}
    with door.http() as client:
        assert "3" in client.get(f"/v1/{LOOP}/model").json()["problem"]
        aside.rename(lost)
        until = time.monotonic() + 90
        while time.monotonic() < until and _answers(door, 1)[0]["model_version"] != "3":
            time.sleep(0.5)
    assert _answers(door, 1)[0]["model_version"] == "3"
