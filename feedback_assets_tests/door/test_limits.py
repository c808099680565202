"""How often, how large, how deep, how slowly."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.serve import Limits
from feedback_assets.door.limits import Allowance, Bucket, read_body, too_deep
from feedback_assets.door.refusal import Refused

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(alphabet='[]{}"\\ aé,:\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(alphabet='[]{}"\\x'), inner, max_size=3
    ),
    max_leaves=25,
)  # fmt: skip


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def scanned_depth(body: bytes) -> int:
    """Byte by byte, as a decoder sees it; ends where it would end."""
    deepest = depth = 0
    in_text = escaped = False
    for byte in body:
        if in_text:
            in_text = escaped or byte != ord('"')
            escaped = not escaped and byte == ord("\\")
        elif byte == ord('"'):
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
            if depth < 0:
                break
        elif byte == ord("\\"):
            break
    return deepest


@settings(max_examples=500)
@given(json_values, st.integers(0, 6), st.booleans())
def test_depth_is_told_exactly(value: Any, most: int, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert too_deep(body, most) is (depth_of(value) > most)


@settings(max_examples=500)
@given(st.text(alphabet='[]{}"\\,a', max_size=60).map(str.encode), st.integers(0, 5))
def test_bytes_that_are_no_json_hide_no_depth(body: bytes, most: int) -> None:
    if scanned_depth(body) > most:
        assert too_deep(body, most)


def test_a_large_body_is_scanned_in_no_time() -> None:
    rows = json.dumps({"rows": [{"a": '[{\\"', "b": 1.5}] * 30_000}).encode()
    assert not too_deep(rows, 3)
    assert too_deep(rows, 2)
    assert too_deep(b"[" * 1_000_000, 16)
    assert too_deep(b'"' + b'\\"' * 500_000 + b'"' + b"[" * 17, 16)
    assert not too_deep(b'"' + b"[" * 1_000_000, 16)


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    clock = Seconds()
    bucket = Bucket(10, 5, clock)
    assert [bucket.take() for _ in range(5)] == [0.0] * 5
    assert bucket.take() == pytest.approx(0.1)
    clock.now += 0.1
    assert bucket.take() == 0.0
    assert bucket.take() > 0
    clock.now += 1_000
    assert [bucket.take() > 0 for _ in range(6)] == [False] * 5 + [True]


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200), st.floats(0.5, 50), st.integers(1, 30))
def test_no_more_is_given_than_burst_and_rate(pauses: list[float], rate: float, burst: int) -> None:
    clock = Seconds()
    bucket = Bucket(rate, burst, clock)
    given_out = 0
    for pause in pauses:
        clock.now += pause
        given_out += not bucket.take()
        assert given_out <= burst + rate * clock.now + 1e-6


def test_a_bucket_that_never_fills_says_so() -> None:
    assert Bucket(0, 0, Seconds()).take() == float("inf")


def test_principals_and_loops_have_buckets_of_their_own() -> None:
    clock = Seconds()
    allowance = Allowance(monotonic=clock)
    limits = Limits(requests_per_second=0.5, burst=2)
    for _ in range(2):
        allowance.spend("a", "shop", limits)
    with pytest.raises(Refused) as caught:
        allowance.spend("a", "shop", limits)
    assert (caught.value.status, caught.value.reason) == (429, "rate")
    assert dict(caught.value.headers) == {b"retry-after": b"2"}
    allowance.spend("b", "shop", limits)
    allowance.spend("a", "flights", limits)
    clock.now += 2
    allowance.spend("a", "shop", limits)


def test_buckets_are_bounded_and_the_unused_goes_first() -> None:
    allowance = Allowance(capacity=3, monotonic=Seconds())
    limits = Limits(requests_per_second=0.001, burst=1)
    for name in "abc":
        allowance.spend(name, "shop", limits)
    with pytest.raises(Refused):
        allowance.spend("a", "shop", limits)  # and is now the one used last
    allowance.spend("d", "shop", limits)
    assert len(allowance._buckets) == 3
    with pytest.raises(Refused):
        allowance.spend("a", "shop", limits)
    allowance.spend("b", "shop", limits)


def read(
    messages: list[dict[str, Any]], most: int, stated: bytes | None = None, pause: float = 0.0
) -> bytes:
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return next(waiting)

    headers = [] if stated is None else [(b"content-length", stated)]
    return asyncio.run(read_body({"headers": headers}, receive, most, seconds=0.3))


def chunks(*parts: bytes) -> list[dict[str, Any]]:
    ends = [True] * (len(parts) - 1) + [False]
    return [
        {"type": "http.request", "body": part, "more_body": more}
        for part, more in zip(parts, ends, strict=True)
    ]


def test_a_body_is_read_whole() -> None:
    assert read(chunks(b"{}"), 10, b"2") == b"{}"
    assert read(chunks(b"{", b"", b"}"), 10) == b"{}"
    assert read([{"type": "http.request"}], 10) == b""
    assert read(chunks(b"x" * 10), 10, b"10") == b"x" * 10


@pytest.mark.parametrize(
    ("messages", "stated"),
    [
        ([], b"11"),
        ([], b"9" * 5_000),
        (chunks(b"x" * 11), None),
        (chunks(*[b"x"] * 12), None),
        (chunks(b"x" * 6, b"x" * 5), b"10"),
    ],
)
def test_a_large_body_is_refused_early(
    messages: list[dict[str, Any]], stated: bytes | None
) -> None:
    with pytest.raises(Refused) as caught:
        read(messages, 10, stated)
    assert (caught.value.status, caught.value.reason) == (413, "body_size")


def test_an_endless_body_is_not_held() -> None:
    got = 0

    async def receive() -> dict[str, Any]:
        nonlocal got
        got += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    with pytest.raises(Refused):
        asyncio.run(read_body({"headers": []}, receive, 1_000))
    assert got == 11


@pytest.mark.parametrize("stated", [b"", b"-1", b"1.5", b"ten", b"+5", b"\xd9\xa1"])
def test_a_length_that_is_no_number_is_refused(stated: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(chunks(b"{}"), 10, stated)
    assert caught.value.status == 400


def test_a_slow_body_is_given_up() -> None:
    with pytest.raises(Refused) as caught:
        read(chunks(b"a", b"b", b"c", b"d"), 10, pause=0.12)
    assert (caught.value.status, caught.value.reason) == (408, "slow_body")
    assert (b"connection", b"close") in caught.value.headers


def test_a_client_that_leaves_is_not_taken_for_a_short_body() -> None:
    for messages in (
        [{"type": "http.disconnect"}],
        [*chunks(b"{", b"x")[:1], {"type": "http.disconnect"}],
    ):
        with pytest.raises(Refused) as caught:
            read(messages, 10)
        assert caught.value.reason == "disconnected"
