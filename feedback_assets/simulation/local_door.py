"""The real service inside a replay: a thread of its own, a free port of loopback, a token."""

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Self

from feedback_assets.client import Client
from feedback_assets.config.schema import Config
from feedback_assets.door.app import create_app
from feedback_assets.door.ending import Ending
from feedback_assets.door.options import DoorOptions
from feedback_assets.door.tokens import TokenFile
from feedback_assets.errors import DoorError
from feedback_assets.settings import Settings

START_SECONDS = 60.0
STOP_SECONDS = 30.0
ENVELOPE_BYTES = 64
"""What a request's body holds beside its rows, and more."""


class LocalDoor:
    """A service of one loop that takes times as they are stated; started at once.

    Args:
        config: The loop.
        settings: The home whose inbox it fills and whose manifest it follows.
        now: Its time, microseconds since 1970.

    Raises:
        DoorError: It did not start.
    """

    def __init__(self, config: Config, settings: Settings, now: Callable[[], int]) -> None:
        import uvicorn

        self._tokens = TokenFile(settings)
        self._name = f"replay-{uuid.uuid4().hex[:12]}"
        token = self._tokens.create(self._name, ["predict", "feedback"], [config.name], days=1)
        self._ending = Ending()
        options = DoorOptions(replay=True, stop=self._ending.by_the_inbox)
        app = create_app({config.name: config}, settings, options, now)
        listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._ending.of_lifespan(app),
                interface="asgi3",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=int(STOP_SECONDS),
            )
        )
        self._thread = threading.Thread(
            target=self._serve, args=(listener,), name="replay-door", daemon=True
        )
        self._thread.start()
        limits = config.serve.limits
        self.client = Client(
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            token,
            config.name,
            timeout=START_SECONDS,
            max_rows=limits.max_rows,
            max_bytes=limits.max_body_bytes - ENVELOPE_BYTES,
        )
        self._await_start()

    def close(self) -> None:
        """Finish what is being answered, write what waits, and take the token back."""
        self.client.close()
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS + START_SECONDS)
        self._tokens.revoke(self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(SystemExit):  # how uvicorn says that it did not start
            self._server.run([listener])

    def _await_start(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                self.close()
                why = self._ending.failure or "the log says why"
                raise DoorError(f"the service of the replay did not start: {why}")
            time.sleep(0.01)
