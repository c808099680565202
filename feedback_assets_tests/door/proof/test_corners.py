"""Corners that a reading of the code found; each once broke the service or its word."""

import json
import socket
import time

import pytest

from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.stored import stored
from feedback_assets_tests.serving.shop import LOOP

HEAD = {"content-type": "application/json"}
PREDICT, FEEDBACK = f"/v1/{LOOP}/predict", f"/v1/{LOOP}/feedback"
LONGEST = 6.0
"""Seconds for a body of a megabyte on a busy machine; the slow ways took minutes."""


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("corners"), versions=2) as opened:
        yield opened


def _names(count):
    return ",".join(f'"{n:x}":1' for n in range(count))


@pytest.mark.parametrize("target", [PREDICT, FEEDBACK, "/invocations", f"/v2/models/{LOOP}/infer"])
@pytest.mark.parametrize(
    "body",
    [
        "{" + _names(80_000) + ',"zz":1,"zz":2}',
        "{" + _names(80_000) + "}",
        '{"rows":[' + ",".join(["{}"] * 300_000) + "]}",
        '{"instances":[{' + _names(80_000) + "}]}",
        '{"inputs":[{' + _names(80_000) + "}]}",
        '{"amount":1.' + "1" * 1_000_000 + "}",
        '{"note":"' + "\\\\" * 500_000 + '"}',
        "[" * 1_000_000,
        '{"a":"' + "\\u0041" * 160_000 + '"}',
    ],
    ids=["doubled", "unknown", "rows", "instances", "tensors", "digits", "slashes", "deep", "escapes"],
)  # fmt: skip
def test_no_body_of_a_megabyte_stops_the_service(door, target, body):
    began = time.monotonic()
    with door.wire() as wire:
        reply = wire.send("POST", target, body.encode(), HEAD)
        assert 400 <= reply.status < 500
        assert len(reply.body) < 10_000
        assert wire.send("GET", "/healthz").status == 200
    assert time.monotonic() - began < LONGEST


@pytest.mark.parametrize(
    "number", [b"9" * 400, b"-" + b"9" * 400, b"9" * 5_000, b"1e999", b"1e308"]
)
def test_numbers_beyond_a_double_are_refused_anywhere(door, number):
    bodies = [
        (FEEDBACK, b'{"prediction_id": "p", "value": 1, "confidence": N}'),
        (FEEDBACK, b'{"prediction_id": "p", "kind": "rating", "value": N, "event_time": N}'),
        (FEEDBACK, b'{"events": [{"prediction_id": "p", "value": 1, "confidence": N}]}'),
        (PREDICT, b'{"amount": N}'),
        (PREDICT, b'{"rows": [{"event_time": N}]}'),
        ("/invocations", b'{"instances": [[N, 1, 1, "de", "food"]]}'),
        ("/invocations", b'{"inputs": {"amount": [N]}}'),
    ]
    with door.wire() as wire:
        for target, body in bodies:
            reply = wire.send("POST", target, body.replace(b"N", number), HEAD)
            assert 400 <= reply.status < 500, (target, body, reply)


def test_one_key_and_another_envelope_is_another_request(door):
    """The same data under another ce-id is another event: it must not vanish behind the first."""
    heads = {
        **HEAD,
        "ce-specversion": "1.0",
        "ce-source": "/s",
        "ce-type": "t",
        "idempotency-key": "k",
    }
    event = b'{"prediction_id": "of-two", "value": 1}'
    with door.wire() as wire:
        first = wire.send("POST", FEEDBACK, event, {**heads, "ce-id": "one"})
        again = wire.send("POST", FEEDBACK, event, {**heads, "ce-id": "one"})
        other = wire.send("POST", FEEDBACK, event, {**heads, "ce-id": "two"})
    assert (first.status, again.status, other.status) == (202, 200, 422)
    kept = [e for e in stored(door.shop.settings, "feedback") if e["prediction_id"] == "of-two"]
    assert [e["event_id"] for e in kept] == ["one"]


def test_a_repeated_request_for_csv_is_not_logged_twice(door):
    head = {**HEAD, "accept": "text/csv", "idempotency-key": "csv-key"}
    body = json.dumps({"instances": [door.row(7) | {"region": "csv-twice"}]}).encode()
    with door.wire() as wire:
        for _ in range(2):
            reply = wire.send("POST", "/invocations", body, head)
            assert reply.status in (200, 400)
    kept = stored(door.shop.settings, "predictions")
    assert sum(e["features"]["region"] == "csv-twice" for e in kept) <= 1


