"""The oracle and the generator themselves: they must tell right from wrong before they judge."""

from collections import Counter

import pytest

from feedback_assets_tests.door.proof.judge import verdict_of
from feedback_assets_tests.door.proof.live import RULES
from feedback_assets_tests.door.proof.mutate import Hostile, Mutations
from feedback_assets_tests.door.proof.oracle import Oracle
from feedback_assets_tests.door.proof.shapes import Shapes
from feedback_assets_tests.door.proof.strict import BAD, GOOD, OPEN
from feedback_assets_tests.serving.shop import LOOP, Shop

ROW = b'{"amount": 5, "distance": 1.5, "empty": null, "country": "de", "shop_kind": "food", "region": "n"}'


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return Shop(tmp_path_factory.mktemp("oracle") / "home", rules=RULES)


@pytest.fixture(scope="module")
def oracle(shop):
    return Oracle.of(shop.settings.configs / "loops" / f"{LOOP}.yaml")


def row_of(shop):
    return lambda i: shop.row(i) | {"region": "north"}


@pytest.mark.parametrize("place", range(12))
def test_unbroken_requests_are_good(shop, oracle, place):
    shapes = Shapes(LOOP, row_of(shop), seed=place)
    for _ in range(20):
        ask = shapes.all[place]()
        whole = Hostile(ask, ask.body, "whole", ask.target, dict(ask.headers))
        assert verdict_of(oracle, whole) is GOOD, ask


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (b"5", b"NaN", BAD), (b"5", b"1e999", BAD), (b"5", b"true", BAD), (b"5", b'"5"', BAD), (b"5", b"1001", BAD),
        (b"5", b"-0", GOOD), (b"1.5", b"null", BAD), (b"1.5", b"-1", BAD), (b'"food"', b'"Food"', BAD),
        (b'"de"', b"7", BAD), (b'"de"', b"null", GOOD), (b'"de"', b'"\\ud800"', BAD), (b'"de"', b'"\xff"', BAD),
        (b'"empty": null', b'"__proto__": null', BAD), (b'"empty": null', b'"empty": 1, "empty": 2', OPEN),
        (b'"empty": null', b'"empty": 2, "empty": "x"', BAD), (b"null", b"1" * 400, BAD), (b"}", b"", BAD),
        (b'"n"', b"[" * 17 + b"]" * 17, BAD), (b'"n"', b'"n", "event_time": "2099-01-01T00:00:00Z"', BAD),
        (b'"n"', b'"n", "event_time": 1790000000000000', GOOD), (b'"n"', b'"n", "prediction_id": 5', BAD),
    ],
)  # fmt: skip
def test_one_change_decides(oracle, old, new, verdict):
    assert oracle.predict(ROW) is GOOD
    assert oracle.predict(ROW.replace(old, new, 1)) is verdict


def test_the_generator_makes_mostly_bad_requests_of_every_kind(shop, oracle):
    mutations = Mutations(Shapes(LOOP, row_of(shop), seed=3).any, seed=3)
    drawn = [mutations.next() for _ in range(2_000)]
    seen = Counter(verdict_of(oracle, h).name for h in drawn if h.plain)
    assert seen["BAD"] > 900
    assert seen["GOOD"] > 30
    assert seen["OPEN"] < 600
    assert len({h.how.split(" at ")[0] for h in drawn}) > 60
    again = Mutations(Shapes(LOOP, row_of(shop), seed=3).any, seed=3)
    first = [again.next() for _ in range(50)]
    assert [h.how for h in first] == [h.how for h in drawn[:50]]
