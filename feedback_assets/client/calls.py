"""The core that both clients share: each call as steps, whoever sends and waits for them."""

import uuid
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from feedback_assets.client.answers import Prediction, Stored
from feedback_assets.client.bodies import batches, encode
from feedback_assets.client.problems import ClientError, DoorProblem, FieldProblem, Unreachable
from feedback_assets.client.retries import Reply, Retries

T = TypeVar("T")
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; the next step gets what it came to."""

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait so many seconds."""

    seconds: float


Steps = Generator[Send | Wait, Reply | None, T]


@dataclass(frozen=True)
class Calls:
    """What a client can ask for.

    Raises, all of them:
        DoorProblem: The service refused.
        Unreachable: It did not answer, after every retry.
        ClientError: It answered with something else than this client knows.
        ValueError: No loop was named, or a field holds what JSON cannot say.
    """

    loop: str | None
    retries: Retries
    max_rows: int
    max_bytes: int

    def predict(self, row: Item, loop: str | None, key: str | None) -> Steps[Prediction]:
        """POST one row."""
        said = yield from self._post("predict", loop, encode(row), key or uuid.uuid4().hex)
        return _read(Prediction.read, said)

    def predict_many(
        self, rows: Iterable[Item], loop: str | None, key: str | None
    ) -> Steps[list[Prediction]]:
        """POST rows, in as many requests as it takes."""
        return (
            yield from self._many(
                "predict", "rows", "predictions", Prediction.read, rows, loop, key
            )
        )

    def feedback(self, event: Item, loop: str | None, key: str | None) -> Steps[Stored]:
        """POST one event."""
        body = encode(_stated(event))
        said = yield from self._post("feedback", loop, body, key or uuid.uuid4().hex)
        return _read(Stored.read, said)

    def feedback_many(
        self, events: Iterable[Item], loop: str | None, key: str | None
    ) -> Steps[list[Stored]]:
        """POST events, in as many requests as it takes."""
        return (
            yield from self._many(
                "feedback", "events", "events", Stored.read, map(_stated, events), loop, key
            )
        )

    def prediction(self, prediction_id: str, loop: str | None) -> Steps[dict[str, Any]]:
        """GET what is kept of a prediction."""
        path = f"{self._at(loop)}/predictions/{quote(prediction_id, safe='')}"
        return _object((yield from self._answered(Send("GET", path))))

    def model(self, loop: str | None) -> Steps[dict[str, Any]]:
        """GET which models answer."""
        return _object((yield from self._answered(Send("GET", f"{self._at(loop)}/model"))))

    def ready(self) -> Steps[bool]:
        """GET whether every loop can answer; False when nothing answers at all."""
        reply = yield Send("GET", "/readyz")
        return isinstance(reply, httpx.Response) and reply.is_success

    def _many(
        self,
        what: str,
        sent: str,
        answered: str,
        read: Callable[[Item], T],
        items: Iterable[Item],
        loop: str | None,
        key: str | None,
    ) -> Steps[list[T]]:
        key = key or uuid.uuid4().hex
        done: list[T] = []
        for batch in batches(items, self.max_rows, self.max_bytes):
            # Where the call is cut depends on its items alone, so the keys are the same again.
            own = f"{key}-{batch.before}" if batch.before else key
            said = yield from self._post(what, loop, batch.body(sent), own, batch.before)
            items_said = _read(lambda said: list(said[answered]), said)
            if len(items_said) != len(batch.items):
                raise ClientError(f"{len(batch.items)} {sent} sent, {len(items_said)} answered")
            _refuse_conflicts(items_said, sent, batch.before)
            done += [_read(read, each) for each in items_said]
        return done

    def _post(
        self, what: str, loop: str | None, body: bytes, key: str, before: int = 0
    ) -> Steps[dict[str, Any]]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        send = Send("POST", f"{self._at(loop)}/{what}", body, headers)
        return _object((yield from self._answered(send, before)))

    def _answered(self, send: Send, before: int = 0) -> Steps[httpx.Response]:
        """Send until it is answered for good."""
        tried = 0
        while True:
            reply = yield send
            if reply is None:
                raise RuntimeError("a step was sent no reply")
            pause = self.retries.wait(tried, reply)
            if pause is None:
                return _checked(reply, tried + 1, before)
            yield Wait(pause)
            tried += 1

    def _at(self, loop: str | None) -> str:
        chosen = loop or self.loop
        if not chosen:
            raise ValueError("say which loop: Client(..., loop='name'), or loop='name' in the call")
        return f"/v1/{quote(chosen, safe='')}"


def _stated(event: Item) -> Item:
    """An event without the fields that say nothing."""
    return {name: value for name, value in event.items() if value is not None}


def _checked(reply: Reply, tries: int, before: int) -> httpx.Response:
    if isinstance(reply, httpx.TransportError):
        # Without the cause: an httpx error holds the request, and with it the token.
        words = str(reply) or "no details"
        raise Unreachable(f"no answer after {tries} tries: {type(reply).__name__}: {words}")
    if not reply.is_success:
        raise DoorProblem.read(reply, before)
    return reply


def _refuse_conflicts(said: Sequence[Any], sent: str, before: int) -> None:
    """A request where only some ids are taken is answered: the other items are on disk."""
    taken = tuple(
        FieldProblem(f"/{sent}/{before + at}", "has an id that is stored with other content")
        for at, each in enumerate(said)
        if isinstance(each, Mapping) and each.get("state") == "conflict"
    )
    if taken:
        raise DoorProblem(409, "Conflict", errors=taken)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        said = response.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ClientError(f"{response.status_code} without a JSON object: is this the service?")
    return said


def _read(read: Callable[[Any], T], said: Any) -> T:
    try:
        return read(said)
    except (KeyError, TypeError) as error:
        raise ClientError(f"the answer cannot be read, at {error}: is this the service?") from None
