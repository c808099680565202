import shutil

import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving.publish import published
from feedback_assets.serving.remote import Registry
from feedback_assets.serving.store import Store
from feedback_assets_tests.serving.shop import LOOP
from feedback_assets_tests.serving.waiting import until


def blobs(shop):
    return {p.name for p in (shop.settings.serving / LOOP / "blobs").glob("*")}


def copies(shop, *versions):
    digests = [shop.model(v).digest for v in versions]
    return {f"{d}.{ending}" for d in digests for ending in ("onnx", "golden.json")}


def store(shop):
    return Store(shop.settings, LOOP, Registry(shop.settings))


def test_copies_are_kept_of_those_who_may_answer_and_of_no_others(shop, engine_of):
    shop.train(3, seed=3)
    engine = engine_of(shop)
    assert blobs(shop) == copies(shop, 1)
    shop.publish(2, previous=1, challenger=3)
    until(lambda: blobs(shop) == copies(shop, 1, 2, 3))
    shop.publish(3, previous=2)
    until(lambda: blobs(shop) == copies(shop, 2, 3))
    assert engine.state().problem == ""


def test_manifest_and_copies_are_enough(shop, engine_of):
    shop.publish(2, previous=1)
    row = shop.row(0)
    before = engine_of(shop).answer([row], ["p"], ["p"])
    shutil.rmtree(shop.settings.models)
    engine = engine_of(shop)
    assert engine.state().problem == ""
    assert engine.state().previous.version == 1
    assert engine.answer([row], ["p"], ["p"]) == before


def test_a_corrupt_copy_is_not_used_and_is_replaced(shop, engine_of):
    engine_of(shop).close()
    copy = shop.settings.serving / LOOP / "blobs" / f"{shop.model(1).digest}.onnx"
    good = copy.read_bytes()
    copy.write_bytes(good[:-1] + b"\0")
    engine = engine_of(shop)
    assert engine.state().champion.version == 1
    assert copy.read_bytes() == good


def test_no_place_has_it(shop):
    about = published(shop.settings, LOOP, 1)
    (shop.settings.root / about.file).write_bytes(b"x")
    with pytest.raises(ServingError) as raised:
        store(shop).fetch(about)
    for words in ("No such file", "another file than the published", "Restore models/shop/1"):
        assert words in str(raised.value)


def test_golden_rows_that_are_lost_are_told(shop, engine_of):
    (shop.settings.models / LOOP / "1" / "golden.json").unlink()
    engine = engine_of(shop)
    assert engine.state().champion.version == 1
    assert "version 1 answers unchecked: its golden rows are lost" in engine.state().problem
    model = engine._hot.lineup.champion
    engine._hot._load(engine._hot._signature(), remote=True)
    assert engine._hot.lineup.champion is model  # a look in vain is no swap
    shop.train(1, seed=1)
    until(lambda: engine.state().problem == "")


def test_a_folder_in_the_place_of_a_file_is_told(shop, engine_of):
    for name in ("golden.json", "model.onnx"):
        path = shop.settings.models / LOOP / "1" / name
        path.unlink()
        path.mkdir()
    assert "Is a directory" in engine_of(shop).state().problem


def test_a_refused_model_leaves_no_copy(shop, engine_of):
    engine = engine_of(shop)
    (shop.settings.models / LOOP / "2" / "golden.json").write_bytes(b"{}")
    shop.publish(2)
    until(lambda: "golden rows are damaged" in engine.state().problem)
    assert blobs(shop) == copies(shop, 1)


def test_a_full_disk_does_not_stop_a_model(shop, engine_of, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("feedback_assets.serving.store.write_atomically", full)
    engine = engine_of(shop)
    assert engine.state().champion.version == 1
    assert "no copy could be kept" in engine.state().problem
    assert engine.answer([shop.row(0)], ["p"], ["p"])[0].answered_by == "champion"
