"""Models change under load: no request fails, and each prediction names the model that made it."""

import time

import pytest

from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.load import Load
from feedback_assets_tests.door.proof.recount import Recount
from feedback_assets_tests.door.proof.stored import newest, stored

VERSIONS = (1, 2, 3)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("swap"), versions=3) as opened:
        yield opened


def test_swaps_short(door, record_property):
    _proof(door, 6, record_property)


@pytest.mark.chaos
def test_swaps_fifty(door, record_property):
    _proof(door, 50, record_property)


def _proof(door, swaps, record_property):
    after = newest(door.shop.settings)
    recount = Recount(door.shop, VERSIONS)
    with Load(door, clients=4, pause=0.002) as load:
        for number in range(swaps):
            # Forward, forward, and back again: every third one is a rollback.
            champion, previous = [(2, 1), (3, 2), (1, 3)][number % 3]
            door.wait_for(door.shop.publish(champion, previous))
            time.sleep(0.05)
    told = f"hot swap: swaps {swaps}, answers {len(load.answers):,}, failed {len(load.failures)}"
    record_property("figures", told)
    assert not load.failures, load.failures[:5]
    assert load.reconnects == 0
    assert len(load.answers) > swaps * 10
    logged = {e["key"]: e for e in stored(door.shop.settings, "predictions", after)}
    assert {a["prediction_id"] for a in load.answers} == set(logged)
    for answer in load.answers:
        entry = logged[answer["prediction_id"]]
        assert answer["model_version"] == entry["model_version"]
        assert answer["score"] == pytest.approx(entry["score"], abs=1e-12)
        assert entry["answered_by"] == "champion"
        assert entry["model_digest"] == recount.digests[entry["model_version"]]
    assert {e["model_version"] for e in logged.values()} == {"1", "2", "3"}
    assert recount.worst(list(logged.values())) <= 1e-6
    others = {"1": "2", "2": "3", "3": "1"}
    lied = [e | {"model_version": others[e["model_version"]]} for e in logged.values()]
    assert recount.worst(lied) > 1e-3  # the versions can be told apart, so the proof can fail


def test_a_damaged_model_changes_nothing(door):
    """The digest does not fit: the door goes on with what it had and says why."""
    file = door.shop.settings.models / "shop" / "2" / "model.onnx"
    door.wait_for(door.shop.publish(1))
    manifest = door.shop.settings.serving / "shop" / "manifest.json"
    good = file.read_bytes()
    generation = door.shop.publish(2, 1)
    door.wait_for(generation)
    generation = door.shop.publish(1)
    door.wait_for(generation)
    try:
        said = manifest.read_text().replace('"version": 1,', '"version": 2,')
        file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        digest = Recount(door.shop, [1]).digests["1"]
        said = said.replace("shop/1/", "shop/2/").replace(digest, "0" * 64)
        said = said.replace(f'"generation": {generation}', f'"generation": {generation + 1}')
        manifest.with_name(".new").write_text(said)
        manifest.with_name(".new").replace(manifest)
        with Load(door, clients=2, pause=0.01) as load:
            time.sleep(1.5)
        assert not load.failures
        assert {a["model_version"] for a in load.answers} == {"1"}
        with door.http() as client:
            told = client.get("/v1/shop/model").json()
        assert told["champion"]["version"] == 1
        assert told["problem"]
    finally:
        file.write_bytes(good)
        door.shop.publish(1)


@pytest.mark.chaos
def test_a_mutant_that_names_the_wrong_model_is_found(tmp_path):
    with living(tmp_path, versions=3, mutant="names_the_newest") as broken, Load(broken) as load:
        for champion, previous in ((2, 1), (3, 2), (1, 3)):
            broken.shop.publish(champion, previous)
            time.sleep(1.0)
        entries = stored(broken.shop.settings, "predictions")
    assert load.answers
    assert Recount(broken.shop, VERSIONS).worst(entries) > 1e-3
