"""The server as a process: how it starts, ends, waits, refuses and what it says."""

import contextlib
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from feedback_assets.door.listening import bound, is_loopback
from feedback_assets.door.server import ServerOptions, refuse_unguarded, tls_pair
from feedback_assets.door.tokens import TokenFile
from feedback_assets.errors import DoorError
from feedback_assets.settings import Settings
from feedback_assets_tests.door.small import FLUSHED, small_server


def token_for(home: Path, name: str = "web", days: int = 1) -> str:
    return TokenFile(Settings(home=home)).create(name, ["predict"], ["shop"], days)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_it_says_where_it_listens_and_who_may_come_in(tmp_path: Path) -> None:
    with small_server(tmp_path) as running:
        said = running.out.read_text()
        base = f"http://127.0.0.1:{running.port}"
        assert f"Listening  {base}\nTry it     {base}/docs\nLoops      shop\n" in said
        assert "every program on this machine" in said
        answer = httpx.get(f"{base}/x")
        assert answer.text == "done"
        assert "server" not in answer.headers
    assert running.err.read_text() == ""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_after_the_requests_in_flight(
    tmp_path: Path, sign: signal.Signals
) -> None:
    with small_server(tmp_path) as running:
        answers: list[httpx.Response] = []
        idle = httpx.Client(base_url=f"http://127.0.0.1:{running.port}")

        def ask() -> None:
            answers.append(httpx.get(f"http://127.0.0.1:{running.port}/slow", timeout=10))

        asking = [threading.Thread(target=ask) for _ in range(5)]
        for thread in asking:
            thread.start()
        while idle.get("/inside").text != "5":  # and keeps its own connection open
            time.sleep(0.05)
        assert running.end(sign) == 0
        for thread in asking:
            thread.join()
        assert [answer.text for answer in answers] == ["done"] * 5
        assert (tmp_path / FLUSHED).exists()
        idle.close()
    assert running.err.read_text() == ""


def test_a_stopped_inbox_ends_it_with_an_error(tmp_path: Path) -> None:
    with small_server(tmp_path) as running:
        httpx.get(f"http://127.0.0.1:{running.port}/stops")
        assert running.process.wait(10) == 1
        assert "InboxClosedError: the disk gave an input/output error" in running.err.read_text()
        assert (tmp_path / FLUSHED).exists()


def test_a_start_that_fails_is_told_in_words(tmp_path: Path) -> None:
    with small_server(tmp_path, behaviour="cannot_start", ready=False) as running:
        assert running.process.wait(30) == 1
        said = running.err.read_text()
        assert "InboxError: another service holds the inbox" in said
        assert "Traceback" not in said


def test_a_taken_port_is_told_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with small_server(tmp_path, port=port, ready=False) as running:
            assert running.process.wait(30) == 1
        assert f"DoorError: port {port} is taken" in running.err.read_text()
        assert "--port" in running.err.read_text()


@pytest.mark.parametrize(
    ("host", "tokens", "tls", "proxy", "words"),
    [
        ("0.0.0.0", 0, False, False, "token create"),
        ("0.0.0.0", 0, True, False, "token create"),
        ("0.0.0.0", 0, False, True, "token create"),
        ("127.0.0.1", 0, False, True, "token create"),
        ("0.0.0.0", 1, False, False, "--behind-proxy"),
        ("::", 1, False, False, "--tls-cert"),
        ("192.0.2.1", 1, False, False, "--tls-cert"),
        ("no-such-host.invalid", 1, True, False, "no such host"),
        ("127.0.0.1", 0, False, False, ""),
        ("localhost", 0, False, False, ""),
        ("::1", 0, False, False, ""),
        ("127.0.0.1", 1, False, True, ""),
        ("0.0.0.0", 1, True, False, ""),
        ("0.0.0.0", 1, False, True, ""),
    ],
)
def test_it_does_not_open_to_others_unguarded(
    host: str, tokens: int, tls: bool, proxy: bool, words: str
) -> None:
    options = ServerOptions(host, tls_cert=Path("cert.pem") if tls else None, behind_proxy=proxy)
    if not words:
        refuse_unguarded(options, tokens)
        return
    with pytest.raises(DoorError, match=words):
        refuse_unguarded(options, tokens)


def test_the_refusal_reaches_the_command_line(tmp_path: Path) -> None:
    with small_server(tmp_path, host="0.0.0.0", ready=False) as running:
        assert running.process.wait(30) == 1
    assert running.err.read_text().startswith("DoorError: without a token")


def test_where_it_cannot_listen_is_told_in_words() -> None:
    with pytest.raises(DoorError, match="cannot listen there"):
        bound("192.0.2.1", 0)
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")


def test_a_name_with_one_address_of_others_is_not_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: found)
    assert not is_loopback("both.example")


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(DoorError, match="both"):
        tls_pair(ServerOptions(tls_cert=Path("cert.pem")))
    with pytest.raises(DoorError, match="both"):
        tls_pair(ServerOptions(tls_key=Path("key.pem")))
    assert tls_pair(ServerOptions()) is None


def test_behind_a_proxy_with_tokens_it_listens_anywhere(tmp_path: Path) -> None:
    token = token_for(tmp_path)
    with small_server(tmp_path, host="0.0.0.0", proxy=True) as running:
        assert "holders of a token" in running.out.read_text()
        url = f"http://127.0.0.1:{running.port}/who"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers=bearer(token)).text == "web"


