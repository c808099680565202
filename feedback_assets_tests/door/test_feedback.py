"""POST feedback: plain events, CloudEvents in three modes, repeats and conflicts."""

import pytest

from feedback_assets_tests.door.asked import NOW, Asked, ask, shop_in

ONE = "application/cloudevents+json"
MANY = "application/cloudevents-batch+json"
EVENT = {"prediction_id": "p-1", "value": 1}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_in(tmp_path_factory.mktemp("feedback"), train=False)


def test_an_event_is_stored_as_it_was_said(shop):
    async def work(asked: Asked):
        said = await asked.feedback(
            EVENT | {"event_id": "e-1", "kind": "correction", "value": True, "source": "clerk",
                     "confidence": 0.5, "event_time": "2026-02-28T12:00:00Z"}
        )  # fmt: skip
        return said, await asked.stored("feedback", "e-1")

    said, stored = ask(shop, work)
    assert (said.status_code, said.json()) == (202, {"event_id": "e-1", "state": "stored"})
    assert stored == {
        "event_id": "e-1", "prediction_id": "p-1", "kind": "correction", "value": "true",
        "event_us": NOW - 86_400_000_000, "received_us": NOW, "source": "clerk",
        "confidence": 0.5, "principal": "anyone",
    }  # fmt: skip


def test_feedback_may_come_before_its_prediction_and_without_an_id(shop):
    async def work(asked: Asked):
        said = await asked.feedback({"prediction_id": "not-yet", "value": 0})
        return said.json(), await asked.stored("feedback", said.json()["event_id"])

    said, stored = ask(shop, work)
    assert said["state"] == "stored"
    assert stored["event_id"] == said["event_id"]
    assert stored["kind"] is None


def test_the_same_event_again_is_repeated_another_is_a_conflict(shop):
    async def work(asked: Asked):
        event = EVENT | {"event_id": "e-2"}
        first = await asked.feedback(event)
        again = await asked.feedback(event)
        other = await asked.feedback(event | {"value": 0})
        batch = await asked.feedback(
            {"events": [event, event | {"value": 0}, EVENT | {"event_id": "e-3"}]}
        )
        lost = await asked.feedback({"events": [event | {"value": 0}]})
        return first, again, other, batch, lost

    first, again, other, batch, lost = ask(shop, work)
    assert [said.status_code for said in (first, again, other, batch, lost)] == [
        202, 202, 409, 202, 409,
    ]  # fmt: skip
    assert again.json() == {"event_id": "e-2", "state": "repeated"}
    assert [item["state"] for item in batch.json()["events"]] == ["repeated", "conflict", "stored"]
    assert lost.json()["errors"][0]["pointer"] == "/events/0/event_id"


def test_a_bad_event_refuses_its_batch(shop):
    async def work(asked: Asked):
        bad = [EVENT | {"event_id": "e-9"}, EVENT | {"value": "Zq7 secret"}]
        said = await asked.feedback({"events": bad})
        return said, await asked.stored("feedback", "e-9"), asked.refused

    said, stored, kept = ask(shop, work)
    assert said.status_code == 422
    assert "Zq7" not in said.text
    assert stored is None
    assert [entry.stream for entry in kept] == ["refused_feedback"]


def cloud(**changes):
    event = {
        "specversion": "1.0", "id": "c-1", "source": "/tills/7", "type": "feedback",
        "time": "2026-03-01T10:00:00Z", "datacontenttype": "application/json", "data": EVENT,
    }  # fmt: skip
    return {name: value for name, value in (event | changes).items() if value != "absent"}


def test_a_structured_cloudevent(shop):
    async def work(asked: Asked):
        said = await asked.feedback(cloud(traceparent="00-1", sampled=True), content_type=ONE)
        return said, await asked.stored("feedback", "c-1")

    said, stored = ask(shop, work)
    assert (said.status_code, said.json()) == (202, {"event_id": "c-1", "state": "stored"})
    assert (stored["source"], stored["event_us"]) == ("/tills/7", NOW - 7_200_000_000)


def test_a_batch_of_cloudevents(shop):
    async def work(asked: Asked):
        events = [cloud(id="c-2"), cloud(id="c-3", data=EVENT | {"source": "clerk"})]
        said = await asked.feedback(events, content_type=MANY)
        return said, (await asked.stored("feedback", "c-3"))["source"]

    said, source = ask(shop, work)
    assert [item["event_id"] for item in said.json()["events"]] == ["c-2", "c-3"]
    assert source == "clerk"


def test_a_cloudevent_in_headers(shop):
    headers = {
        "ce_specversion": "1.0", "ce_id": "c%20%C3%A9", "ce_source": "/tills", "ce_type": "feedback",
    }  # fmt: skip

    async def work(asked: Asked):
        said = await asked.feedback(EVENT, **headers)
        incomplete = await asked.feedback(EVENT, ce_id="c-5")
        strange = await asked.feedback(EVENT, **(headers | {"ce_id": "%FF%00"}))
        other = await asked.feedback({"prediction_id": "p", "value": 7}, **headers)
        return said, incomplete, strange, other

    said, incomplete, strange, other = ask(shop, work)
    assert said.json()["event_id"] == "c é"
    assert [one.status_code for one in (incomplete, strange, other)] == [422] * 3
    assert "/specversion" in incomplete.text
    assert other.json()["errors"][0]["pointer"] == "/value"


def test_equal_ids_of_two_senders_are_never_dropped_in_silence(shop):
    async def work(asked: Asked):
        first = await asked.feedback(cloud(id="c-7", source="/a"), content_type=ONE)
        other = await asked.feedback(cloud(id="c-7", source="/b"), content_type=ONE)
        return first.status_code, other.status_code

    assert ask(shop, work) == (202, 409)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"id": ""}, "/id"),
        ({"id": 7}, "/id"),
        ({"source": "absent"}, "/source"),
        ({"source": "audit"}, "/data/source"),
        ({"data": EVENT | {"source": "review"}}, "/data/source"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"time": "noon"}, "/data/event_time"),
        ({"time": 7}, "/time"),
        ({"data": "absent"}, "/data"),
        ({"data": "p-1"}, "/data"),
        ({"data": EVENT | {"value": 9}}, "/data/value"),
        ({"data": EVENT | {"event_id": "x"}}, "/data/event_id"),
        ({"datacontenttype": "text/xml"}, "/datacontenttype"),
        ({"data_base64": "e30="}, ""),
        ({"extension": {"a": 1}}, "/extension"),
    ],
)
def test_a_broken_cloudevent_is_refused_and_named(shop, changes, pointer):
    async def work(asked: Asked):
        one = await asked.feedback(cloud(**changes), content_type=ONE)
        many = await asked.feedback([cloud(id="c-9"), cloud(**changes)], content_type=MANY)
        return one, many, await asked.stored("feedback", "c-9")

    one, many, stored = ask(shop, work)
    assert (one.status_code, many.status_code) == (422, 422)
    places = [error["pointer"] for error in one.json()["errors"]]
    assert pointer in places or (not pointer and places == ["/data_base64"])
    assert f"/1{places[0]}" in [error["pointer"] for error in many.json()["errors"]]
    assert stored is None