def test_tensors_name_the_models_that_answered(door):
    """Under a canary a request is answered by two models: one name for all would be wrong."""
    door.wait_for(door.shop.publish(1, None, challenger=2, stage="canary"))
    rows = [door.row(n) | {"amount": 1.0, "country": "de"} for n in range(60)]
    tensors = [
        {"name": n, "shape": [60], "datatype": "BYTES" if isinstance(rows[0][n], str) else "FP64",
         "data": [r[n] for r in rows]}
        for n in rows[0]
        if rows[0][n] is not None
    ]  # fmt: skip
    with door.http() as client:
        said = client.post(f"/v2/models/{LOOP}/infer", json={"inputs": tensors}).json()
    door.wait_for(door.shop.publish(1))
    each = next(t["data"] for t in said["outputs"] if t["name"] == "model_version")
    assert set(each) == {"1", "2"}
    assert "model_version" not in said


def test_no_slash_is_added_for_a_client(door):
    """A redirect would be made from the Host header, and lose the body of a POST on the way."""
    with door.wire() as wire:
        reply = wire.send("POST", PREDICT + "/", b"{}", {**HEAD, "host": "evil.example"})
    assert reply.status == 404
    assert "location" not in reply.headers


def test_a_problem_inside_is_told_to_those_who_look_after_it_only(door):
    from feedback_assets.door.tokens import TokenFile

    file = TokenFile(door.shop.settings)
    plain = file.create("plain-reader", ["predict"], [LOOP], 1)
    time.sleep(2.5)
    manifest = door.shop.settings.serving / LOOP / "manifest.json"
    good = manifest.read_bytes()
    try:
        manifest.write_bytes(b"{}")
        time.sleep(1)
        with door.http(plain) as client, door.http() as reviewer:
            told = client.get(f"/v1/{LOOP}/model").json()["problem"]
            ready = client.get("/readyz").text
            assert str(door.folder) not in told + ready
            assert "manifest.json" in reviewer.get(f"/v1/{LOOP}/model").json()["problem"]
    finally:
        manifest.write_bytes(good)
        door.shop.publish(1)


def test_a_value_that_no_model_can_take_is_no_outage(tmp_path):
    """A regression overflows at 1e38: the client is told which row it is."""
    with living(tmp_path, "regression", rules={}) as door, door.http() as client:
        rows = [door.row(1), door.row(2) | {"amount": 1e38}]
        answer = client.post(PREDICT, json={"rows": rows})
        assert answer.status_code == 422, answer.text
        assert [e["pointer"] for e in answer.json()["errors"]] == ["/rows/1"]
        assert client.get("/readyz").status_code == 200
        assert client.post(PREDICT, json=door.row(1)).json()["answered_by"] == "champion"


@pytest.mark.parametrize("bad", [{"zzz": {"a": 1}}, {"BAD NAME": 1}, {"zzz": [1]}])
def test_no_extension_is_overlooked(door, bad):
    event = {
        "specversion": "1.0", "id": "many", "source": "/s", "type": "t", "data": {"prediction_id": "p", "value": 1},
        **{f"ext{n}": n for n in range(200)}, **bad,
    }  # fmt: skip
    head = {"content-type": "application/cloudevents+json"}
    with door.wire() as wire:
        assert wire.send("POST", FEEDBACK, json.dumps(event).encode(), head).status == 422


def test_requests_sent_in_one_piece_are_answered_in_their_order(door):
    """Pipelining: what follows a body is the next request, and nothing of it is taken twice."""
    auth = f"authorization: Bearer {door.token}\r\ncontent-type: application/json\r\n"
    sent = b""
    for n in range(5):
        body = json.dumps(door.row(n) | {"prediction_id": f"piped-{n}"}).encode()
        head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\n{auth}content-length: {len(body)}\r\n\r\n"
        sent += head.encode() + body
    with socket.create_connection(("127.0.0.1", door.port), 10) as plain:
        plain.sendall(sent)
        got = b""
        while got.count(b"answered_by") < 5:
            more = plain.recv(65_536)
            assert more
            got += more
    assert got.count(b"HTTP/1.1 200") == 5
    places = [got.index(f"piped-{n}".encode()) for n in range(5)]
    assert places == sorted(places)


def test_other_methods_and_odd_targets(door):
    with door.wire() as wire:
        assert wire.send("HEAD", "/healthz").status == 200
        assert wire.send("HEAD", "/healthz").body == b""
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"):
            reply = wire.send(method, PREDICT)
            assert reply.status == 405, (method, reply)
            assert "access-control-allow-origin" not in reply.headers
    for target in (
        b"/v1/\xff\xfe/predict",
        b"/v1/shop/predictions/%ff%00",
        b"http://evil/v1/shop/model",
        b"//x//",
    ):
        with door.wire() as wire:
            assert 400 <= wire.send("GET", target).status < 500 or b"evil" in target


def test_a_prediction_is_asked_by_its_id_only(door):
    with door.wire() as wire:
        for name in (
            "..%2f..%2fetc%2fpasswd",
            "%00",
            "a" * 3_000,
            "*",
            "%25",
            "x%0d%0ay",
            "'--",
            "%F0%9F%92%A9",
        ):
            reply = wire.send("GET", f"/v1/{LOOP}/predictions/{name}")
            assert reply.status == 404, (name, reply)
            assert b"passwd" not in reply.body
