import hashlib
import json
import threading
from typing import Any

import msgspec
import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving.manifest import Published, manifest_path, read_manifest
from feedback_assets.serving.publish import publish, published
from feedback_assets_tests.serving.shop import LOOP, Shop


def test_what_is_published_is_read(shop: Shop) -> None:
    shop.publish(2, previous=1, challenger=1, stage="canary", decision_id="d7")
    found = read_manifest(shop.settings, LOOP)
    assert (found.generation, found.decision_id, found.schema) == (2, "d7", 1)
    assert found.champion
    assert found.challenger
    content = (shop.settings.root / found.champion.file).read_bytes()
    assert found.champion.digest == hashlib.sha256(content).hexdigest()
    assert found.champion.file == "models/shop/2/model.onnx"
    assert found.champion.golden == "models/shop/2/golden.json"
    assert (found.champion.stage, found.challenger.stage) == (None, "canary")
    assert [p.name for p in manifest_path(shop.settings, LOOP).parent.glob("*.tmp")] == []


def test_the_file_is_as_the_format_says(shop: Shop) -> None:
    raw = json.loads(manifest_path(shop.settings, LOOP).read_text("utf-8"))
    assert set(raw) == {
        "schema", "loop", "generation", "published_at", "decision_id", "champion", "previous",
        "challenger",
    }  # fmt: skip
    assert raw["previous"] is None
    assert {"version", "digest", "file", "golden", "mlflow"} <= set(raw["champion"])


def test_generations_grow_whoever_publishes(shop: Shop) -> None:
    champion = published(shop.settings, LOOP, 1)
    given: list[int] = []

    def work() -> None:
        given.extend(publish(shop.settings, LOOP, champion) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(2, 42))
    assert read_manifest(shop.settings, LOOP).generation == 41


def test_a_damaged_manifest_is_replaced_and_still_counted(shop: Shop) -> None:
    shop.publish(1)
    path = manifest_path(shop.settings, LOOP)
    path.write_bytes(path.read_bytes()[:90])
    assert shop.publish(1) == 3
    path.write_bytes(b"\xff garbage")
    assert shop.publish(1) == 1


def changed(shop: Shop, **parts: Any) -> None:
    path = manifest_path(shop.settings, LOOP)
    path.write_bytes(msgspec.json.encode({**json.loads(path.read_bytes()), **parts}))


CHAMPION = {"version": 1, "digest": "a" * 64, "file": "models/shop/1/model.onnx"}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"schema": 0}, "schema 0, this release reads 1: publish again"),
        ({"schema": 2}, "schema 2, this release reads 1"),
        ({"loop": "other"}, "is of the loop other"),
        ({"generation": "x"}, "damaged"),
        ({"generation": 0}, "damaged"),
        ({"more": 1}, "damaged"),
        ({"champion": {**CHAMPION, "file": "/etc/passwd"}}, "outside the home"),
        ({"previous": {**CHAMPION, "file": "a/../../x"}}, "outside the home"),
        ({"champion": {**CHAMPION, "golden": "../golden.json"}}, "outside the home"),
        ({"champion": {**CHAMPION, "digest": "xyz"}}, "damaged"),
        ({"champion": {**CHAMPION, "version": 0}}, "damaged"),
        ({"champion": {**CHAMPION, "mlflow": {"run_id": "r", "artifact": "http://x/y"}}}, "damag"),
        ({"challenger": CHAMPION}, "challenger.stage must be shadow or canary"),
    ],
)
def test_a_wrong_manifest_is_refused(shop: Shop, parts: dict[str, Any], words: str) -> None:
    changed(shop, **parts)
    with pytest.raises(ServingError, match=words):
        read_manifest(shop.settings, LOOP)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": 1}'])
def test_garbage_is_refused(shop: Shop, content: bytes) -> None:
    manifest_path(shop.settings, LOOP).write_bytes(content)
    with pytest.raises(ServingError, match="publish again"):
        read_manifest(shop.settings, LOOP)


def test_every_cut_of_a_manifest_is_refused(shop: Shop) -> None:
    path = manifest_path(shop.settings, LOOP)
    whole = path.read_bytes().rstrip()
    for end in range(0, len(whole), 13):
        path.write_bytes(whole[:end])
        with pytest.raises(ServingError):
            read_manifest(shop.settings, LOOP)


def test_an_absent_manifest_says_what_to_do(shop: Shop) -> None:
    manifest_path(shop.settings, LOOP).unlink()
    with pytest.raises(ServingError, match="no model of shop was published yet"):
        read_manifest(shop.settings, LOOP)


def test_only_the_registered_file_is_published(shop: Shop) -> None:
    with pytest.raises(ServingError, match="no usable version 9"):
        published(shop.settings, LOOP, 9)
    file = shop.settings.models / LOOP / "1" / "model.onnx"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ServingError, match="not the registered file: restore it from MLflow"):
        published(shop.settings, LOOP, 1)


def test_a_challenger_needs_a_stage(shop: Shop) -> None:
    model = published(shop.settings, LOOP, 1)
    with pytest.raises(ServingError, match=r"challenger\.stage"):
        publish(shop.settings, LOOP, model, challenger=model)
    assert isinstance(model, Published)
