"""Idempotency-Key: one request, one answer."""

import asyncio

import pytest

from feedback_assets.door.options import DoorOptions
from feedback_assets.door.tokens import TokenFile
from feedback_assets_tests.door.asked import Asked, ask, shop_in


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_in(tmp_path_factory.mktemp("idempotency"))


def test_the_same_request_again_is_answered_from_the_log(shop):
    async def work(asked: Asked):
        first = await asked.predict(shop.row(0), idempotency_key="k-1")
        asked.now += 1
        again = await asked.predict(shop.row(0), idempotency_key="k-1")
        other = await asked.predict(shop.row(1), idempotency_key="k-1")
        event = await asked.feedback({"prediction_id": "p", "value": 1}, idempotency_key="k-2")
        event_again = await asked.feedback(
            {"prediction_id": "p", "value": 1}, idempotency_key="k-2"
        )
        return first, again, other, event, event_again

    first, again, other, event, event_again = ask(shop, work)
    assert (first.status_code, "idempotency-replayed" in first.headers) == (200, False)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    assert (event.status_code, event_again.status_code) == (202, 200)
    assert event_again.content == event.content


def test_an_answer_survives_a_restart(shop):
    first = ask(shop, lambda asked: asked.predict(shop.row(0), idempotency_key="k-3"))
    again = ask(shop, lambda asked: asked.predict(shop.row(0), idempotency_key="k-3"))
    assert again.content == first.content


def test_two_at_once_are_answered_once(shop):
    async def work(asked: Asked):
        asked.slow = 0.2
        both = await asyncio.gather(
            *(asked.predict(shop.row(0), idempotency_key="k-4") for _ in range(2))
        )
        after = await asked.predict(shop.row(0), idempotency_key="k-4")
        return both, after

    both, after = ask(shop, work)
    assert sorted(said.status_code for said in both) == [200, 409]
    busy = max(both, key=lambda said: said.status_code)
    assert busy.headers["retry-after"] == "1"
    assert after.headers["idempotency-replayed"] == "true"


def test_a_refused_request_may_be_put_right_under_its_key(shop):
    async def work(asked: Asked):
        bad = await asked.predict({"amount": "x"}, idempotency_key="k-5")
        good = await asked.predict({"amount": 1}, idempotency_key="k-5")
        return bad.status_code, good.status_code

    assert ask(shop, work) == (422, 200)


def test_a_repeated_row_is_kept_too(shop):
    async def work(asked: Asked):
        row = shop.row(5) | {"prediction_id": "twice"}
        await asked.predict(row)
        first = await asked.predict(row, idempotency_key="k-6")
        again = await asked.predict(row, idempotency_key="k-6")
        return first, again

    first, again = ask(shop, work)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_what_the_headers_ask_is_part_of_the_request(shop):
    said = {"ce_specversion": "1.0", "ce_source": "/a", "ce_type": "f", "idempotency_key": "k-7"}

    async def work(asked: Asked):
        event = {"prediction_id": "p", "value": 1}
        first = await asked.feedback(event, ce_id="1", **said)
        other = await asked.feedback(event, ce_id="2", **said)
        return first.status_code, other.status_code

    assert ask(shop, work) == (202, 422)


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "é"])
def test_a_key_that_cannot_be_one(shop, key):
    async def work(asked: Asked):
        return await asked.http.post(
            "/v1/shop/predict",
            json=shop.row(0),
            headers=[("idempotency-key", key.encode())],
        )

    assert ask(shop, work).status_code == 400


def test_nobody_is_given_anothers_answer(tmp_path):
    shop = shop_in(tmp_path)
    tokens = [TokenFile(shop.settings).create(n, ["predict"], ["shop"], 1) for n in ("a", "b")]

    async def work(asked: Asked):
        return [
            await asked.predict(
                shop.row(i), idempotency_key="k", authorization=f"Bearer {tokens[i]}"
            )
            for i in (0, 1)
        ]

    found = ask(shop, work, DoorOptions())
    assert [said.status_code for said in found] == [200, 200]
    assert "idempotency-replayed" not in found[1].headers
