"""POST predict and what becomes of it: the log, ids, batches, failures."""

import json

import pytest

from feedback_assets.door.options import DoorOptions
from feedback_assets.errors import InboxClosedError, InboxFullError
from feedback_assets_tests.door.asked import NOW, OPEN, Asked, ask, shop_in

JSON = "application/json"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_in(tmp_path_factory.mktemp("predict"))


def test_a_row_is_answered_and_logged(shop):
    async def work(asked: Asked):
        row = shop.row(0) | {"region": "north", "event_time": "2026-03-01T11:00:00"}
        said = await asked.predict(row)
        return said, await asked.stored("predictions", said.json()["prediction_id"])

    said, stored = ask(shop, work)
    item = said.json()
    assert (said.status_code, said.headers["content-type"]) == (200, JSON)
    assert set(item) == {
        "prediction_id", "score", "prediction", "model_version", "arm", "answered_by",
    }  # fmt: skip
    assert item["model_version"] == "1"
    assert stored["features"] == shop.row(0) | {"region": "north"}
    assert (stored["event_us"], stored["received_us"]) == (NOW - 3_600_000_000, NOW)
    assert {name: stored[name] for name in ("score", "prediction", "model_version")} == {
        name: item[name] for name in ("score", "prediction", "model_version")
    }
    assert stored["stick"] == stored["id"] == item["prediction_id"]
    assert stored["propensity"] == 1
    assert stored["principal"] == "anyone"
    assert stored["latency_us"] > 0


def test_ids_given_by_the_door_sort_by_time(shop):
    async def work(asked: Asked):
        found = []
        for _ in range(5):
            found.append((await asked.predict(shop.row(1))).json()["prediction_id"])
            asked.now += 1
        return found

    found = ask(shop, work)
    assert found == sorted(set(found))
    assert all(len(one) == 32 for one in found)


def test_the_same_row_again_gets_the_stored_answer_another_row_is_a_conflict(shop):
    async def work(asked: Asked):
        row = shop.row(2) | {"prediction_id": "same"}
        first = await asked.predict(row)
        asked.now += 1_000_000
        again = await asked.predict(dict(reversed(row.items())))
        other = await asked.predict(shop.row(3) | {"prediction_id": "same"})
        timed = await asked.predict(row | {"event_time": NOW})
        return first, again, other, timed

    first, again, other, timed = ask(shop, work)
    assert (again.status_code, again.content) == (200, first.content)
    for said in (other, timed):
        assert said.status_code == 409
        assert said.json()["errors"][0]["pointer"] == "/prediction_id"
        assert "same" not in said.text


def test_a_batch_tells_each_row(shop):
    async def work(asked: Asked):
        await asked.predict(shop.row(2) | {"prediction_id": "b1"})
        rows = [
            shop.row(2) | {"prediction_id": "b1"}, shop.row(3) | {"prediction_id": "b1"},
            shop.row(4), shop.row(4) | {"prediction_id": "b2"}, shop.row(4) | {"prediction_id": "b2"},
        ]  # fmt: skip
        mixed = await asked.predict({"rows": rows})
        only = await asked.predict({"rows": [rows[1]]})
        return mixed, only

    mixed, only = ask(shop, work)
    items = mixed.json()["predictions"]
    assert mixed.status_code == 200
    assert items[1] == {"prediction_id": "b1", "state": "conflict"}
    assert [item.get("model_version") for item in items] == ["1", None, "1", "1", "1"]
    assert items[3] == items[4]
    assert (only.status_code, only.json()["errors"][0]["pointer"]) == (409, "/rows/0/prediction_id")


def test_one_bad_row_refuses_all_and_keeps_them_apart(shop):
    async def work(asked: Asked):
        rows = [shop.row(0) | {"prediction_id": "fine"}, shop.row(1) | {"amount": "Zq7 secret"}]
        said = await asked.predict({"rows": rows})
        return said, await asked.stored("predictions", "fine"), refusals(asked)

    said, stored, kept = ask(shop, work)
    assert (said.status_code, said.headers["content-type"]) == (422, PROBLEM)
    assert said.json()["errors"] == [{"pointer": "/rows/1/amount", "detail": "must be a number"}]
    assert stored is None
    assert [(one["path"], "Zq7 secret" in one["line"], "Zq7" in one["reason"]) for one in kept] == [
        ("/v1/shop/predict", True, False)
    ]


def refusals(asked: Asked) -> list[dict]:
    """Refused payloads of this application, oldest first."""
    return [json.loads(entry.body) for entry in asked.refused]


