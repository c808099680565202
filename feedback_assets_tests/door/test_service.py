"""Who may ask what, what is counted, and what the service says of itself."""

import json

import httpx
import pytest

from feedback_assets.door.options import DoorOptions
from feedback_assets.door.tokens import TokenFile
from feedback_assets_tests.door.asked import NOW, Asked, ask, shop_in

PUBLIC = ["/healthz", "/readyz", "/ping", "/v2", "/v2/health/live", "/v2/health/ready",
          "/openapi.json", "/docs", "/docs/try.js", "/docs/try.css",
          "/review/shop", "/review/main.js", "/review/page.css"]  # fmt: skip
GUARDED = {
    "/v1/shop/model": "predict", "/v1/shop/predictions/p": "predict", "/v2/models/shop": "predict",
    "/v2/models/shop/ready": "predict", "/metrics": "metrics",
    "/v1/shop/review/next": "review", "/v1/shop/review/progress": "review",
    "/v1/shop/review/t/opinion": "review",
}  # fmt: skip
POSTS = {
    "/v1/shop/predict": "predict", "/v1/shop/feedback": "feedback",
    "/v2/models/shop/infer": "predict", "/invocations": "predict",
}  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_in(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def tokens(shop):
    file = TokenFile(shop.settings)
    scopes = ("predict", "feedback", "metrics", "review")
    made = {scope: file.create(scope, [scope], ["*"], 1) for scope in scopes}
    return made | {"other": file.create("other", ["predict"], ["elsewhere"], 1)}


def test_each_route_asks_for_its_scope(shop, tokens):
    async def work(asked: Asked):
        found = {}
        for path, scope in {**GUARDED, **POSTS}.items():
            method = "POST" if path in POSTS else "GET"
            for name in (None, "wrong", *tokens):
                token = tokens.get(name, "fa_wrong")
                headers = {} if name is None else {"authorization": f"Bearer {token}"}
                said = await asked.http.request(method, path, headers=headers)
                found[path, name] = (said.status_code, scope)
        public = [(await asked.get(path)).status_code for path in PUBLIC]
        return found, public, asked.refused

    found, public, kept = ask(shop, work, DoorOptions())
    assert public == [200] * len(PUBLIC)
    for (path, name), (status, scope) in found.items():
        if name in (None, "wrong"):
            assert status == 401, path
        elif name == scope or (name == "review" and path.startswith("/v1") and path not in POSTS):
            assert status in (200, 404, 415), (path, name)
        else:
            assert status == 403, (path, name)
    assert len(kept) == len(POSTS)  # of those let in, with a body of no kind


def test_a_body_of_a_stranger_is_never_kept(shop, tokens):
    async def work(asked: Asked):
        said = await asked.predict(b"secret")
        return said, asked.refused

    said, kept = ask(shop, work, DoorOptions())
    assert (said.status_code, kept) == (401, [])
    assert said.headers["www-authenticate"].startswith("Bearer")


def test_what_is_nowhere(tmp_path):
    shop = shop_in(tmp_path, train=False)

    async def work(asked: Asked):
        gone = [await asked.get(p) for p in ("/", "/v1/none/model", "/v1/shop/predict/")]
        gone += [
            await asked.post("/v1/none/predict", {}),
            await asked.get("/v1/shop/predictions/a%00%FF"),
        ]
        wrong = [await asked.get("/v1/shop/predict"), await asked.http.put("/healthz")]
        return gone, wrong

    gone, wrong = ask(shop, work)
    assert [said.status_code for said in gone] == [404] * 5
    assert [said.status_code for said in wrong] == [405] * 2
    assert [said.headers["allow"] for said in wrong] == ["POST", "GET, HEAD"] or wrong
    for said in gone + wrong:
        assert said.headers["content-type"] == "application/problem+json"
        assert said.json()["status"] == said.status_code


def test_a_prediction_can_be_seen(tmp_path):
    shop = shop_in(tmp_path)

    async def work(asked: Asked):
        await asked.predict(shop.row(0) | {"prediction_id": "p-1"})
        return (await asked.get("/v1/shop/predictions/p-1")).json()

    seen = ask(shop, work)
    assert (seen["prediction_id"], seen["event_time"]) == ("p-1", "2026-03-01T12:00:00Z")
    assert seen["features"] == shop.row(0) | {"region": None}
    assert (seen["model_version"], "principal" in seen, "stick" in seen) == ("1", False, False)


def test_too_many_requests(tmp_path):
    limits = {"requests_per_second": 0.001, "burst": 2}
    shop = shop_in(tmp_path, train=False, serve={"limits": limits})

    async def work(asked: Asked):
        return [await asked.feedback({"prediction_id": "p", "value": 1}) for _ in range(3)]

    found = ask(shop, work)
    assert [said.status_code for said in found] == [202, 202, 429]
    assert int(found[2].headers["retry-after"]) > 0


def test_a_flood_of_refused_payloads_is_counted_not_kept(tmp_path):
    shop = shop_in(tmp_path, train=False, serve={"limits": {"quarantine_per_minute": 3}})

    async def work(asked: Asked):
        for _ in range(10):
            await asked.feedback(b"{" + b"x" * 5000, authorization="Bearer secret")
        return asked.refused, (await asked.get("/metrics")).text

    kept, metrics = ask(shop, work)
    assert len(kept) == 3
    body = json.loads(kept[0].body)
    assert set(body) == {"reason", "line", "path", "received_us"}
    assert (len(body["line"]), body["path"], body["received_us"]) == (500, "/v1/shop/feedback", NOW)
    assert kept[0].time_us == NOW
    assert 'outcome="refused"' in metrics


def test_what_happened_is_counted(tmp_path):
    shop = shop_in(tmp_path)

    async def work(asked: Asked):
        event = {"prediction_id": "p", "value": 1, "event_id": "e"}
        await asked.predict({"rows": shop.rows(3)})
        for body in (event, event, event | {"value": 0}):
            await asked.feedback(body)
        await asked.get("/nowhere")
        return (await asked.get("/metrics")).text

    lines = ask(shop, work).splitlines()

    def value(start: str, *parts: str) -> float:
        found = [x for x in lines if x.startswith(start) and all(part in x for part in parts)]
        return sum(float(x.rpartition(" ")[2]) for x in found)

    assert value("prediction_success_total") == 3
    for outcome in ("accepted", "repeated", "conflict"):
        assert value("feedback_samples_total", f'outcome="{outcome}"') == 1
    assert value("feedback_write_latency_seconds_count") == 3
    assert value("request_latency_seconds_count", 'route="/v1/{loop}/predict"', 'status="200"') == 1
    assert value("request_latency_seconds_count", 'route="unmatched"', 'status="404"') == 1


def test_a_failure_nobody_foresaw_is_a_problem_document_too(tmp_path, caplog):
    shop = shop_in(tmp_path, train=False)

    async def work(asked: Asked):
        asked.fail_with = ZeroDivisionError("secret of the row")
        return await asked.feedback({"prediction_id": "p", "value": 1})

    said: httpx.Response = ask(shop, work)
    assert (said.status_code, said.json()["type"]) == (500, "urn:feedback-assets:problem:internal")
    assert "secret" not in said.text
    assert "a request failed" in caplog.text
