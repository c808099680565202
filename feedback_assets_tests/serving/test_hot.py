"""Models replaced under load, and whatever can be wrong with a new one."""

import json
import shutil
import threading
import time
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving import hot
from feedback_assets.serving.manifest import manifest_path
from feedback_assets_tests.serving.shop import LOOP, Shop
from feedback_assets_tests.serving.waiting import until

SWAPS, THREADS = 50, 4


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_swaps_under_load_lose_nothing_and_mix_nothing(tmp_path, engine_of, kind):
    shop = Shop(tmp_path / "home", kind)
    for version in (1, 2, 3):
        shop.train(version, seed=version)
    shop.publish(1)
    engine = engine_of(shop)
    stop, seen, failures = threading.Event(), defaultdict(list), []

    def ask(thread):
        i = thread
        while not stop.is_set():
            rows = [shop.row(i), shop.row(i + 1)]
            try:
                answers = engine.answer(rows, [f"{thread}-{i}", "x"], ["s", "s"])
            except ServingError as error:
                failures.append(error)
                continue
            assert len({a.model_digest for a in answers}) == 1
            seen[thread].append((i, answers))
            i += THREADS
            time.sleep(0.001)

    threads = [threading.Thread(target=ask, args=(t,)) for t in range(THREADS)]
    for thread in threads:
        thread.start()
    for turn in range(SWAPS):
        champion = (turn + 1) % 3 + 1
        generation = shop.publish(champion, previous=turn % 3 + 1)
        until(lambda g=generation: engine.state().generation == g)
        assert engine.state().champion.version == champion
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert engine.state().counts["swaps"] == SWAPS + 1
    said = truth(shop)
    every = [pair for pairs in seen.values() for pair in pairs]
    assert len({a.model_digest for _, answers in every for a in answers}) == 3
    assert all(answers[0].prediction_id != "x" for _, answers in every)
    for i, answers in every:
        for k, answer in enumerate(answers):
            digest, scores = said[int(answer.model_version)]
            assert answer.model_digest == digest
            assert answer.score == pytest.approx(scores[(i + k) % len(scores)], abs=1e-7)


def truth(shop):
    """Version to its digest and its scores of all rows; they differ visibly."""
    frame = pd.DataFrame(shop.rows(512))
    said = {v: (shop.model(v).digest, shop.model(v).score(frame).score) for v in (1, 2, 3)}
    assert np.median(np.abs(said[1][1] - said[2][1])) > 1e-3
    return said


def spoil(shop, what):
    """Publish version 2, spoilt."""
    folder, path = shop.settings.models / LOOP / "2", manifest_path(shop.settings, LOOP)
    shop.publish(2, previous=1)
    match what:
        case "corrupt":
            content = bytearray((folder / "model.onnx").read_bytes())
            content[len(content) // 2] ^= 1
            (folder / "model.onnx").write_bytes(content)
        case "missing":
            shutil.rmtree(folder)
        case "another model":
            shutil.copy(shop.settings.models / LOOP / "1" / "model.onnx", folder)
        case "golden":
            golden = json.loads((folder / "golden.json").read_text())
            golden["scores"][0] += 0.01
            (folder / "golden.json").write_text(json.dumps(golden))
        case "garbage":
            path.write_bytes(b"\x00garbage")
        case "truncated":
            path.write_bytes(path.read_bytes()[:-40])
        case "absent":
            path.unlink()
        case "schema":
            path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 0}))


SPOILT = {
    "corrupt": "holds another file than the published one",
    "missing": "No such file",
    "another model": "holds another file than the published one",
    "golden": "differs by 0.01",
    "garbage": "damaged",
    "truncated": "damaged",
    "absent": "cannot be read",
    "schema": "schema 0, this release reads 1",
}


@pytest.mark.parametrize(("what", "words"), SPOILT.items())
def test_what_is_wrong_keeps_the_old_model_and_is_told(shop, engine_of, monkeypatch, what, words):
    monkeypatch.setattr(hot, "POLL", 0.2)  # both changes of the file fall between two looks
    engine = engine_of(shop)
    before = engine.answer([shop.row(0)], ["p"], ["p"])
    assert engine.state().problem == ""
    spoil(shop, what)
    until(lambda: words in engine.state().problem)
    state = engine.state()
    assert (state.generation, state.champion.version, state.ready) == (1, 1, True)
    assert "generation 1 answers meanwhile" in state.problem
    assert state.counts["swap_failures"] >= 1
    assert engine.answer([shop.row(0)], ["p"], ["p"]) == before
    shop.train(2, seed=2)
    shop.publish(2)
    until(lambda: engine.state().problem == "")
    assert engine.state().champion.version == 2


