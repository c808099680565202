"""Which services follow which models, as each of them says."""

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from feedback_assets.serving import acks, hot
from feedback_assets.serving.acks import (
    Ack,
    Following,
    acknowledged,
    await_following,
    following,
    services,
)
from feedback_assets_tests.serving.shop import LOOP
from feedback_assets_tests.serving.waiting import until

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def folder(shop) -> Path:
    return shop.settings.serving / LOOP / "acks"


def say(shop, **said) -> Path:
    """The file of another service."""
    known = {
        "service": "elsewhere-7", "host": "elsewhere", "pid": 7, "generation": 1, "champion": 1,
        "challenger": None, "stage": None, "at": NOW, "answered": 0, "unanswered": 0, "problem": "",
    }  # fmt: skip
    ack = Ack(**(known | said))
    folder(shop).mkdir(parents=True, exist_ok=True)
    path = folder(shop) / f"{ack.service}.json"
    path.write_bytes(msgspec.json.encode(ack))
    return path


def dead_pid() -> int:
    """Of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_service_says_which_generation_answers(shop, engine_of):
    engine = engine_of(shop)
    (ack,) = services(shop.settings, LOOP)
    assert (ack.generation, ack.champion, ack.problem) == (1, 1, "")
    assert ack.pid == os.getpid()
    assert ack.service == f"{ack.host}-{ack.pid}"
    engine.answer(shop.rows(3), ["a", "b", "c"], ["s"] * 3)
    shop.train(3, seed=3)
    generation = shop.publish(2, previous=1, challenger=3, stage="canary")
    assert acknowledged(shop.settings, LOOP, generation) == []
    found = await_following(shop.settings, LOOP, generation, 10)
    assert found.complete
    (ack,) = found.followed
    assert (ack.generation, ack.champion, ack.challenger, ack.stage) == (2, 2, 3, "canary")
    assert (ack.answered, ack.unanswered) == (3, 0)
    assert acknowledged(shop.settings, LOOP, 1) == [ack]  # who is further on follows too


def test_the_moment_of_a_swap_stays_when_something_else_is_told(shop, engine_of):
    engine_of(shop)
    (before,) = services(shop.settings, LOOP)
    shop.settings.serving.joinpath(LOOP, "manifest.json").write_bytes(b"damaged")
    until(lambda: services(shop.settings, LOOP)[0].problem != "")
    (ack,) = services(shop.settings, LOOP)
    assert (ack.generation, ack.at) == (1, before.at)


def test_a_service_that_ends_takes_its_word_back(shop, engine_of):
    engine_of(shop).close()
    assert services(shop.settings, LOOP) == []
    assert list(folder(shop).iterdir()) == []


def test_whoever_cannot_load_the_model_is_late_and_says_why(shop, engine_of, monkeypatch):
    monkeypatch.setattr(hot, "POLL", 0.2)  # both changes of the file fall between two looks
    engine_of(shop)
    generation = shop.publish(2)
    (shop.settings.models / LOOP / "2" / "model.onnx").write_bytes(b"x")
    until(lambda: services(shop.settings, LOOP)[0].problem != "")
    found = await_following(shop.settings, LOOP, generation, 0.05)
    assert (found.complete, found.followed) == (False, ())
    assert "another file than the published one" in found.late[0].problem
    assert found.late[0].champion == 1


def test_a_service_without_its_champion_does_not_follow(shop):
    say(shop, generation=2, champion=None, problem="version 2 cannot be loaded")
    assert acknowledged(shop.settings, LOOP, 2) == []
    assert not following(shop.settings, LOOP, 2).complete


def test_the_dead_and_the_silent_are_nobody(shop):
    say(shop)
    host = acks.socket.gethostname()
    say(shop, service="here-1", host=host, pid=dead_pid())
    silent = say(shop, service="silent-1", host="silent")
    os.utime(silent, (time.time() - 61, time.time() - 61))
    (folder(shop) / "torn.json").write_bytes(b'{"service": "to')
    (folder(shop) / "other.json").write_bytes(b"[]")
    (folder(shop) / "half.tmp").write_bytes(b"")
    assert [ack.service for ack in services(shop.settings, LOOP)] == ["elsewhere-7"]
    assert len(services(shop.settings, LOOP, within=120)) == 2


def test_what_the_dead_left_is_swept_by_the_next_service(shop, engine_of):
    left = say(shop, service="gone-1", host=acks.socket.gethostname(), pid=dead_pid())
    kept = say(shop)
    engine_of(shop)
    assert not left.exists()
    assert kept.exists()


def test_a_sign_of_life_comes_again_and_again(shop, engine_of, monkeypatch):
    monkeypatch.setattr(acks, "BEAT", 0.02)
    engine_of(shop)
    (path,) = folder(shop).glob("*.json")
    os.utime(path, (0, 0))
    until(lambda: len(services(shop.settings, LOOP)) == 1)
    path.unlink()
    until(lambda: len(services(shop.settings, LOOP)) == 1)


def test_a_service_that_cannot_write_its_file_answers_as_before(shop, engine_of):
    folder(shop).parent.mkdir(parents=True, exist_ok=True)
    folder(shop).write_bytes(b"a file where the folder should be")
    engine = engine_of(shop)
    shop.publish(2)
    until(lambda: engine.state().generation == 2)
    assert engine.state().problem == ""
    assert engine.answer([shop.row(0)], ["p"], ["p"])[0].model_version == "2"
    assert services(shop.settings, LOOP) == []


def test_nobody_is_waited_for_where_nobody_serves(shop):
    began = time.monotonic()
    found = await_following(shop.settings, LOOP, 5, seconds=30)
    assert time.monotonic() - began < 10
    assert (found.complete, found.followed, found.seconds(NOW)) == (True, (), 0.0)


def test_seconds_count_to_the_last_who_followed(shop):
    say(shop, at=NOW + dt.timedelta(seconds=0.5))
    say(shop, service="other-8", host="other", at=NOW + dt.timedelta(seconds=1.5))
    found = following(shop.settings, LOOP, 1)
    assert found.seconds(NOW) == pytest.approx(1.5)
    assert found.seconds(NOW + dt.timedelta(hours=1)) == 0.0  # of a clock that goes behind
    assert Following(1, (), ()).complete
