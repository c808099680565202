"""Who may do what: every route, every scope, every loop."""

import datetime as dt
import json
import time

import pytest

from feedback_assets.door.tokens import TokenFile
from feedback_assets_tests.door.proof.live import ALL_SCOPES, living
from feedback_assets_tests.door.proof.stored import stored
from feedback_assets_tests.serving.shop import LOOP

FOLLOWED_SECONDS = 2.5
OPEN_ROUTES = (
    "/healthz", "/readyz", "/ping", "/v2", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs",
)  # fmt: skip


def _routes(door):
    """Method, target, body and the scope that it needs."""
    row = door.row(1)
    event = {"prediction_id": "nobody", "value": 1}
    tensors = [
        {
            "name": n,
            "shape": [1],
            "datatype": "BYTES" if isinstance(v, str) else "FP64",
            "data": [v],
        }
        for n, v in row.items()
        if v is not None
    ]
    return [
        ("POST", f"/v1/{LOOP}/predict", row, {"predict"}),
        ("POST", f"/v1/{LOOP}/feedback", event, {"feedback"}),
        ("GET", f"/v1/{LOOP}/predictions/known", None, {"predict", "review"}),
        ("GET", f"/v1/{LOOP}/model", None, {"predict", "review"}),
        ("GET", "/metrics", None, {"metrics"}),
        ("POST", f"/v2/models/{LOOP}/infer", {"inputs": tensors}, {"predict"}),
        ("GET", f"/v2/models/{LOOP}", None, {"predict"}),
        ("GET", f"/v2/models/{LOOP}/ready", None, {"predict"}),
        ("POST", "/invocations", {"instances": [row]}, {"predict"}),
    ]


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("auth")) as opened:
        file = TokenFile(opened.shop.settings)
        for scope in ALL_SCOPES:
            opened.tokens[scope] = file.create(f"only-{scope}", [scope], [LOOP], 1)
            opened.tokens[f"other {scope}"] = file.create(f"other-{scope}", [scope], ["shop2"], 1)
        opened.tokens["revoked"] = file.create("revoked", list(ALL_SCOPES), ["*"], 1)
        file.revoke("revoked")
        opened.tokens["expired"] = file.create("expired", list(ALL_SCOPES), ["*"], 1)
        _expire(file, "expired")
        time.sleep(FOLLOWED_SECONDS)
        with opened.http() as client:
            known = opened.row(1) | {"prediction_id": "known"}
            assert client.post(f"/v1/{LOOP}/predict", json=known).status_code == 200
        yield opened


def _expire(file, name):
    said = json.loads(file.path.read_text())
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    for token in said["tokens"]:
        if token["name"] == name:
            token["expires"] = past.isoformat()
    making = file.path.with_suffix(".edited")
    making.write_text(json.dumps(said))
    making.replace(file.path)


def _status(door, token, method, target, body):
    with door.http(token) as client:
        return client.request(method, target, json=body).status_code


def test_each_scope_opens_its_routes_and_no_other(door):
    wrong = []
    for method, target, body, needed in _routes(door):
        for scope in ALL_SCOPES:
            status = _status(door, door.tokens[scope], method, target, body)
            if (status < 300) is not (scope in needed) or (scope not in needed and status != 403):
                wrong.append((scope, method, target, status))
    assert not wrong


def test_a_token_of_another_loop_opens_nothing_here(door):
    for method, target, body, _needed in _routes(door):
        for scope in ALL_SCOPES:
            if target == "/metrics" and scope == "metrics":
                continue  # not about a loop
            status = _status(door, door.tokens[f"other {scope}"], method, target, body)
            assert status == 403, (scope, method, target, status)


@pytest.mark.parametrize("name", ["revoked", "expired"])
def test_a_token_that_ended_opens_nothing(door, name):
    for method, target, body, _needed in _routes(door):
        status = _status(door, door.tokens[name], method, target, body)
        assert status == 401, (method, target)


@pytest.mark.parametrize(
    "head",
    [
        {}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer "},
        {"authorization": "Basic YTpi"}, {"authorization": b"Bearer \xff\xfe"}, {"authorization": "Bearer fa_wrong"},
        {"authorization": "Bearer " + "a" * 10_000}, {"cookie": "token=TOKEN"}, {"x-api-key": "TOKEN"},
        {"authorization": "TOKEN"}, {"authorization": "Bearer TOKENx"}, {"authorization": "Bearer TOKEN, Bearer x"},
    ],
)  # fmt: skip
def test_what_is_no_token_is_401(door, head):
    stated = {
        k: v.replace("TOKEN", door.token) if isinstance(v, str) else v for k, v in head.items()
    }
    with door.wire(None) as wire:
        reply = wire.send("GET", f"/v1/{LOOP}/model", headers=stated)
    assert reply.status == 401, reply
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert b"fa_" not in reply.body


def test_a_token_in_the_address_is_no_token(door):
    with door.http(None) as client:
        for query in (f"?token={door.token}", f"?access_token={door.token}"):
            assert client.get(f"/v1/{LOOP}/model{query}").status_code == 401


