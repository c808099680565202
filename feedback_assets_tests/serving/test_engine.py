import math
import threading

import pytest

from feedback_assets.serving.engine import Engine
from feedback_assets.serving.scorer import RowError
from feedback_assets_tests.serving.shop import Shop
from feedback_assets_tests.serving.waiting import until

HALF = {"routing": {"canary_percent": 50}}


def world(tmp_path, kind="binary", serve=None, stage="canary"):
    shop = Shop(tmp_path / "home", kind, serve)
    shop.train(1, seed=1)
    shop.train(2, seed=2)
    shop.publish(1, challenger=2, stage=stage)
    return shop


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "text"])
def test_champion_and_canary_answer_their_shares(tmp_path, engine_of, kind):
    shop = world(tmp_path, kind, HALF)
    engine = engine_of(shop)
    ids = [f"p{i}" for i in range(300)]
    answers = engine.answer(shop.rows(300), ids, ids)
    assert [a.prediction_id for a in answers] == ids
    frame = shop.frame(512, 0).head(300)
    said = {v: shop.model(v).score(frame) for v in (1, 2)}
    for i, answer in enumerate(answers):
        expected = {"champion": ("champion", 1), "canary": ("challenger", 2)}[answer.arm]
        assert (answer.answered_by, int(answer.model_version)) == expected
        scores = said[expected[1]]
        assert answer.score == pytest.approx(scores.score[i], rel=1e-6, abs=1e-7)
        if kind != "regression":
            assert answer.prediction == scores.prediction[i]
        assert (answer.class_scores is not None) == (kind == "multiclass")
        assert (answer.propensity, answer.warning) == (1.0, None)
    canary = sum(a.arm == "canary" for a in answers)
    assert abs(canary - 150) < 4 * math.sqrt(75)
    assert engine.state().counts["canary"] == canary
    assert engine.state().challenger.stage == "canary"


def test_a_stick_decides_and_not_the_id(tmp_path, engine_of):
    shop = world(tmp_path, serve=HALF)
    engine = engine_of(shop)
    arms = {
        stick: {a.arm for a in engine.answer(shop.rows(20), list("x" * 20), [stick] * 20)}
        for stick in ("anna", "bert", "carl", "dora", "emil", "fritz")
    }
    assert all(len(seen) == 1 for seen in arms.values())
    assert set.union(*arms.values()) == {"champion", "canary"}


def test_a_canary_that_fails_is_answered_by_the_champion(tmp_path, engine_of, monkeypatch):
    shop = world(tmp_path, serve=HALF)
    engine = engine_of(shop)

    def fail(*_):
        raise ValueError("boom")

    monkeypatch.setattr(engine._hot.lineup.challenger.scorer, "_run", fail)
    ids = [f"p{i}" for i in range(40)]
    answers = engine.answer(shop.rows(40), ids, ids)
    drawn = [a for a in answers if a.arm == "canary"]
    assert drawn
    assert {(a.answered_by, a.model_version) for a in answers} == {("champion", "1")}
    assert {a.warning for a in drawn} == {"the challenger failed: the champion answered"}
    assert {a.warning for a in answers if a.arm == "champion"} == {None}
    assert engine.state().counts["canary_failed"] == len(drawn)


def test_shares_that_nobody_stands_for_are_not_drawn(tmp_path, engine_of):
    shop = world(tmp_path, serve={"routing": {"shadow_percent": 100, "canary_percent": 100}})
    shop.publish(1)
    answers = engine_of(shop).answer(shop.rows(9), list("abcdefghi"), list("abcdefghi"))
    assert {a.arm for a in answers} == {"champion"}


def test_missing_and_odd_features_are_null(tmp_path, engine_of):
    shop = world(tmp_path)
    engine = engine_of(shop)
    empty = dict.fromkeys(shop.config.features)
    odd = {**empty, "amount": math.inf, "distance": math.nan, "note": "not a feature"}
    scores = {a.score for a in engine.answer([{}, empty, odd], list("aaa"), list("aaa"))}
    assert len(scores) == 1
    assert engine.answer([], [], []) == []


@pytest.mark.parametrize("serve", [None, {"default": {"score": 5.0}}])
def test_a_row_far_out_is_the_askers_fault_unless_a_default_answers(tmp_path, engine_of, serve):
    shop = world(tmp_path, "regression", serve)
    shop.publish(1, previous=2)
    engine = engine_of(shop)
    rows = [shop.row(0), {**shop.row(1), "amount": 1e38}, shop.row(2)]
    if serve:
        by = [a.answered_by for a in engine.answer(rows, list("abc"), list("abc"))]
        assert by == ["champion", "default", "champion"]
        return
    with pytest.raises(RowError, match="no finite score for these features") as raised:
        engine.answer(rows, list("abc"), list("abc"))
    assert raised.value.position == 1
    assert engine.state().breakers["champion"] == "closed"


def test_an_engine_ends_with_its_threads(tmp_path):
    shop = world(tmp_path, stage="shadow")
    before = threading.active_count()
    engine = Engine(shop.config, shop.settings, lambda _: True)
    engine.close()  # before it began
    engine = Engine(shop.config, shop.settings, lambda _: True)
    engine.start()
    assert threading.active_count() == before + 2
    engine.close()
    engine.close()
    until(lambda: threading.active_count() == before)