@pytest.mark.parametrize(("what", "words"), SPOILT.items())
def test_a_restart_goes_on_with_what_was_loaded_last(shop, engine_of, what, words):
    engine_of(shop).close()
    spoil(shop, what)
    state = engine_of(shop).state()
    assert (state.champion.version, state.generation, state.ready) == (1, 1, True)
    assert words in state.problem
    assert "generation 1 answers meanwhile" in state.problem


def test_a_broken_challenger_does_not_stop_a_champion(shop, engine_of):
    engine = engine_of(shop)
    shop.train(3, seed=3)
    shop.publish(2, previous=1, challenger=3)
    (shop.settings.models / LOOP / "3" / "model.onnx").write_bytes(b"x")
    until(lambda: engine.state().generation == 2)
    until(lambda: "challenger: version 3 cannot be loaded" in engine.state().problem)
    state = engine.state()
    assert (state.champion.version, state.previous.version, state.challenger) == (2, 1, None)
    shop.train(3, seed=3)
    until(lambda: engine.state().problem == "")  # tried again without a publication
    assert engine.state().challenger.version == 3


def test_a_champion_lost_at_the_first_start_leaves_the_previous_one(shop, engine_of):
    shop.publish(2, previous=1)
    (shop.settings.models / LOOP / "2" / "model.onnx").unlink()
    engine = engine_of(shop)
    assert engine.state().champion is None
    assert engine.answer([shop.row(0)], ["p"], ["p"])[0].answered_by == "previous"
    shop.train(2, seed=2)
    until(lambda: engine.state().champion is not None)
    assert engine.answer([shop.row(0)], ["p"], ["p"])[0].answered_by == "champion"


def test_nothing_published_is_no_error_but_a_problem(tmp_path, engine_of):
    shop = Shop(tmp_path / "home")
    engine = engine_of(shop)
    assert (engine.state().ready, engine.state().generation) == (False, 0)
    assert "publish a model" in engine.state().problem
    with pytest.raises(ServingError, match="it has no model"):
        engine.answer([shop.row(0)], ["p"], ["p"])
    shop.train(1)
    shop.publish(1)
    until(lambda: engine.state().ready)


def test_a_generation_goes_back_only_if_the_file_says_so(shop, engine_of):
    path = manifest_path(shop.settings, LOOP)
    first = path.read_bytes()
    engine = engine_of(shop)
    shop.publish(2)
    until(lambda: engine.state().generation == 2)
    path.write_bytes(first)
    until(lambda: engine.state().generation == 1)
    assert engine.state().champion.version == 1


def test_a_request_in_flight_ends_on_the_model_it_began_with(shop, engine_of, monkeypatch):
    engine = engine_of(shop)
    began, go_on = threading.Event(), threading.Event()
    route = engine._desk._arms

    def slow(lineup, sticks):
        began.set()
        assert go_on.wait(10)
        return route(lineup, sticks)

    monkeypatch.setattr(engine._desk, "_arms", slow)
    got = []
    thread = threading.Thread(target=lambda: got.extend(engine.answer([shop.row(0)], ["p"], ["p"])))
    thread.start()
    assert began.wait(10)
    shop.publish(2)
    until(lambda: engine.state().generation == 2)
    go_on.set()
    thread.join()
    assert (got[0].model_version, got[0].model_digest) == ("1", shop.model(1).digest)


def test_a_model_that_stays_is_not_loaded_again(shop, engine_of):
    engine = engine_of(shop)
    champion = engine._hot.lineup.champion
    shop.publish(2, previous=1)
    until(lambda: engine.state().generation == 2)
    assert engine._hot.lineup.previous is champion


def test_the_watcher_outlives_what_nobody_foresaw(shop, engine_of, monkeypatch):
    engine = engine_of(shop)
    read = engine._hot._read

    def broken():
        raise MemoryError("no room")

    monkeypatch.setattr(engine._hot, "_read", broken)
    shop.publish(2)
    until(lambda: "MemoryError: no room" in engine.state().problem)
    monkeypatch.setattr(engine._hot, "_read", read)
    until(lambda: engine.state().generation == 2)
