import json
import os
import threading
import time

import pytest

from feedback_assets.serving import shadow as module
from feedback_assets.serving.engine import Engine
from feedback_assets_tests.serving.shop import Shop
from feedback_assets_tests.serving.waiting import until

ALL = {"routing": {"shadow_percent": 100, "shadow_queue": 3}}


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path / "home", "multiclass", ALL)
    made.train(1, seed=1)
    made.train(2, seed=2)
    made.publish(1, challenger=2, stage="shadow")
    return made


def ask(engine, shop, n, start=0):
    rows = [shop.row(i) for i in range(start, start + n)]
    ids = [f"p{i}" for i in range(start, start + n)]
    return rows, engine.answer(rows, ids, ids)


def test_the_challenger_scores_after_the_answer(shop, engine_of, sent):
    engine = engine_of(shop)
    rows, answers = ask(engine, shop, 48)
    assert {(a.arm, a.answered_by, a.model_version) for a in answers} == {
        ("shadow", "champion", "1")
    }
    engine.shadow(rows, answers, list(range(48)))
    until(lambda: len(sent) == 48)
    champion, challenger = shop.model(1), shop.model(2)
    frame = shop.frame(512, 0).head(48)
    expected = challenger.score(frame)
    for i, entry in enumerate(sent):
        body = json.loads(entry.body)
        assert entry[:4] == ("shadow", "shop", f"p{i}~2", i)
        assert body["score"] == pytest.approx(expected.score[i], abs=1e-7)
        assert list(body["class_scores"]) == list(challenger.spec.classes)
        assert body["prediction"] == expected.prediction[i]
        assert (body["model_version"], body["model_digest"]) == ("2", challenger.digest)
        assert (body["id"], body["event_us"], body["received_us"]) == (f"p{i}", i, 7)
        assert body["latency_us"] >= 0
    assert champion.digest != challenger.digest
    assert engine.state().counts["shadow_scored"] == 48


def test_only_the_drawn_rows_are_scored(tmp_path, engine_of, sent):
    shop = Shop(tmp_path / "home", serve={"routing": {"shadow_percent": 20}})
    shop.train(1, seed=1)
    shop.train(2, seed=2)
    shop.publish(1, challenger=2)
    engine = engine_of(shop)
    rows, answers = ask(engine, shop, 400)
    drawn = {f"{a.prediction_id}~2" for a in answers if a.arm == "shadow"}
    assert 40 < len(drawn) < 120
    engine.shadow(rows, answers, [0] * 400)
    until(lambda: len(sent) >= len(drawn))
    assert {entry.key for entry in sent} == drawn


def test_an_explored_row_is_scored_too(tmp_path, engine_of, sent):
    serve = {"routing": {"shadow_percent": 100}, "exploration": {"epsilon": 0.5}}
    shop = Shop(tmp_path / "home", "multiclass", serve)
    shop.train(1, seed=1)
    shop.train(2, seed=2)
    shop.publish(1, challenger=2)
    engine = engine_of(shop)
    rows, answers = ask(engine, shop, 50)
    assert {a.arm for a in answers} == {"shadow", "explore"}
    engine.shadow(rows, answers, [0] * 50)
    until(lambda: len(sent) == 50)


def test_waiting_requests_are_bounded(shop, engine_of, monkeypatch):
    monkeypatch.setattr(module, "GATHER", 30)
    engine = engine_of(shop)
    for _ in range(10):
        rows, answers = ask(engine, shop, 1)
        engine.shadow(rows, answers, [0])
    assert engine.state().counts["shadow_dropped"] == 7


def test_waiting_rows_are_bounded_as_requests_are(shop, engine_of, monkeypatch):
    monkeypatch.setattr(module, "GATHER", 30)
    engine = engine_of(shop)
    for _ in range(2):
        rows, answers = ask(engine, shop, 30)
        engine.shadow(rows, answers, [0] * 30)
    assert engine.state().counts["shadow_dropped"] == 30  # 60 rows are more than 3 x 16


def test_without_a_challenger_in_shadow_nothing_happens(shop, engine_of, sent):
    engine = engine_of(shop)
    rows, answers = ask(engine, shop, 3)
    shop.publish(1, challenger=2, stage="canary")
    until(lambda: engine.state().generation == 2)
    engine.shadow(rows, answers, [0] * 3)
    engine.close()
    assert sent == []
    assert engine.state().counts["shadow_dropped"] == 0


def test_a_full_queue_drops_counts_and_never_waits(shop, monkeypatch):
    release = threading.Event()
    engine = Engine(shop.config, shop.settings, lambda _: release.wait(30))
    engine.start()
    rows, answers = ask(engine, shop, 2)
    started = time.perf_counter()
    for _ in range(200):
        engine.shadow(rows, answers, [0, 0])
    assert time.perf_counter() - started < 1
    waiting = 3  # in the queue; what the worker holds, it took within its bounds
    dropped = engine.state().counts["shadow_dropped"]
    held = 400 - dropped - 2 * waiting
    assert 0 <= held <= module.ROWS_AT_ONCE + 2
    release.set()
    until(lambda: sum(shadow_counts(engine)) == 400)
    engine.close()
    assert engine.state().counts["shadow_dropped"] == dropped


def shadow_counts(engine):
    counts = engine.state().counts
    return [counts[f"shadow_{what}"] for what in ("scored", "dropped", "failed")]


@pytest.mark.parametrize("refuse", [lambda _: False, None])
def test_an_inbox_without_room_drops(shop, refuse):
    def ended(_):
        raise RuntimeError("Event loop is closed")

    engine = Engine(shop.config, shop.settings, refuse or ended)
    engine.start()
    for _ in range(2):
        rows, answers = ask(engine, shop, 2)
        engine.shadow(rows, answers, [0, 0])
        time.sleep(0.05)
    engine.close()
    assert shadow_counts(engine) == [0, 4, 0]


@pytest.mark.parametrize("where", ["_run", "feeds"])
def test_a_failing_challenger_is_counted_and_the_worker_goes_on(
    shop, engine_of, sent, monkeypatch, where
):
    engine = engine_of(shop)
    rows, answers = ask(engine, shop, 2)
    challenger = engine._hot.lineup.challenger
    run = getattr(challenger.scorer, where)

    def fail(*_):
        raise ValueError("boom")

    monkeypatch.setattr(challenger.scorer, where, fail)
    engine.shadow(rows, answers, [0, 0])
    until(lambda: engine.state().counts["shadow_failed"] == 2)
    monkeypatch.setattr(challenger.scorer, where, run)
    engine.shadow(rows, answers, [0, 0])
    until(lambda: len(sent) == 2)


def test_closing_scores_what_waits(shop, engine_of, sent, monkeypatch):
    monkeypatch.setattr(module, "GATHER", 30)
    engine = engine_of(shop)
    rows, answers = ask(engine, shop, 2)
    engine.shadow(rows, answers, [0, 0])
    assert sent == []
    engine.close()
    assert len(sent) == 2


def test_the_worker_has_a_low_priority(shop, engine_of):
    engine_of(shop)
    own = os.getpriority(os.PRIO_PROCESS, 0)

    def nice():
        worker = next(t for t in threading.enumerate() if t.name == "shop shadow")
        return os.getpriority(os.PRIO_PROCESS, worker.native_id)

    until(lambda: nice() == min(own + module.NICE, 19))
