"""The queue before the writer."""

import asyncio

import pytest

from feedback_assets.capture.inbox import waiting
from feedback_assets.capture.inbox.jobs import make_job
from feedback_assets.capture.inbox.waiting import GROUP_ROWS, Waiting
from feedback_assets.errors import InboxClosedError, InboxFullError
from feedback_assets_tests.capture.inbox.world import entries, entry


def job(count: int, awaited: bool = True):
    loop = asyncio.new_event_loop()
    done = loop.create_future() if awaited else None
    loop.close()
    return make_job(entries(count), None, done)


def test_more_rows_than_may_wait_are_refused_until_some_were_written():
    queue = Waiting(10)
    first = job(9)
    queue.put(first)
    queue.put(job(1))
    with pytest.raises(InboxFullError, match="inbox_queue"):
        queue.put(job(1))
    assert queue.rows == 10
    assert queue.get(0)[0] is first
    with pytest.raises(InboxFullError):
        queue.put(job(1))
    queue.forget([first])
    queue.put(job(9))


def test_a_request_larger_than_the_queue_goes_through_an_empty_one():
    queue = Waiting(10)
    queue.put(job(11))
    with pytest.raises(InboxFullError):
        queue.put(job(1))


def test_rows_nobody_waits_for_have_room_of_their_own():
    queue = Waiting(10)
    queue.put(job(10, awaited=False))
    with pytest.raises(InboxFullError):
        queue.put(job(1, awaited=False))
    queue.put(job(10))


def test_large_bodies_are_bounded_by_their_bytes(monkeypatch):
    monkeypatch.setattr(waiting, "QUEUE_BYTES", 1_000)
    queue = Waiting(10)
    queue.put(make_job([entry("a", "x" * 900)]))
    with pytest.raises(InboxFullError, match="MiB"):
        queue.put(make_job([entry("b", "x" * 101)]))
    queue.put(make_job([entry("b", "x" * 100)]))


def test_a_group_has_a_bounded_number_of_rows():
    queue = Waiting(10 * GROUP_ROWS)
    for _ in range(5):
        queue.put(job(GROUP_ROWS // 2))
    assert [len(queue.get(0)) for _ in range(4)] == [2, 2, 1, 0]


def test_the_end_comes_after_what_was_there():
    queue = Waiting(10)
    queue.put(job(1))
    queue.end("why")
    queue.end("another")
    with pytest.raises(InboxClosedError, match="why"):
        queue.put(job(1))
    assert len(queue.get(0)) == 1
    assert queue.get(0) is None
