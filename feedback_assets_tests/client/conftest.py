import asyncio

import pytest

from feedback_assets.client import AsyncClient, Client
from feedback_assets_tests.client.door import TOKEN


@pytest.fixture
def waits(monkeypatch):
    """Seconds that a client waited, without waiting."""
    waited = []

    async def note(seconds):
        waited.append(seconds)

    monkeypatch.setattr("feedback_assets.client.blocking.time.sleep", waited.append)
    monkeypatch.setattr("feedback_assets.client.awaited.asyncio.sleep", note)
    return waited


@pytest.fixture(params=["blocking", "awaited"])
def call(request, waits):
    """`call(door, method, *arguments, client={options}, **named)` by either client."""

    def blocking(door, method, *arguments, client=None, **named):
        with Client(*options(door), **(client or {}), transport=door.transport) as made:
            return getattr(made, method)(*arguments, **named)

    async def awaited(door, method, *arguments, client=None, **named):
        async with AsyncClient(*options(door), **(client or {}), transport=door.transport) as made:
            return await getattr(made, method)(*arguments, **named)

    def options(door):
        return "http://door.test", TOKEN, "shop"

    if request.param == "blocking":
        return blocking
    return lambda *arguments, **named: asyncio.run(awaited(*arguments, **named))