def test_many_rows_are_scored_in_a_thread(shop):
    async def work(asked: Asked):
        many = await asked.predict({"rows": shop.rows(100)})
        one = [await asked.predict(shop.row(i)) for i in (0, 99)]
        return many.json()["predictions"], [said.json() for said in one]

    many, one = ask(shop, work)
    assert len(many) == 100
    assert [many[i]["score"] for i in (0, 99)] == pytest.approx([o["score"] for o in one], abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("", b"{}", 415),
        ("application/json; charset=utf-8", b'{"amount": 1}', 200),
        ("Application/JSON", b'{"amount": 1}', 200),
        ("application/cloudevents+json", b"{}", 415),
        ("application/json", b"", 400),
        ("application/json", b"x" * 2_000_000, 413),
    ],
)
def test_what_kind_of_body(shop, kind, body, status):
    async def work(asked: Asked):
        return await asked.post("/v1/shop/predict", body, content_type=kind)

    said = ask(shop, work)
    assert said.status_code == status
    assert status == 200 or said.headers["content-type"] == PROBLEM


def test_compressed_bodies_are_not_taken(shop):
    said = ask(shop, lambda asked: asked.predict(b"\x1f\x8b", content_encoding="gzip"))
    assert said.status_code == 415


def test_an_inbox_that_takes_nothing(shop):
    why = []

    async def work(asked: Asked):
        found = []
        for error in (InboxFullError("full"), InboxClosedError("input/output error")):
            asked.fail_with = error
            found.append(await asked.predict(shop.row(0)))
            found.append(await asked.feedback({"prediction_id": "p", "value": 1}))
        asked.fail_with = None
        return found

    found = ask(shop, work, DoorOptions(open_to_all=True, stop=why.append))
    for said in found:
        assert (said.status_code, said.headers["retry-after"]) == (503, "1")
        assert "input/output" not in said.text
    assert why == ["input/output error"] * 2


def test_without_a_model_and_without_a_fallback(tmp_path):
    bare = shop_in(tmp_path, train=False)

    async def work(asked: Asked):
        said = await asked.predict(bare.row(0))
        return said, await asked.get("/readyz"), await asked.get("/healthz")

    said, ready, health = ask(bare, work)
    assert (said.status_code, said.headers["retry-after"]) == (503, "1")
    assert (ready.status_code, health.status_code) == (503, 200)
    assert ready.json() == {"ready": False, "loops": {"shop": False}}


def test_a_default_answer_carries_its_warning(tmp_path):
    bare = shop_in(tmp_path, train=False, serve={"default": {"score": 0.25}})
    item = ask(bare, lambda asked: asked.predict(bare.row(0))).json()
    assert (item["score"], item["model_version"], item["answered_by"]) == (
        0.25,
        "default",
        "default",
    )
    assert item["warning"]


def test_a_key_that_sticks(tmp_path):
    sticky = shop_in(tmp_path, serve={"routing": {"key": "country"}})

    async def work(asked: Asked):
        rows = [{"country": "de", "prediction_id": "a"}, {"prediction_id": "b"}]
        await asked.predict({"rows": rows})
        return [(await asked.stored("predictions", key))["stick"] for key in "ab"]

    assert ask(sticky, work) == ["de", "b"]


def test_the_challenger_in_shadow_scores_after_the_answer(tmp_path):
    tried = shop_in(tmp_path, serve={"routing": {"shadow_percent": 100}})
    tried.train(2, seed=2)
    tried.publish(1, challenger=2)

    async def work(asked: Asked):
        import asyncio

        said = await asked.predict(tried.row(0) | {"prediction_id": "p"})
        for _ in range(200):
            found = await asked.stored("shadow", "p~2")
            if found:
                break
            await asyncio.sleep(0.02)
        return said.json(), found

    item, shadow = ask(tried, work)
    assert (item["arm"], item["model_version"]) == ("shadow", "1")
    assert (shadow["id"], shadow["model_version"]) == ("p", "2")


@pytest.mark.parametrize("kind", ["multiclass", "regression", "text"])
def test_other_labels(tmp_path, kind):
    other = shop_in(tmp_path, kind)
    item = ask(other, lambda asked: asked.predict(other.row(0))).json()
    assert ("class_scores" in item) == (kind == "multiclass")
    if kind == "multiclass":
        assert item["prediction"] == max(item["class_scores"], key=item["class_scores"].get)


def test_a_replay_keeps_the_stated_times(shop):
    async def work(asked: Asked):
        at = NOW - 10**12
        await asked.predict(shop.row(0) | {"prediction_id": "r1", "event_time": at})
        await asked.predict(
            shop.row(0) | {"prediction_id": "r2", "event_time": at, "received_time": at + 5}
        )
        await asked.feedback(
            {"prediction_id": "r1", "value": 1, "event_id": "re", "received_time": at + 9}
        )
        stored = [await asked.stored("predictions", key) for key in ("r1", "r2")]
        event = await asked.stored("feedback", "re")
        return at, [one["received_us"] for one in stored], event["received_us"]

    at, received, event = ask(shop, work, DoorOptions(replay=True, open_to_all=True))
    assert received == [at, at + 5]
    assert event == at + 9
    assert OPEN.replay is False
