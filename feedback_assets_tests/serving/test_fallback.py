import pytest

from feedback_assets.errors import ServingError
from feedback_assets.serving import served
from feedback_assets.serving.cache import AnswerCache, Remembered
from feedback_assets.serving.scorer import RowError, RowScorer, Scored
from feedback_assets_tests.serving.shop import Shop
from feedback_assets_tests.serving.waiting import until

DEFAULT = {"default": {"score": 0.25}}


@pytest.fixture
def broken(monkeypatch):
    """Digests of the models whose runtime fails."""
    digests, run = set(), RowScorer.run
    scorers = {}
    load = served.ServedModel.load.__func__

    def loaded(cls, about, *rest):
        model = load(cls, about, *rest)
        scorers[id(model.scorer)] = (model.digest, model.scorer)
        return model

    def maybe(self, feeds):
        if scorers.get(id(self), ("",))[0] in digests:
            raise RuntimeError("the runtime is broken")
        return run(self, feeds)

    monkeypatch.setattr(served.ServedModel, "load", classmethod(loaded))
    monkeypatch.setattr(RowScorer, "run", maybe)
    return digests


def world(tmp_path, serve=None, kind="binary"):
    shop = Shop(tmp_path / "home", kind, serve)
    shop.train(1, seed=1)
    shop.train(2, seed=2)
    shop.publish(2, previous=1)
    return shop


def one(engine, row):
    return engine.answer([row], ["p"], ["p"])[0]


def test_the_declared_order(tmp_path, engine_of, broken):
    shop = world(tmp_path, DEFAULT)
    engine, (first, second) = engine_of(shop), (shop.model(1).digest, shop.model(2).digest)
    good = one(engine, shop.row(0))
    assert (good.answered_by, good.model_version, good.warning) == ("champion", "2", None)
    broken.add(second)
    found = one(engine, shop.row(0))
    assert (found.answered_by, found.model_version, found.model_digest) == ("previous", "1", first)
    assert found.warning.startswith("version 2, the champion, failed: version 1")
    broken.add(first)
    found = one(engine, shop.row(0))
    assert (found.answered_by, found.model_version, found.model_digest) == ("cache", "2", second)
    assert (found.score, found.prediction) == (good.score, good.prediction)
    assert "the same features" in found.warning
    found = one(engine, shop.row(1))
    assert (found.answered_by, found.model_version, found.model_digest) == (
        "default", "default", None,
    )  # fmt: skip
    assert (found.score, found.prediction, found.propensity) == (0.25, 0, 1.0)
    counts = engine.state().counts
    assert [counts[f"fallback_{k}"] for k in ("previous", "cache", "default")] == [1, 1, 1]
    assert engine.state().ready


def test_another_order(tmp_path, engine_of, broken):
    shop = world(tmp_path, DEFAULT | {"fallback": ["cache", "previous"]})
    engine = engine_of(shop)
    one(engine, shop.row(0))
    broken.add(shop.model(2).digest)
    assert one(engine, shop.row(0)).answered_by == "cache"
    assert one(engine, shop.row(1)).answered_by == "previous"
    broken.add(shop.model(1).digest)
    with pytest.raises(ServingError, match="shop cannot answer now: its model failed, and no fal"):
        one(engine, shop.row(1))
    assert engine.state().counts["unanswered"] == 1


def test_each_row_of_a_request_by_whom_it_can(tmp_path, engine_of, broken):
    shop = world(tmp_path, DEFAULT | {"fallback": ["cache", "default"]})
    engine = engine_of(shop)
    engine.answer(shop.rows(2), ["a", "b"], ["a", "b"])
    broken.add(shop.model(2).digest)
    answers = engine.answer(shop.rows(4), list("abcd"), list("abcd"))
    assert [a.answered_by for a in answers] == ["cache", "cache", "default", "default"]
    assert [a.prediction_id for a in answers] == list("abcd")


def test_without_a_champion_the_fallbacks_answer(tmp_path, engine_of):
    shop = world(tmp_path, DEFAULT)
    shop.publish(None, previous=1)
    found = one(engine_of(shop), shop.row(0))
    assert (found.answered_by, found.warning.split(":")[0]) == ("previous", "there is no champion")


def test_a_wrong_row_is_the_askers_fault(tmp_path, engine_of):
    engine = engine_of(world(tmp_path, DEFAULT))
    with pytest.raises(RowError, match="amount must be a number"):
        one(engine, {"amount": "x"})


def test_the_breaker_opens_and_the_champion_comes_back(tmp_path, engine_of, broken, monkeypatch):
    monkeypatch.setattr(served, "SECONDS", 0.05)
    shop = world(tmp_path)
    engine = engine_of(shop)
    broken.add(shop.model(2).digest)
    for _ in range(served.FAILURES):
        assert one(engine, shop.row(0)).answered_by == "previous"
    assert engine.state().breakers == {"champion": "open", "previous": "closed", "mlflow": "closed"}
    broken.clear()
    until(lambda: one(engine, shop.row(0)).answered_by == "champion")
    assert engine.state().breakers["champion"] == "closed"


def test_ready_only_while_someone_would_answer(tmp_path, engine_of, broken, monkeypatch):
    shop = world(tmp_path, {"fallback": ["cache", "default"]})
    engine = engine_of(shop)
    assert engine.state().ready
    broken.add(shop.model(2).digest)
    for _ in range(served.FAILURES):
        with pytest.raises(ServingError):
            one(engine, shop.row(0))
    assert not engine.state().ready


@pytest.mark.parametrize(
    ("kind", "default", "score", "prediction"),
    [
        ("binary", {"score": 0.7}, 0.7, 1),
        ("binary", {"prediction": "1"}, None, 1),
        ("binary", {"score": 0.9, "prediction": 0}, 0.9, 0),
        ("regression", {"score": 12.5}, 12.5, 12.5),
        ("multiclass", {"prediction": "look"}, None, "look"),
    ],
)
def test_defaults_in_the_labels_own_type(tmp_path, engine_of, kind, default, score, prediction):
    shop = Shop(tmp_path / "home", kind, {"default": default})
    found = one(engine_of(shop), shop.row(0))
    assert (found.score, found.prediction) == (score, prediction)
    assert type(found.prediction) is type(prediction)
    assert found.answered_by == "default"


def test_the_cache_is_bounded_and_forgets_the_least_used():
    cache = AnswerCache(["a", "b"], 2)
    said = [Remembered(Scored(float(i), i, None), "1", "d") for i in range(4)]
    for i in range(2):
        cache.put({"a": i, "b": None}, said[i])
    assert cache.get({"a": 0, "b": None, "more": 9}) == said[0]
    cache.put({"a": 2, "b": None}, said[2])
    assert cache.get({"a": 1, "b": None}) is None
    assert cache.get({"a": 0}) == said[0]
    assert len(cache) == 2


@pytest.mark.parametrize("value", [2**70, "\ud800", float("nan"), float("inf"), "é\0"])
def test_the_cache_takes_any_value(value):
    cache, said = AnswerCache(["a"], 5), Remembered(Scored(0.5, 1, None), "1", "d")
    cache.put({"a": value}, said)
    assert cache.get({"a": value}) == said
    assert cache.get({"a": "other"}) is None


def test_values_do_not_run_into_each_other():
    cache, said = AnswerCache(["a", "b"], 5), Remembered(Scored(0.5, 1, None), "1", "d")
    cache.put({"a": "x", "b": "yz"}, said)
    assert cache.get({"a": "xy", "b": "z"}) is None
    assert cache.get({"a": "x,yz"}) is None
