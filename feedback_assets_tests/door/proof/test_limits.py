"""How often, how large, how deep, how slowly."""

import json
import socket
import time

import pytest

from feedback_assets_tests.door.proof.live import living
from feedback_assets_tests.door.proof.scrape import Metrics
from feedback_assets_tests.serving.shop import LOOP

PREDICT = f"/v1/{LOOP}/predict"
HEAD = {"content-type": "application/json"}
LIMITS = {
    "max_body_bytes": 20_000, "max_rows": 10, "max_depth": 8, "requests_per_second": 1_000_000, "burst": 1_000_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with living(tmp_path_factory.mktemp("limits"), serve={"limits": LIMITS}) as opened:
        yield opened


def test_a_large_body_is_refused_however_it_is_sent(door):
    with door.wire() as wire:
        assert wire.send("POST", PREDICT, b" " * 20_001, HEAD).status == 413
        stated = {**HEAD, "content-length": "999999999999"}
        assert wire.send("POST", PREDICT, b"{", stated).status == 413
    with door.wire() as wire:
        chunks = b"".join(b"1000\r\n" + b" " * 4_096 + b"\r\n" for _ in range(8)) + b"0\r\n\r\n"
        chunked = (
            f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {door.token}\r\n"
            "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        assert wire.raw(chunked.encode() + chunks).status == 413


def test_the_longest_allowed_body_passes(door):
    body = json.dumps(door.row(1)).encode()
    with door.wire() as wire:
        assert wire.send("POST", PREDICT, body + b" " * (20_000 - len(body)), HEAD).status == 200


@pytest.mark.parametrize("extra", [0, 1])
def test_rows_in_one_request(door, extra):
    rows = [door.row(n) for n in range(10 + extra)]
    events = [{"prediction_id": f"p{n}", "value": 1} for n in range(10 + extra)]
    refused = {400, 413, 422}
    with door.http() as client:
        for target, body in (
            (PREDICT, {"rows": rows}),
            (f"/v1/{LOOP}/feedback", {"events": events}),
            ("/invocations", {"instances": rows}),
        ):
            status = client.post(target, json=body).status_code
            assert status in ({200, 202} if not extra else refused), (target, status)
        clouds = [
            {"specversion": "1.0", "id": f"c{extra}-{n}", "source": "/s", "type": "t", "data": e}
            for n, e in enumerate(events)
        ]
        kind = {"content-type": "application/cloudevents-batch+json"}
        answer = client.post(f"/v1/{LOOP}/feedback", content=json.dumps(clouds), headers=kind)
        assert answer.status_code in ({202} if not extra else refused)


def test_depth(door):
    with door.wire() as wire:
        deep = b'{"amount": ' + b"[" * 7 + b"]" * 7 + b"}"
        deeper = b'{"amount": ' + b"[" * 8 + b"]" * 8 + b"}"
        assert wire.send("POST", PREDICT, deep, HEAD).status == 422
        assert wire.send("POST", PREDICT, deeper, HEAD).status == 400
        quoted = json.dumps(door.row(1) | {"region": "[" * 100}).encode()
        assert wire.send("POST", PREDICT, quoted, HEAD).status == 200


def test_a_compressed_body_is_not_unpacked(door):
    with door.wire() as wire:
        reply = wire.send("POST", PREDICT, b"\x1f\x8b", {**HEAD, "content-encoding": "gzip"})
        assert reply.status == 415


@pytest.mark.chaos
def test_a_slow_body_ends(door):
    head = (
        f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {door.token}\r\n"
        "content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    )
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", door.port), 40) as slow:
        slow.sendall(head.encode())
        slow.settimeout(0.5)
        answer = b""
        while time.monotonic() - began < 30 and not answer:
            try:
                slow.sendall(b" ")
                answer = slow.recv(4_096)
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert 5 < time.monotonic() - began < 25
    assert not answer or b" 408 " in answer.split(b"\r\n")[0]


@pytest.mark.chaos
def test_slow_headers_do_not_hold_connections_for_ever(door):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", door.port), 60) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        slow.settimeout(1)
        while time.monotonic() - began < 60:
            try:
                slow.sendall(b"x: y\r\n")
                if slow.recv(1_024) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert time.monotonic() - began < 45


@pytest.mark.parametrize(
    "raw",
    [
        b"POST PATH HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456",
        b"POST PATH HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST PATH HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST PATH HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST PATH HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", b"GET PATH\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)  # fmt: skip
def test_broken_http_gets_a_refusal_and_the_service_lives(door, raw):
    with door.wire() as wire:
        wire_reply = None
        try:
            wire_reply = wire.raw(raw.replace(b"PATH", PREDICT.encode()))
        except TimeoutError:
            pytest.skip("the parser waits for more, as it may")
        assert wire_reply.status < 500, wire_reply
    with door.http() as client:
        assert client.get("/healthz").status_code == 200


def test_a_rate_is_kept_per_principal(tmp_path):
    slow = {"limits": {"requests_per_second": 5, "burst": 10}}
    with living(tmp_path, serve=slow) as door, door.http() as client:
        answers = [client.post(PREDICT, json=door.row(n)) for n in range(40)]
        statuses = [a.status_code for a in answers]
        assert set(statuses) == {200, 429}
        assert 10 <= statuses.count(200) <= 25
        refused = next(a for a in answers if a.status_code == 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["content-type"] == "application/problem+json"
        assert Metrics(client).total("rate_limited_total", model=LOOP) == statuses.count(429)
        time.sleep(1.2)
        assert client.post(PREDICT, json=door.row(1)).status_code == 200
