"""Ways to break the service, each of which a proof must notice; called before it is imported."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import msgspec


def lenient() -> None:
    """Decodes as most services do: "5", true and 5.0 are all a number."""
    real = msgspec.json.Decoder
    _replace_decoder(lambda *said, **named: real(*said, **{**named, "strict": False}))


def crashes() -> None:
    """Does not expect what a decoder can raise."""
    real = msgspec.json.Decoder

    class Careless:
        def __init__(self, *said: Any, **named: Any) -> None:
            self._real = real(*said, **named)

        def decode(self, body: bytes) -> Any:
            try:
                return self._real.decode(body)
            except ValueError as error:
                raise ZeroDivisionError from error

    _replace_decoder(Careless)


def echoes() -> None:
    """Shows the sender what was wrong by showing it what it sent."""
    from feedback_assets.door import app as door

    real = door.create_app

    def create_app(*said: Any, **named: Any) -> Any:
        inner = real(*said, **named)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await inner(scope, receive, send)
                return
            seen: list[bytes] = []
            refused = False

            async def listen() -> Any:
                message = await receive()
                seen.append(message.get("body", b""))
                return message

            async def tell(message: Any) -> None:
                nonlocal refused
                if message["type"] == "http.response.start":
                    refused = message["status"] >= 400
                    kept = [h for h in message["headers"] if h[0].lower() != b"content-length"]
                    message = {**message, "headers": kept if refused else message["headers"]}
                elif refused:
                    message = {**message, "body": message.get("body", b"") + b"".join(seen)}
                await send(message)

            await inner(scope, listen, tell)

        return app

    door.create_app = create_app


def names_the_newest() -> None:
    """Says that the newest version answered, whichever did."""
    from feedback_assets.serving.engine import Engine

    real = Engine.answer

    def answer(self: Any, rows: Any, ids: Any, sticks: Any) -> Any:
        said = real(self, rows, ids, sticks)
        held = [h for h in (self.state().champion, self.state().previous) if h]
        newest = str(max(h.version for h in held))
        return [dataclasses.replace(one, model_version=newest) for one in said]

    Engine.answer = answer  # type: ignore[method-assign]


def empties_before_it_fills() -> None:
    """Takes the old models out, and only then loads the new ones."""
    from feedback_assets.serving.hot import Hot
    from feedback_assets.serving.lineup import Lineup

    real = Hot._follow

    def follow(self: Hot, *given: Any) -> bool:
        self.lineup = Lineup()
        time.sleep(0.2)
        return real(self, *given)

    Hot._follow = follow  # type: ignore[method-assign,assignment]


def follows_late() -> None:
    """Looks at the manifest every five seconds."""
    from feedback_assets.serving import hot

    hot.POLL = 5.0


def _replace_decoder(make: Callable[..., Any]) -> None:
    class Decoder:
        def __new__(cls, *said: Any, **named: Any) -> Any:
            return make(*said, **named)

        def __class_getitem__(cls, _item: Any) -> Any:
            return cls

    def decode(body: bytes, **named: Any) -> Any:
        return make(named.pop("type", Any), **named).decode(body)

    msgspec.json.Decoder = Decoder  # type: ignore[assignment,misc]
    msgspec.json.decode = decode  # type: ignore[assignment]
