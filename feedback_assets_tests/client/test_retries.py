import asyncio
import datetime as dt
import ssl
from email.utils import format_datetime

import httpx
import pytest

from feedback_assets.client import AsyncClient, DoorProblem, Unreachable
from feedback_assets.client.retries import Retries, retry_after
from feedback_assets_tests.client.door import Door, problem

LOST = [
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("half an answer"),
]


@pytest.mark.parametrize(
    "failure", [*LOST, *(problem(status) for status in (429, 502, 503, 504))], ids=str
)
def test_what_passes_is_tried_again_with_the_same_key(call, waits, failure):
    door = Door(failure, failure)
    assert call(door, "predict", {"a": 1}).prediction_id == "p0"
    assert len(door.seen) == 3
    assert len(set(door.keys)) == 1
    assert door.bodies == [{"a": 1}] * 3
    assert len(waits) == 2


def test_each_call_has_a_key_of_its_own(call):
    door = Door()
    call(door, "predict", {"a": 1})
    call(door, "predict", {"a": 1})
    assert len(set(door.keys)) == 2
    assert min(map(len, door.keys)) == 32


def test_a_key_that_was_given_is_the_same_in_every_later_call(call):
    door = Door()
    for _ in range(2):
        call(door, "predict", [{}] * 3, client={"max_rows": 2}, idempotency_key="mine")
    assert door.keys == ["mine", "mine-2"] * 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500, 501])
def test_what_stays_is_not_tried_again(call, waits, status):
    door = Door(problem(status))
    with pytest.raises(DoorProblem):
        call(door, "feedback", "p0", 1)
    assert len(door.seen) == 1
    assert waits == []


def test_a_key_still_in_flight_is_waited_for_and_an_id_in_conflict_is_not(call, waits):
    door = Door(problem(409, {"Retry-After": "1"}))
    call(door, "predict", {})
    assert len(door.seen) == 2
    assert waits[0] >= 1
    with pytest.raises(DoorProblem, match="409"):
        call(Door(problem(409)), "predict", {})


def test_it_gives_up_and_says_what_came_last(call, waits):
    door = Door(*[problem(503, {"Retry-After": "2"}, detail="the inbox is full")] * 9)
    with pytest.raises(DoorProblem, match="503 Refused: the inbox is full") as caught:
        call(door, "predict", {}, client={"retries": 3})
    assert caught.value.retry_after == 2
    assert len(door.seen) == 4
    with pytest.raises(Unreachable, match="no answer after 3 tries: ConnectError: refused"):
        call(Door(*[httpx.ConnectError("refused")] * 9), "model", client={"retries": 2})


def test_waits_double_and_are_drawn_from_their_upper_half(call, waits):
    call(Door(*[problem(503)] * 5), "predict", {})
    for tried, waited in enumerate(waits):
        most = 0.1 * 2**tried
        assert most / 2 <= waited <= most
    assert len(set(waits)) == 5
    assert Retries().wait(4, problem(503)) != Retries().wait(4, problem(503))
    assert Retries(99).wait(20, problem(503)) <= 5


def test_the_service_says_how_long(call, waits):
    call(Door(problem(429, {"Retry-After": "7"})), "predict", {})
    assert 7 < waits[0] < 7.2
    with pytest.raises(DoorProblem) as caught:
        call(Door(problem(429, {"Retry-After": "3600"})), "predict", {})
    assert caught.value.retry_after == 3600
    assert len(waits) == 1


def test_retry_after_is_a_number_or_a_date():
    def said(text):
        return retry_after(httpx.Response(503, headers={"Retry-After": text.encode()}))

    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
    assert said(" 12 ") == 12
    assert 28 < said(format_datetime(later, usegmt=True)) <= 30
    assert said("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert said("Wed, 21 Oct 2015 07:28:00 -0000") == 0
    assert said("-5") is said("soon") is said("²") is said("") is None


def test_a_certificate_that_is_not_trusted_is_not_tried_again(call, waits):
    def refuse(request):
        try:
            raise ssl.SSLCertVerificationError("self-signed certificate")
        except ssl.SSLError as error:
            raise httpx.ConnectError(str(error)) from error

    door = Door(refuse)
    with pytest.raises(Unreachable, match="self-signed"):
        call(door, "model")
    assert len(door.seen) == 1


def test_an_address_of_another_kind_is_not_tried_again(call, waits):
    door = Door(httpx.LocalProtocolError("bad header"))
    with pytest.raises(Unreachable):
        call(door, "model")
    assert waits == []


def test_a_call_that_is_given_up_ends_at_once():
    async def given_up():
        door = Door(*[problem(503)] * 5)
        async with AsyncClient("http://door.test", loop="shop", transport=door.transport) as client:
            await asyncio.wait_for(client.model(), timeout=0.02)

    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
