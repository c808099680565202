"""A process that takes answers is killed at any instant: nothing it acknowledged is lost or doubled."""

import os
import random
import select
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from feedback_assets.review import answering
from feedback_assets.review import store as store_module
from feedback_assets.review.records import Answer
from feedback_assets.review.schema import _connect
from feedback_assets.review.store import ReviewStore
from feedback_assets_tests.review.questions import NOW, answer, task

KILLS = 12
TASKS = 1_000


def test_nothing_acknowledged_is_lost_or_doubled(store: ReviewStore) -> None:
    assert faults(store) == []


def test_a_writer_that_acknowledges_before_the_commit_is_caught(
    store: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put([])
    monkeypatch.setattr(store_module, "writing", committing_late())
    assert any("lost" in fault for fault in faults(store))


def test_a_writer_that_forgets_what_it_took_is_caught(
    store: ReviewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "keep", forgetful(answering.keep))
    assert any("doubled" in fault for fault in faults(store))


def faults(store: ReviewStore) -> list[str]:
    """Kill a writer again and again; what the store then holds that it must not, or lacks."""
    store.put([task(number) for number in range(TASKS)])
    lots, acknowledged, read = random.Random(7), [-1], []
    for _ in range(KILLS):
        acknowledged += killed_writer(store, acknowledged[-1], lots)
        # A reader goes on behind the last answer it knows.
        read += list(store.answers(after=read[-1].seq if read else 0))
    kept = Counter(one.answer.task_id for one in store.answers())
    found = [f"lost: t{number}" for number in set(acknowledged) - {-1} if not kept[f"t{number}"]]
    found += [f"doubled: {name}" for name, times in kept.items() if times > 1]
    if Counter(one.answer.task_id for one in read) != kept:
        found.append("a reader missed something or saw it twice")
    with sqlite3.connect(store.path) as con:
        found += [row[0] for row in con.execute("PRAGMA integrity_check") if row[0] != "ok"]
        counted = dict(con.execute("SELECT task_id, labels FROM tasks WHERE labels > 0"))
    return found + (["tasks miscount their answers"] if counted != dict(kept) else [])


def killed_writer(store: ReviewStore, last: int, lots: random.Random) -> list[int]:
    """Let a process answer until it is killed; the numbers that it acknowledged.

    It begins with the last one that was acknowledged, as a sender does that had no reply.
    """
    out, into = os.pipe()
    child = os.fork()
    if not child:
        for number in range(max(last, 0), TASKS):
            store.answer(answer(f"t{number}", "ann", annotation_id=f"a{number}"), NOW)
            os.write(into, number.to_bytes(4, "big"))
        os._exit(0)
    os.close(into)
    heard = b"".join(os.read(out, 4) for _ in range(lots.randint(1, 9)))
    select.select([out], [], [], lots.random() * 0.004)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(out, 4096):
        heard += more
    os.close(out)
    return [int.from_bytes(heard[at : at + 4], "big") for at in range(0, len(heard) // 4 * 4, 4)]


def committing_late() -> Callable[[Path], object]:
    """`writing`, but every fifth errand commits for all before it."""
    held: list[sqlite3.Connection] = []
    errands = [0]

    @contextmanager
    def writing(path: Path) -> Iterator[sqlite3.Connection]:
        if not held:
            held.append(_connect(path))
            held[0].execute("BEGIN IMMEDIATE")
        yield held[0]
        errands[0] += 1
        if errands[0] % 5 == 0 or os.getpid() == parent:
            held.pop().execute("COMMIT")

    parent = os.getpid()
    return writing


def forgetful(keep: Callable[..., str]) -> Callable[..., str]:
    """`keep`, but every answer is taken for a new one by somebody new."""

    def kept(con: sqlite3.Connection, said: Answer, received_at: object) -> str:
        new = uuid4().hex
        return keep(con, replace(said, annotation_id=new, annotator=new), received_at)

    return kept