def test_a_running_service_follows_tokens_within_two_seconds(tmp_path: Path) -> None:
    first = token_for(tmp_path)
    with small_server(tmp_path) as running:
        url = f"http://127.0.0.1:{running.port}/who"
        assert httpx.get(url, headers=bearer(first)).text == "web"
        second = token_for(tmp_path, "second")
        TokenFile(Settings(home=tmp_path)).revoke("web")
        until = time.monotonic() + 3  # it looks once a second
        while httpx.get(url, headers=bearer(first)).status_code == 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert httpx.get(url, headers=bearer(second)).text == "second"


def test_more_requests_than_allowed_are_told_to_wait(tmp_path: Path) -> None:
    token = token_for(tmp_path)
    with small_server(tmp_path) as running:
        url = f"http://127.0.0.1:{running.port}/often"
        with httpx.Client(headers=bearer(token)) as client:
            statuses = [client.get(url).status_code for _ in range(6)]
            assert statuses[:3] == [200] * 3
            assert statuses[-1] == 429
            refused = client.get(url)
            time.sleep(int(refused.headers["retry-after"]))
            assert client.get(url).status_code == 200


def conversation(port: int, *parts: bytes, pause: float = 0.0, wait: float = 8.0) -> bytes:
    """What the service says to bytes sent one by one, until it closes or is silent."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as wire:

        def send() -> None:
            with contextlib.suppress(OSError):
                for part in parts:
                    wire.sendall(part)
                    time.sleep(pause)

        sending = threading.Thread(target=send)
        sending.start()
        with contextlib.suppress(ConnectionError, TimeoutError):
            while got := wire.recv(65_536):
                said += got
        sending.join()
    return said


def test_slow_and_large_bodies_are_refused(tmp_path: Path) -> None:
    with small_server(tmp_path) as running:
        head = b"POST /body HTTP/1.1\r\nHost: localhost\r\n"
        drops = [b"x"] * 30
        said = conversation(running.port, head + b"Content-Length: 50\r\n\r\n", *drops, pause=0.1)
        assert said.startswith(b"HTTP/1.1 408")
        said = conversation(running.port, head + b"Content-Length: 2000\r\n\r\n", wait=2)
        assert said.startswith(b"HTTP/1.1 413")
        chunk = b"200\r\n" + b"x" * 512 + b"\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        said = conversation(running.port, chunked, chunk, chunk, chunk, wait=2)
        assert said.startswith(b"HTTP/1.1 413")
        said = conversation(running.port, chunked, chunk, chunk, b"0\r\n\r\n", wait=2)
        assert said.endswith(b"1024")


def test_a_request_that_never_ends_loses_its_connection(tmp_path: Path) -> None:
    requests = [
        [],  # not one byte
        [b"GET /x HTTP/1.1\r\n", *[b"A: b\r\n"] * 30],
        [b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"G", b"E", b"T", b" ", *[b"/"] * 30],
        [b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n", *[b"x"] * 40],
    ]
    with small_server(tmp_path) as running:

        def seconds(parts: list[bytes]) -> float:
            start = time.monotonic()
            conversation(running.port, *parts, pause=0.1, wait=20)
            return time.monotonic() - start

        with ThreadPoolExecutor(len(requests)) as pool:
            assert all(1 < taken < 15 for taken in pool.map(seconds, requests))


def test_a_header_without_end_is_not_held(tmp_path: Path) -> None:
    with small_server(tmp_path) as running:
        line = b"A: " + b"x" * 8_000 + b"\r\n"
        start = time.monotonic()
        assert conversation(running.port, b"GET /x HTTP/1.1\r\n", *[line] * 40) == b""
        assert time.monotonic() - start < 5
        ok = conversation(running.port, b"GET /x HTTP/1.0\r\n", *[line] * 6, b"\r\n")
        assert ok.endswith(b"done")
        large = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000
        assert conversation(running.port, large, large, wait=2).count(b"done") == 2


def test_more_connections_than_allowed_are_refused_and_it_recovers(tmp_path: Path) -> None:
    with small_server(tmp_path, most=5) as running:
        url = f"http://127.0.0.1:{running.port}/x"
        held = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(8)]
        time.sleep(0.3)
        assert httpx.get(url).status_code == 503
        for one in held:
            one.close()
        time.sleep(0.3)
        assert httpx.get(url).status_code == 200


def test_the_log_is_json_lines_without_what_was_sent(tmp_path: Path) -> None:
    token = token_for(tmp_path)
    with small_server(tmp_path) as running:
        base = f"http://127.0.0.1:{running.port}"
        secret = "patient-4711"
        answer = httpx.post(
            f"{base}/fails?key={secret}&t={token}", content=secret, headers=bearer(token)
        )
        assert answer.status_code == 500
        conversation(running.port, b"GARBAGE " + secret.encode() + b"\r\n\r\n", wait=2)
        httpx.get(f"{base}/who", headers=bearer(token + "x"))
        running.end()
        lines = [json.loads(line) for line in running.err.read_text().splitlines()]
    assert [line["level"] for line in lines] == ["error", "warning"]
    assert lines[0]["error"] == "ValueError"
    assert "small.py" in lines[0]["at"]
    for hidden in (secret, token, token[3:20]):
        assert hidden not in running.said
        assert hidden not in answer.text
