"""What Label Studio tells: only with its secret, stored as an annotation, counted by its route."""

import datetime as dt

import pytest

from feedback_assets.door.moments import EPOCH
from feedback_assets.door.reviewpage import choices
from feedback_assets_tests.door.asked import NOW as NOW_US
from feedback_assets_tests.door.asked import Asked, ask
from feedback_assets_tests.door.counted import parsed, value
from feedback_assets_tests.door.reviewed import ReviewedShop

NOW = EPOCH + dt.timedelta(microseconds=NOW_US)
PATH = "/v1/shop/review/label-studio"
SECRET = "s3cret-of-the-hook"
STUDIO = {"label_studio": {"url": "https://labels.example.com"}}


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_WEBHOOK", SECRET)


def test_only_the_secret_lets_in(tmp_path, monkeypatch):
    shop = ReviewedShop(tmp_path, **STUDIO)
    notice = {"action": "PROJECT_UPDATED"}

    async def work(asked: Asked):
        said = [
            await asked.post(PATH, notice),
            await asked.post(PATH, notice, x_feedback_assets_secret="wrong"),
            await asked.post(PATH, b"not json", x_feedback_assets_secret="wrong"),
            await asked.post(PATH, b"not json", x_feedback_assets_secret=SECRET),
            await asked.post(PATH, notice, x_feedback_assets_secret=SECRET),
            await asked.post("/v1/none/review/label-studio", notice),
        ]
        monkeypatch.delenv("LABEL_STUDIO_WEBHOOK")
        said.append(await asked.post(PATH, notice, x_feedback_assets_secret=""))
        return [one.status_code for one in said]

    assert ask(shop.shop, work) == [401, 401, 401, 422, 200, 404, 401]


def test_a_loop_without_label_studio_has_no_hook(tmp_path):
    shop = ReviewedShop(tmp_path)
    said = ask(shop.shop, lambda asked: asked.post(PATH, {}, x_feedback_assets_secret=SECRET))
    assert (said.status_code, said.json()["type"].rpartition(":")[2]) == (404, "no-label-studio")


def test_an_annotation_is_stored_once(tmp_path):
    shop = ReviewedShop(tmp_path, **STUDIO)
    (task,) = shop.ask(1, NOW)
    word = choices(shop.shop.config)[0].words
    notice = {
        "action": "ANNOTATION_CREATED",
        "task": {"id": 7, "data": {"loop": "shop", "task_id": task.task_id}},
        "annotation": {
            "id": 1,
            "task": 7,
            "completed_by": {"id": 5, "email": "bob@example.com"},
            "created_at": "2026-03-01T11:59:00Z",
            "lead_time": 4.2,
            "result": [{"type": "choices", "value": {"choices": [word]}}],
        },
    }

    async def work(asked: Asked):
        said = [
            (await asked.post(PATH, notice, x_feedback_assets_secret=SECRET)).json()
            for _ in range(2)
        ]
        return said, parsed((await asked.get("/metrics")).content)

    said, metrics = ask(shop.shop, work)
    assert [one["stored"] for one in said] == [1, 0]
    (stored,) = shop.store.answers()
    kept = stored.answer
    assert (stored.prediction_id, kept.value, kept.route) == ("p0", "1", "label_studio")
    assert kept.annotator == "bob@example.com"
    counted = {"model": "shop", "route": "label_studio", "outcome": "stored"}
    assert value(metrics, "review_answers_total", **counted) == 1
