"""The client whose calls return when the service has answered."""

import datetime as dt
import time
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar, overload

import httpx

from feedback_assets.client.answers import Prediction, Stored
from feedback_assets.client.base import Base, event_of
from feedback_assets.client.calls import Item, Send, Steps
from feedback_assets.client.retries import Reply

T = TypeVar("T")


class Client(Base):
    """Calls that return when the service has answered; threads may share one client."""

    _http: httpx.Client

    @overload
    def predict(
        self, rows: Mapping[str, Any], *, loop: str | None = ..., idempotency_key: str | None = ...
    ) -> Prediction: ...
    @overload
    def predict(
        self, rows: Iterable[Item], *, loop: str | None = ..., idempotency_key: str | None = ...
    ) -> list[Prediction]: ...
    def predict(
        self,
        rows: Item | Iterable[Item],
        *,
        loop: str | None = None,
        idempotency_key: str | None = None,
    ) -> Prediction | list[Prediction]:
        """Answers for one row, or for many in their order.

        Args:
            rows: Features by name; `prediction_id` and `event_time` too, if you have them.
            loop: The client's if not said.
            idempotency_key: Say it to be able to repeat the whole call later: what was answered
                before is then answered alike, and logged once.
        """
        if isinstance(rows, Mapping):
            return self._play(self._calls.predict(rows, loop, idempotency_key))
        return self._play(self._calls.predict_many(rows, loop, idempotency_key))

    def feedback(
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
        """Say what turned out to be true of a prediction, or what somebody thought of it.

        Args:
            prediction_id: Of the answer.
            value: The label, or what the kind asks for; None for a rejection.
            kind: label (if not said), correction, rating, click, reward or rejection.
            event_id: Your own id of the event: sent twice, it counts once.
            event_time: When it happened; when the service got to know if not said.
            source: Who or what says so.
            confidence: How sure, 0 to 1.
            loop: The client's if not said.
            idempotency_key: As for `predict`.
        """
        event = event_of(prediction_id, value, kind, event_id, event_time, source, confidence)
        return self._play(self._calls.feedback(event, loop, idempotency_key))

    def feedback_many(
        self,
        events: Iterable[Item],
        *,
        loop: str | None = None,
        idempotency_key: str | None = None,
    ) -> list[Stored]:
        """Many events, each with the arguments of `feedback` as its fields."""
        return self._play(self._calls.feedback_many(events, loop, idempotency_key))

    def prediction(self, prediction_id: str, *, loop: str | None = None) -> dict[str, Any]:
        """What the service keeps of a prediction, as it says it."""
        return self._play(self._calls.prediction(prediction_id, loop))

    def model(self, *, loop: str | None = None) -> dict[str, Any]:
        """Which models answer, as the service says it."""
        return self._play(self._calls.model(loop))

    def ready(self) -> bool:
        """Whether every loop of the service can answer; False when nothing answers at all."""
        return self._play(self._calls.ready())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _open(self, **options: Any) -> None:
        self._http = httpx.Client(**options)

    def _play(self, steps: Steps[T]) -> T:
        reply: Reply | None = None
        try:
            while True:
                step = steps.send(reply)
                if isinstance(step, Send):
                    reply = self._send(step)
                else:
                    time.sleep(step.seconds)
                    reply = None
        except StopIteration as end:
            done: T = end.value
            return done

    def _send(self, send: Send) -> Reply:
        try:
            return self._http.request(
                send.method, send.path, content=send.content, headers=dict(send.headers)
            )
        except httpx.TransportError as error:
            return error
