"""Trained shops and engines that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_assets.capture.inbox.records import Entry
from feedback_assets.serving import hot
from feedback_assets.serving.engine import Engine
from feedback_assets_tests.serving.shop import Shop

MakeEngine = Callable[..., Engine]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Two versions, the first one published."""
    made = Shop(tmp_path / "home")
    made.train(1, seed=1)
    made.train(2, seed=2)
    made.publish(1)
    return made


@pytest.fixture
def sent() -> list[Entry]:
    """What engines submitted."""
    return []


@pytest.fixture
def engine_of(monkeypatch: pytest.MonkeyPatch, sent: list[Entry]) -> Iterator[MakeEngine]:
    """Makes started engines that look at their manifest often."""
    monkeypatch.setattr(hot, "POLL", 0.01)
    monkeypatch.setattr(hot, "RETRY", 0.05)
    made: list[Engine] = []

    def start(shop: Shop) -> Engine:
        engine = Engine(shop.config, shop.settings, lambda e: (sent.extend(e), True)[1], lambda: 7)
        made.append(engine)
        engine.start()
        return engine

    yield start
    for engine in made:
        engine.close()
