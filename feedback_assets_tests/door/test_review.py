"""The review endpoints: who may ask, what is told and what never is, every answer stored once."""

import datetime as dt

import pytest

from feedback_assets.config.schema import Label
from feedback_assets.door.moments import EPOCH
from feedback_assets.door.options import DoorOptions
from feedback_assets.door.reviewbodies import one_spelling, value_check
from feedback_assets.errors import ReviewError
from feedback_assets_tests.door.asked import NOW as NOW_US
from feedback_assets_tests.door.asked import Asked, ask
from feedback_assets_tests.door.counted import parsed, value
from feedback_assets_tests.door.reviewed import REASON, ReviewedShop

NOW = EPOCH + dt.timedelta(microseconds=NOW_US)
BASE = "/v1/shop/review"
MINUTE_US = 60_000_000


def answer(asked: Asked, task: str, said_value, name="a1", **more):
    body = {"annotation_id": name, "value": said_value} | more
    return asked.post(f"{BASE}/{task}/answer", body)


def test_a_question_tells_nothing_that_would_pull_or_give_away(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(1, NOW, strategy="golden", known="1")

    async def work(asked: Asked):
        return (await asked.get(f"{BASE}/next")).json()

    told = ask(shop.shop, work)
    task = told["task"]
    assert (task["task_id"], task["prediction_id"], task["reason"]) == ("t0", "p0", REASON)
    assert task["row"] == shop.shop.row(0) | {"region": "north"}
    assert task["opinion"] is None
    # Golden rows may be older than any other: not even the row's time is told.
    secret = {"strategy", "known", "probability", "priority", "batch", "event_time"}
    assert not secret & set(task)
    assert task["lease_until"] == "2026-03-01T12:20:00Z"
    assert told["progress"]["left"] == 1


def test_an_answer_is_stored_once_however_often_it_is_sent(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(2, NOW)

    async def work(asked: Asked):
        first = await answer(asked, "t0", True, duration_seconds=3.5, confidence=0.75, note="n")
        asked.now += MINUTE_US  # the answer was lost on its way back
        again = await answer(asked, "t0", 1, waited_seconds=60)
        other = await answer(asked, "t0", 0, "a2")
        taken = await answer(asked, "t1", 1)
        metrics = (await asked.get("/metrics")).content
        return [first, again, other, taken], parsed(metrics)

    found, metrics = ask(shop.shop, work)
    assert [said.status_code for said in found] == [200, 200, 409, 409]
    assert [said.json()["state"] for said in found[:2]] == ["stored", "repeated"]
    (stored,) = shop.store.answers()
    kept = stored.answer
    assert (kept.annotator, kept.value, kept.route, kept.said) == ("anyone", "1", "page", "label")
    assert (kept.duration_seconds, kept.confidence, kept.note) == (3.5, 0.75, "n")
    assert (kept.answered_at, stored.received_at) == (NOW, NOW)
    counted = {
        outcome: value(metrics, "review_answers_total", model="shop", route="page", outcome=outcome)
        for outcome in ("stored", "repeated", "conflict")
    }
    assert counted == {"stored": 1, "repeated": 1, "conflict": 2}
    assert value(metrics, "review_answer_seconds_count", model="shop") == 1


def test_an_answer_that_waited_is_dated_back(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(2, NOW - dt.timedelta(minutes=2))

    async def work(asked: Asked):
        await answer(asked, "t0", 0, "a0", waited_seconds=90.5)
        await answer(asked, "t1", 0, "a1", waited_seconds=86_400)

    ask(shop.shop, work)
    waited = [one.received_at - one.answer.answered_at for one in shop.store.answers()]
    # Never before it was asked, whatever a browser says.
    assert waited == [dt.timedelta(seconds=90.5), dt.timedelta(minutes=2)]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("binary", {1: "1", False: "0"}, ["yes", 2, None, "1", [1]]),
        ("multiclass", {"look": "look"}, ["Look", 1, True, None, {}]),
        ("regression", {2: "2.0", -0.5: "-0.5", 1e22: "1e+22"}, ["2", True, None, 10**400]),
    ],
)
def test_values_are_those_of_the_label_in_their_one_spelling(tmp_path, kind, good, bad):
    shop = ReviewedShop(tmp_path, kind)
    shop.ask(len(good), NOW)

    async def work(asked: Asked):
        refused = [await answer(asked, "t0", said) for said in bad]
        for place, said in enumerate(good):
            assert (await answer(asked, f"t{place}", said, f"a{place}")).status_code == 200
        return refused

    for said in ask(shop.shop, work):
        assert said.status_code == 422
        assert said.json()["errors"][0]["pointer"] == "/value"
    assert [one.answer.value for one in shop.store.answers()] == list(good.values())


def test_classes_that_look_like_other_values_are_kept_as_they_are_called():
    label = Label(kind="multiclass", classes=["true", "2", "1.5", " x"])
    check = value_check(label)
    for said, text in ((True, "true"), (2.0, "2"), (1.5, "1.5"), (" x", " x")):
        assert check(said) is None
        assert one_spelling(label, said) == text
    assert all(check(said) for said in (False, "x", 1, {}))


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (b"", 400, None),
        (b'{"annotation_id": "a", "value": 1, "value": 0}', 400, None),
        (b'{"annotation_id": "a", "value": NaN}', 400, None),
        (b"[]", 422, ""),
        (b'{"value": 1}', 422, "/annotation_id"),
        (b'{"annotation_id": "a\\u0000", "value": 1}', 422, "/annotation_id"),
        (b'{"annotation_id": "a"}', 422, "/value"),
        (b'{"annotation_id": "a", "value": 1, "annotator": "eve"}', 422, "/annotator"),
        (b'{"annotation_id": "a", "value": 1, "confidence": 1.5}', 422, "/confidence"),
        (b'{"annotation_id": "a", "value": 1, "confidence": true}', 422, "/confidence"),
        (b'{"annotation_id": "a", "value": 1, "duration_seconds": -1}', 422, "/duration_seconds"),
        (b'{"annotation_id": "a", "value": 1, "waited_seconds": 1e999}', 422, "/waited_seconds"),
        (b'{"annotation_id": "a", "value": 1, "saw_opinion": 1}', 422, "/saw_opinion"),
        (b'{"annotation_id": "a", "value": 1, "note": 7}', 422, "/note"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_place(tmp_path, body, status, place):
    shop = ReviewedShop(tmp_path)
    shop.ask(1, NOW)
    said = ask(shop.shop, lambda asked: asked.post(f"{BASE}/t0/answer", body))
    assert said.status_code == status
    assert place is None or said.json()["errors"][0]["pointer"] == place
    assert list(shop.store.answers()) == []


def test_skips_and_undone_answers(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(3, NOW)

    async def work(asked: Asked):
        assert (await answer(asked, "t0", 1, "a0")).status_code == 200
        skip = await asked.post(f"{BASE}/t1/skip", {"annotation_id": "a1", "note": "blurred"})
        not_last = await asked.post(f"{BASE}/undo", {"annotation_id": "a0"})
        undone = [await asked.post(f"{BASE}/undo", {"annotation_id": "a1"}) for _ in range(2)]
        asked.now += MINUTE_US
        resumed = (await asked.get(f"{BASE}/next")).json()["task"]
        await answer(asked, "t1", 0, "a2")
        asked.now += 21 * MINUTE_US
        late = await asked.post(f"{BASE}/undo", {"annotation_id": "a2"})
        return skip, not_last, undone, resumed, late

    skip, not_last, undone, resumed, late = ask(shop.shop, work)
    assert skip.json()["state"] == "stored"
    assert [said.status_code for said in (not_last, *undone, late)] == [409, 200, 200, 409]
    assert undone[0].json() == undone[1].json()
    assert undone[0].json()["task"]["task_id"] == resumed["task_id"] == "t1"
    assert resumed["resumed"]
    assert shop.said() == {"p0": ("anyone", "1"), "p1": ("anyone", "0")}


def test_the_opinion_is_told_on_request_and_that_is_kept(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(2, NOW)

    async def work(asked: Asked):
        told = await asked.get(f"{BASE}/t0/opinion")
        missing = await asked.get(f"{BASE}/none/opinion")
        await answer(asked, "t0", 1, "a0", saw_opinion=False)
        await answer(asked, "t1", 1, "a1")
        return told, missing

    told, missing = ask(shop.shop, work)
    assert told.json()["opinion"] == shop.task(0, NOW).opinion
    assert missing.status_code == 404
    assert [one.answer.saw_opinion for one in shop.store.answers()] == [True, False]


def test_an_opinion_that_is_never_hidden_was_always_seen(tmp_path):
    shop = ReviewedShop(tmp_path, hide_opinion=False)
    shop.ask(1, NOW)

    async def work(asked: Asked):
        told = (await asked.get(f"{BASE}/next")).json()["task"]["opinion"]
        await answer(asked, "t0", 1)
        return told

    assert ask(shop.shop, work)["prediction"] == "1"
    assert [one.answer.saw_opinion for one in shop.store.answers()] == [True]


def test_the_annotator_is_the_tokens_name_and_two_people_get_two_questions(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(2, NOW)
    people = {name: shop.token(name) for name in ("ada", "bob")}
    others = shop.token("app", "predict", "feedback", "metrics")

    async def work(asked: Asked):
        given = {}
        for name, token in people.items():
            bearer = {"authorization": f"Bearer {token}"}
            task = (await asked.get(f"{BASE}/next", **bearer)).json()["task"]["task_id"]
            body = {"annotation_id": name, "value": 1}
            await asked.post(f"{BASE}/{task}/answer", body, **bearer)
            given[name] = (await asked.get(f"{BASE}/progress", **bearer)).json()
        barred = [
            (await asked.get(f"{BASE}/next", **headers)).status_code
            for headers in (
                {},
                {"authorization": "Bearer no"},
                {"authorization": f"Bearer {others}"},
            )
        ]
        return given, barred

    given, barred = ask(shop.shop, work, DoorOptions())
    assert shop.said() == {"p0": ("ada", "1"), "p1": ("bob", "1")}
    assert (given["bob"]["annotator"], given["bob"]["mine"], given["bob"]["last"]) == (
        "bob",
        1,
        "bob",
    )
    assert barred == [401, 401, 403]


def test_a_store_that_fails_answers_503_and_predictions_go_on(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(1, NOW)

    async def work(asked: Asked):
        store = asked.app._service.loops["shop"].desk._store

        def broken(*_words):
            raise ReviewError("/secret/place: the disk is full")

        store.answer = store.next = broken
        return [
            await asked.get(f"{BASE}/next"),
            await answer(asked, "t0", 1),
        ], await asked.feedback({"prediction_id": "p0", "value": 1})

    refused, feedback = ask(shop.shop, work)
    assert [said.status_code for said in refused] == [503, 503]
    assert all("secret" not in said.text and said.headers["retry-after"] for said in refused)
    assert feedback.status_code == 202
    assert list(shop.store.answers()) == []


def test_a_question_shown_again_is_counted_once(tmp_path):
    shop = ReviewedShop(tmp_path)
    shop.ask(1, NOW)

    async def work(asked: Asked):
        for _ in range(2):
            await asked.get(f"{BASE}/next")
        await answer(asked, "t0", 1)
        empty = (await asked.get(f"{BASE}/next")).json()
        return empty, parsed((await asked.get("/metrics")).content)

    empty, metrics = ask(shop.shop, work)
    assert empty["task"] is None
    assert value(metrics, "review_questions_total", model="shop") == 1
