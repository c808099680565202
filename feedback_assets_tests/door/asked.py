"""The whole application without a socket: real inbox, real engine, in this process."""

import asyncio
import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import httpx

from feedback_assets.capture.inbox.records import Entry, Replay
from feedback_assets.door.app import create_app
from feedback_assets.door.options import DoorOptions
from feedback_assets_tests.serving.shop import Shop

NOW = int(dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000
OPEN = DoorOptions(open_to_all=True)


class Asked:
    """A client of an open application."""

    def __init__(self, client: httpx.AsyncClient, app: Any, shop: Shop) -> None:
        self.http = client
        self.app = app
        self.shop = shop
        self.now = NOW
        self.refused: list[Entry] = []
        """What was sent to the quarantine."""
        self.fail_with: Exception | None = None
        """What the inbox answers instead of storing."""
        self.slow = 0.0
        """Seconds before the inbox stores anything."""

    def watch_inbox(self) -> None:
        """Stand between the door and its inbox."""
        inbox = self.inbox
        append, append_soon = inbox.append, inbox.append_soon

        async def watched(entries: Sequence[Entry], replay: Replay | None = None) -> Any:
            if self.fail_with is not None:
                raise self.fail_with
            if self.slow:
                await asyncio.sleep(self.slow)
            return await append(entries, replay)

        def watched_soon(entries: Sequence[Entry]) -> bool:
            self.refused += [e for e in entries if e.stream.startswith("refused")]
            return append_soon(entries)

        inbox.append, inbox.append_soon = watched, watched_soon

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"content-type": "application/json"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, content=content, headers=said)

    async def predict(self, body: Any, **headers: str) -> httpx.Response:
        return await self.post("/v1/shop/predict", body, **headers)

    async def feedback(self, body: Any, **headers: str) -> httpx.Response:
        return await self.post("/v1/shop/feedback", body, **headers)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    @property
    def inbox(self) -> Any:
        return self.app._service.inbox

    async def stored(self, stream: str, key: str) -> dict[str, Any] | None:
        found = await self.inbox.find(stream, "shop", key)
        return None if found is None else json.loads(found)


@contextlib.asynccontextmanager
async def asking(shop: Shop, options: DoorOptions = OPEN) -> AsyncIterator[Asked]:
    """Open the application over a shop."""
    configs = {shop.config.name: shop.config}
    asked: Asked
    app = create_app(configs, shop.settings, options, lambda: asked.now)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        asked = Asked(client, app, shop)
        async with _lifespan(app):
            asked.watch_inbox()
            yield asked


@contextlib.asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[None]:
    inward: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outward: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(
        app({"type": "lifespan", "state": {}, "asgi": {}}, inward.get, outward.put)
    )
    await inward.put({"type": "lifespan.startup"})
    said = asyncio.create_task(outward.get())
    await asyncio.wait({said, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        said.cancel()
        await task
    assert said.result()["type"] == "lifespan.startup.complete", said.result()
    try:
        yield
    finally:
        await inward.put({"type": "lifespan.shutdown"})
        await task


def ask(
    shop: Shop, work: Callable[[Asked], Coroutine[Any, Any, Any]], options: DoorOptions = OPEN
) -> Any:
    """Open the application, do the work, close it."""

    async def main() -> Any:
        async with asking(shop, options) as asked:
            return await work(asked)

    return asyncio.run(main())


def shop_in(folder: Path, kind: Any = "binary", train: bool = True, **said: Any) -> Shop:
    """A shop, with a champion if it is trained."""
    shop = Shop(folder / "home", kind, **said)
    if train:
        shop.train(1)
        shop.publish(1)
    return shop
