"""What every route shares: who asks, how often, what went wrong, how long it took."""

import logging
from collections.abc import Awaitable, Callable

from feedback_assets.door.auth import Principal
from feedback_assets.door.calls import (
    Call,
    Message,
    Receive,
    Reply,
    Send,
    of_refusal,
    problem_reply,
)
from feedback_assets.door.limits import read_body
from feedback_assets.door.problems import Problem
from feedback_assets.door.refusal import Refused
from feedback_assets.door.state import RETRY, OpenLoop, Service
from feedback_assets.door.tokens import Scope
from feedback_assets.errors import InboxError, ServingError

logger = logging.getLogger(__name__)
Handler = Callable[[Call], Awaitable[Reply]]


class Endpoint:
    """An ASGI application for one route and method.

    Args:
        service: Where it is counted.
        route: The route's template, for metrics.
        handler: Makes the answer; may raise Problem, Refused, InboxError and ServingError.
        method: The HTTP method.
        extra: A member of problem documents that repeats their detail.
    """

    def __init__(
        self,
        service: Service,
        route: str,
        handler: Handler,
        method: str = "POST",
        extra: str | None = None,
    ) -> None:
        self._service = service
        self._now = service.now
        self._meter = service.meters.route(route, method)
        self._handler = handler
        self._extra = extra

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = Call(scope, receive, self._now())
        try:
            reply = await self._handler(call)
        except Refused as refused:
            self._service.meters.refused(refused.reason)
            reply = problem_reply(of_refusal(refused), self._extra)
        except Problem as problem:
            reply = problem_reply(problem, self._extra)
        except InboxError as error:
            reply = problem_reply(self._service.unavailable(error), self._extra)
        except ServingError:
            words = "no model can answer now, and no fallback is configured that could"
            reply = problem_reply(Problem(503, "no-answer", words, headers=RETRY), self._extra)
        except Exception:
            logger.exception("a request failed")
            words = "the service failed; its log says why"
            reply = problem_reply(Problem(500, "internal", words), self._extra)
        self._meter.seen(reply.status, call.seconds())
        await reply.send(send)
        if reply.after is not None:
            reply.after()


def admit(service: Service, call: Call, name: str, scopes: tuple[Scope, ...]) -> OpenLoop:
    """Let a caller in to a loop with one of some scopes, and count the request.

    Raises:
        Refused: 401, 403 or 429.
        Problem: 404, there is no such loop.
    """
    principal: Principal = service.keeper.authenticate(call.headers)
    loop = service.loops.get(name)
    if loop is None:
        raise Problem(404, "no-loop", "this service answers for no loop of that name")
    if not any(principal.may(scope, name) for scope in scopes):
        words = " or ".join(scopes)
        raise Refused(403, "scope", f"the token does not have the scope {words} for this loop")
    call.principal = principal
    try:
        service.allowance.spend(principal.name, name, loop.config.serve.limits)
    except Refused:
        loop.meter.limited()
        raise
    return loop


async def body_of(loop: OpenLoop, call: Call, kinds: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """The body and its media type.

    Raises:
        Refused: 413 or 408.
        Problem: 415, it is of none of the kinds.
    """
    kind = encoding = b""
    for name, value in call.headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            encoding = value
    if kind not in kinds:
        kind = kind.partition(b";")[0].strip().lower()
    if kind not in kinds:
        known = ", ".join(k.decode() for k in kinds)
        raise Problem(415, "media-type", f"the header Content-Type must be one of {known}")
    if encoding not in (b"", b"identity"):
        raise Problem(415, "encoding", "compressed bodies are not taken; send it as it is")
    return await read_body(call.scope, call.receive, loop.config.serve.limits.max_body_bytes), kind
