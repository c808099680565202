"""The client whose calls are awaited."""

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar, overload

import httpx

from feedback_assets.client.answers import Prediction, Stored
from feedback_assets.client.base import Base, event_of
from feedback_assets.client.calls import Item, Send, Steps
from feedback_assets.client.retries import Reply

T = TypeVar("T")


class AsyncClient(Base):
    """The calls of `Client`, to be awaited; for one asyncio loop."""

    _http: httpx.AsyncClient

    @overload
    async def predict(
        self, rows: Mapping[str, Any], *, loop: str | None = ..., idempotency_key: str | None = ...
    ) -> Prediction: ...
    @overload
    async def predict(
        self, rows: Iterable[Item], *, loop: str | None = ..., idempotency_key: str | None = ...
    ) -> list[Prediction]: ...
    async def predict(
        self,
        rows: Item | Iterable[Item],
        *,
        loop: str | None = None,
        idempotency_key: str | None = None,
    ) -> Prediction | list[Prediction]:
        """As `Client.predict`."""
        if isinstance(rows, Mapping):
            return await self._play(self._calls.predict(rows, loop, idempotency_key))
        return await self._play(self._calls.predict_many(rows, loop, idempotency_key))

    async def feedback(
        self,
        prediction_id: str,
        value: object,
        kind: str | None = None,
        *,
        event_id: str | None = None,
        event_time: dt.datetime | str | int | None = None,
        source: str | None = None,
        confidence: float | None = None,
        loop: str | None = None,
        idempotency_key: str | None = None,
    ) -> Stored:
        """As `Client.feedback`."""
        event = event_of(prediction_id, value, kind, event_id, event_time, source, confidence)
        return await self._play(self._calls.feedback(event, loop, idempotency_key))

    async def feedback_many(
        self,
        events: Iterable[Item],
        *,
        loop: str | None = None,
        idempotency_key: str | None = None,
    ) -> list[Stored]:
        """As `Client.feedback_many`."""
        return await self._play(self._calls.feedback_many(events, loop, idempotency_key))

    async def prediction(self, prediction_id: str, *, loop: str | None = None) -> dict[str, Any]:
        """As `Client.prediction`."""
        return await self._play(self._calls.prediction(prediction_id, loop))

    async def model(self, *, loop: str | None = None) -> dict[str, Any]:
        """As `Client.model`."""
        return await self._play(self._calls.model(loop))

    async def ready(self) -> bool:
        """As `Client.ready`."""
        return await self._play(self._calls.ready())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def _open(self, **options: Any) -> None:
        self._http = httpx.AsyncClient(**options)

    async def _play(self, steps: Steps[T]) -> T:
        reply: Reply | None = None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, Send):
                    reply = await self._send(step)
                else:
                    await asyncio.sleep(step.seconds)
                    reply = None
        except StopIteration as end:
            done: T = end.value
            return done

    async def _send(self, send: Send) -> Reply:
        try:
            return await self._http.request(
                send.method, send.path, content=send.content, headers=dict(send.headers)
            )
        except httpx.TransportError as error:
            return error
