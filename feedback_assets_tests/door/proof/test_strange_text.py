"""No text and no number that the door lets in makes a model fail, or its circuit breaker open."""

import random

import pytest

from feedback_assets.serving.engine import Engine
from feedback_assets_tests.serving.shop import Shop

ODD = [0xFFFE, 0xFFFF, 0x10FFFF, 0x1FFFE, 0x200B, 0x202E, 0xFEFF, 0xFFFD, 0x1F600, 0x130, 0x149]
PLACES = ("note", "country", "shop_kind")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("strange") / "home", "text")
    shop.train()
    shop.publish()
    engine = Engine(shop.config, shop.settings, lambda _entries: True)
    engine.start()
    yield shop, engine
    engine.close()


def _texts(draw):
    yield from (chr(c) * 3 for c in [*range(1, 0x180), *ODD])
    yield from ("", " " * 100_000, "a " * 100_000, "x" * 500_000, "a\x00b")
    for _ in range(300):
        points = (
            draw.choice([draw.randrange(1, 0xD800), draw.randrange(0xE000, 0x110000)])
            for _ in range(20)
        )
        yield "".join(map(chr, points))


@pytest.mark.parametrize("place", PLACES)
def test_text(world, place):
    shop, engine = world
    for text in _texts(random.Random(place)):
        said = engine.answer([shop.row(1) | {place: text}], ["p"], ["p"])[0]
        assert said.answered_by == "champion", ascii(text[:60])
    assert engine.state().breakers["champion"] == "closed"


@pytest.mark.parametrize("number", [3.4e38, -3.4e38, 1e-45, -0.0, 0.0, 1e38])
def test_numbers(world, number):
    shop, engine = world
    for name in ("amount", "distance", "empty"):
        said = engine.answer([shop.row(1) | {name: number}], ["p"], ["p"])[0]
        assert said.answered_by == "champion"
        assert 0 <= said.score <= 1
