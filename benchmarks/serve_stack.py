"""The service in a process of its own: as it is, or with one part of it taken out.

`python -m benchmarks.serve_stack PART HOME`; PART is one of `STACKS`.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.serve_instant import InstantInbox
from feedback_assets.config.schema import Config
from feedback_assets.settings import Settings

if TYPE_CHECKING:  # it brings Dagster, which has no place in the process that serves
    from benchmarks.serve_world import ServeWorld

LISTENING = re.compile(r"^Listening\s+(http://\S+)")


def echo(*_arguments: object, **_options: object) -> Callable[..., Awaitable[None]]:
    """An application that answers what it was sent, on the service's own server."""

    async def app(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _bare() -> None:
    from feedback_assets.door import app

    app.create_app = echo  # type: ignore[assignment]


def _instant() -> None:
    from feedback_assets.door import app

    async def open_inbox(_settings: Settings) -> InstantInbox:
        return InstantInbox()

    app.open_inbox = open_inbox  # type: ignore[attr-defined]


STACKS: dict[str, Callable[[], None]] = {"whole": lambda: None, "echo": _bare, "instant": _instant}


@contextmanager
def stack(part: str, world: "ServeWorld") -> Iterator[str]:
    """A process that serves; yields its address."""
    command = [sys.executable, "-m", "benchmarks.serve_stack", part, str(world.settings.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield _address(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def config_path(settings: Settings) -> Path:
    """Where the process that serves finds the loop."""
    return settings.root / "config.json"


def _address(process: subprocess.Popen[str]) -> str:
    for line in process.stdout or ():
        if found := LISTENING.match(line):
            return found[1]
    raise RuntimeError("the service did not start; its error stands above")


def main() -> None:
    """Serve until a signal."""
    from feedback_assets.door.server import ServerOptions, run

    part, home = sys.argv[1:]
    settings = Settings(home=Path(home))
    config = Config.model_validate_json(config_path(settings).read_text("utf-8"))
    STACKS[part]()
    run({config.name: config}, settings, ServerOptions(port=0))


if __name__ == "__main__":
    main()
