"""Why the service ends, if not by a signal."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from feedback_assets.errors import FeedbackAssetsError

logger = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Ending:
    """Why the service ends, if not by a signal."""

    def __init__(self) -> None:
        self.inbox = ""
        self.failure: FeedbackAssetsError | None = None

    def by_the_inbox(self, why: str) -> None:
        """End because the inbox takes nothing more; from any thread."""
        if not self.inbox:
            self.inbox = why
            logger.error("the inbox stopped, so the service ends: %s", why)

    def of_lifespan(self, app: App) -> App:
        """The app, with an error of its start or end kept in words instead of a traceback."""

        async def lifespan(scope: Message, receive: Receive, send: Send) -> None:
            async def without_traceback(message: Message) -> None:
                ended = message["type"].endswith(".failed")
                await send({**message, "message": ""} if ended else message)

            try:
                await app(scope, receive, without_traceback)
            except FeedbackAssetsError as error:
                self.failure = error
                raise
            except Exception as error:
                logger.error("the start or the end failed", exc_info=error)  # noqa: TRY400
                raise

        def guarded(scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
            return (lifespan if scope["type"] == "lifespan" else app)(scope, receive, send)

        return guarded
