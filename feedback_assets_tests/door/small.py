"""A small application behind the real server, started as a process of its own."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feedback_assets.config.serve import Limits
from feedback_assets.door.auth import Doorkeeper
from feedback_assets.door.ending import Ending
from feedback_assets.door.limits import Allowance, read_body
from feedback_assets.door.refusal import Refused
from feedback_assets.errors import FeedbackAssetsError, InboxError
from feedback_assets.settings import Settings

FLUSHED = "flushed"
LIMITS = Limits(requests_per_second=2, burst=3, max_body_bytes=1_024)


class Small:
    """Routes: /slow, /inside, /body, /who, /often, /fails, /stops; anything else is `done`."""

    def __init__(self, settings: Settings, ending: Ending, behaviour: str) -> None:
        self.settings, self.ending, self.behaviour = settings, ending, behaviour
        self.keeper = Doorkeeper(settings)
        self.allowance = Allowance()
        self.slow_ones = 0

    async def slow(self, *_: Any) -> bytes:
        self.slow_ones += 1
        await asyncio.sleep(2)
        return b"done"

    async def inside(self, *_: Any) -> bytes:
        return b"%d" % self.slow_ones

    async def body(self, scope: Any, receive: Any) -> bytes:
        return b"%d" % len(await read_body(scope, receive, LIMITS.max_body_bytes, seconds=1))

    async def who(self, scope: Any, _receive: Any) -> bytes:
        return self.keeper.admit(scope["headers"], "predict", "shop").name.encode()

    async def often(self, scope: Any, _receive: Any) -> bytes:
        self.allowance.spend(self.keeper.authenticate(scope["headers"]).name, "shop", LIMITS)
        return b"done"

    async def fails(self, scope: Any, receive: Any) -> bytes:
        sent = await read_body(scope, receive, LIMITS.max_body_bytes)
        raise ValueError(f"cannot use {sent!r} for {scope['query_string']!r}")

    async def stops(self, *_: Any) -> bytes:
        self.ending.by_the_inbox("the disk gave an input/output error")
        return b"done"

    async def done(self, *_: Any) -> bytes:
        return b"done"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
            return
        route = getattr(self, scope["path"][1:], self.done)
        try:
            status, headers, content = 200, (), await route(scope, receive)
        except Refused as error:
            status, headers, content = error.status, error.headers, error.detail.encode()
        length = (b"content-length", b"%d" % len(content))
        await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
        await send({"type": "http.response.body", "body": content})

    async def lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        if self.behaviour == "cannot_start":
            raise InboxError("another service holds the inbox")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        (self.settings.root / FLUSHED).write_text("yes")
        await send({"type": "lifespan.shutdown.complete"})


def main(home: str, behaviour: str, *words: str) -> int:
    """Serve; what is foreseen is told as the command line tells it."""
    from feedback_assets.door import connections, server, supervised
    from feedback_assets.door.tokens import TokenFile

    connections.end_the_slow.__defaults__ = (1.5,)
    supervised.HANDSHAKE_SECONDS = 1.5
    settings = Settings(home=Path(home))
    host, port, cert, key, proxy, most = words
    options = server.ServerOptions(
        host, int(port), Path(cert) if cert else None, Path(key) if key else None, bool(proxy),
        int(most),
    )  # fmt: skip
    try:
        tokens = len(TokenFile(settings).all())
        server.refuse_unguarded(options, tokens)
        server.serve(
            lambda ending: Small(settings, ending, behaviour), ["shop"], options, tokens,
            server.tls_pair(options),
        )  # fmt: skip
    except FeedbackAssetsError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


class Running:
    """A started service."""

    def __init__(self, process: subprocess.Popen[str], out: Path, err: Path) -> None:
        self.process = process
        self.out, self.err = out, err
        self.port = 0

    def wait_until_ready(self) -> None:
        until = time.monotonic() + 30
        while "Ctrl-C" not in self.out.read_text():
            assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < until, "it does not get ready"
            time.sleep(0.02)
        first = self.out.read_text().splitlines()[0]
        self.port = int(first.rpartition(":")[2])

    def end(self, sign: int = signal.SIGTERM, seconds: float = 30) -> int:
        self.process.send_signal(sign)
        return self.process.wait(seconds)

    @property
    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()


@contextlib.contextmanager
def started(command: list[str], folder: Path, **environ: str) -> Iterator[Running]:
    """A command as a process; what it says goes to files."""
    out, err = folder / "out.txt", folder / "err.txt"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(
            command, stdout=stdout, stderr=stderr, text=True, env={**os.environ, **environ}
        )
    running = Running(process, out, err)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@contextlib.contextmanager
def small_server(
    home: Path,
    *,
    behaviour: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    pair: tuple[Path, Path] | None = None,
    proxy: bool = False,
    most: int = 512,
    ready: bool = True,
) -> Iterator[Running]:
    """The small application, listening."""
    cert, key = map(str, pair) if pair else ("", "")
    words = [host, str(port), cert, key, "yes" if proxy else "", str(most)]
    command = [
        sys.executable,
        "-m",
        "feedback_assets_tests.door.small",
        str(home),
        behaviour,
        *words,
    ]
    with started(command, home) as running:
        if ready:
            running.wait_until_ready()
        yield running


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