def test_two_authorization_headers_are_refused(door):
    with door.wire(None) as wire:
        line = f"GET /v1/{LOOP}/model HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        heads = f"authorization: Bearer x\r\nauthorization: Bearer {door.token}\r\n\r\n"
        assert wire.raw((line + heads).encode(), "GET").status == 401


@pytest.mark.parametrize("target", OPEN_ROUTES)
def test_what_needs_no_token(door, target):
    with door.http(None) as client:
        assert client.get(target).status_code == 200


def test_an_unknown_loop_looks_the_same_whoever_asks(door):
    """Without a token nothing tells which loops there are."""
    known = _status(door, None, "POST", f"/v1/{LOOP}/predict", door.row(1))
    unknown = _status(door, None, "POST", "/v1/nothing/predict", door.row(1))
    assert known == unknown == 401
    assert _status(door, door.token, "POST", "/v1/nothing/predict", door.row(1)) == 404


def test_a_new_token_and_a_revocation_are_followed(door):
    file = TokenFile(door.shop.settings)
    token = file.create("passing", ["predict"], [LOOP], 1)
    time.sleep(FOLLOWED_SECONDS)
    assert _status(door, token, "POST", f"/v1/{LOOP}/predict", door.row(2)) == 200
    file.revoke("passing")
    time.sleep(FOLLOWED_SECONDS)
    assert _status(door, token, "POST", f"/v1/{LOOP}/predict", door.row(2)) == 401


def test_an_answer_kept_for_one_principal_is_not_given_to_another(door):
    head = {"idempotency-key": "shared-key"}
    file = TokenFile(door.shop.settings)
    other = file.create("second", ["predict"], [LOOP], 1)
    time.sleep(FOLLOWED_SECONDS)
    row = door.row(5)
    with door.http() as mine, door.http(other) as theirs:
        first = mine.post(f"/v1/{LOOP}/predict", json=row, headers=head)
        again = mine.post(f"/v1/{LOOP}/predict", json=row, headers=head)
        foreign = theirs.post(f"/v1/{LOOP}/predict", json=row, headers=head)
    assert (first.status_code, again.status_code, foreign.status_code) == (200, 200, 200)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in foreign.headers
    assert foreign.json()["prediction_id"] != first.json()["prediction_id"]


def test_the_principal_is_logged_and_no_secret_is_anywhere(door):
    secret = "hunter2-in-a-value"
    with door.http() as client:
        client.post(f"/v1/{LOOP}/predict", json=door.row(1) | {"country": secret + "\x00"})
        client.post(f"/v1/{LOOP}/predict", json=door.row(1) | {"amount": secret})
        client.post(f"/v1/{LOOP}/predict?token={door.token}", json=door.row(1))
        client.get(f"/v1/{LOOP}/predictions/{door.token}")
        shown = [client.get(p).text for p in ("/metrics", "/openapi.json", "/docs", "/healthz")]
    settings = door.shop.settings
    entries = stored(settings, "predictions")
    assert entries[0]["principal"] == "everything"
    refused = stored(settings, "refused_predictions")
    assert refused
    assert not any(secret in r["reason"] for r in refused)
    tokens = list(door.tokens.values())
    places = [*shown, door.log.read_text(), json.dumps(entries), json.dumps(refused)]
    places += [p.read_bytes().decode("latin-1") for p in settings.inbox.rglob("*") if p.is_file()]
    places.append((settings.root / "door" / "tokens.json").read_text())
    for place in places:
        assert not any(token in place for token in tokens)
    assert secret not in door.log.read_text()
    assert secret not in "".join(shown)


def test_the_files_of_secrets_are_their_owners_only(door):
    file = door.shop.settings.root / "door" / "tokens.json"
    assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0
    for path in door.shop.settings.inbox.iterdir():
        assert path.stat().st_mode & 0o007 == 0 or path.parent.stat().st_mode & 0o007 == 0, path


def test_without_tokens_programs_of_the_machine_are_let_in_and_web_pages_are_not(tmp_path):
    with living(tmp_path, guarded=False) as door:
        target, row = f"/v1/{LOOP}/predict", door.row(1)
        with door.http(None) as client:
            assert client.post(target, json=row).status_code == 200
            for head in (
                {"origin": "https://evil.example"},
                {"origin": "null"},
                {"host": "rebound.evil.example"},
                {"sec-fetch-site": "cross-site"},
            ):
                assert client.post(target, json=row, headers=head).status_code == 403, head
            # What a page may send without asking first.
            for kind in ("text/plain", "application/x-www-form-urlencoded"):
                answer = client.post(
                    target, content=json.dumps(row), headers={"content-type": kind}
                )
                assert answer.status_code == 415
            token = TokenFile(door.shop.settings).create("first", ["predict"], [LOOP], 1)
            time.sleep(FOLLOWED_SECONDS)
            assert client.post(target, json=row).status_code == 401
        with door.http(token) as client:
            assert client.post(target, json=row).status_code == 200
