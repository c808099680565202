"""uvicorn's server with our endings: a signal, an inbox that stopped, a start that failed."""

import asyncio
import contextlib
import functools
import signal
from collections.abc import Callable, Iterator
from socket import socket
from typing import Any

import uvicorn

from feedback_assets.door.connections import end_the_slow
from feedback_assets.door.ending import Ending
from feedback_assets.errors import DoorError, InboxClosedError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICKS_A_SECOND = 10
HANDSHAKE_SECONDS = 10.0


class Supervised(uvicorn.Server):
    """Ends gracefully by signal or when told, and looks after slow clients and new certificates.

    Args:
        config: Of uvicorn.
        ending: Told by the app why to end.
        ready: Called once requests are answered.
        each_second: Called about once a second.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ending: Ending,
        ready: Callable[[], None],
        each_second: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._ending = ending
        self._ready = ready
        self._each_second = each_second

    def run_to_the_end(self, listening: socket) -> None:
        """Serve until it ends.

        Raises:
            FeedbackAssetsError: It could not start, or not end cleanly.
        """
        try:
            self.run([listening])
        except SystemExit:
            raise self._ending.failure or DoorError(
                "the service did not start: the line of the log above says why"
            ) from None
        if self._ending.failure is not None:
            raise self._ending.failure
        if self._ending.inbox:
            raise InboxClosedError(self._ending.inbox)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start, then say so."""
        if self.config.ssl is not None:  # uvicorn leaves a minute to whoever never shakes hands
            loop: Any = asyncio.get_running_loop()
            loop.create_server = functools.partial(
                loop.create_server, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        if counter % TICKS_A_SECOND == 0:
            end_the_slow(self.server_state.connections)
            self._each_second()
        return bool(self._ending.inbox) or await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End gracefully by a signal, or by a closed terminal; uvicorn would raise it once more."""
        before = {sign: signal.signal(sign, self.handle_exit) for sign in ENDING}
        try:
            yield
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)
