"""The HTTP application: which address leads where, and what opens and closes with it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedback_assets.capture.inbox.open import open_inbox
from feedback_assets.config.schema import Config
from feedback_assets.door.auth import Doorkeeper
from feedback_assets.door.calls import Call, Message, Receive, Reply, Send
from feedback_assets.door.counting import CounterKeeper
from feedback_assets.door.endpoint import Endpoint
from feedback_assets.door.events import EventCodec
from feedback_assets.door.idempotency import Keys
from feedback_assets.door.invocations import Invocations
from feedback_assets.door.limits import Allowance
from feedback_assets.door.metrics import Meters
from feedback_assets.door.moments import wall_us
from feedback_assets.door.oip import ModelRoutes
from feedback_assets.door.openapi import openapi
from feedback_assets.door.options import DoorOptions
from feedback_assets.door.probes import Probes
from feedback_assets.door.problems import MEDIA_TYPE, Problem
from feedback_assets.door.refused import Quarantine
from feedback_assets.door.reviewing import ReviewDesk
from feedback_assets.door.reviewpage import review_files
from feedback_assets.door.routes_review import ReviewRoutes
from feedback_assets.door.routes_v1 import LoopRoutes
from feedback_assets.door.routes_webhook import WebhookRoutes
from feedback_assets.door.rows import RowCodec
from feedback_assets.door.state import OpenLoop, Service
from feedback_assets.door.trypage import try_files
from feedback_assets.serving.engine import Engine
from feedback_assets.settings import Settings

App = Callable[[Message, Receive, Send], "object"]
LOOP_ROUTES = (
    ("POST", "/v1/{loop}/predict", LoopRoutes, "predict"),
    ("POST", "/v1/{loop}/feedback", LoopRoutes, "feedback"),
    ("GET", "/v1/{loop}/predictions/{id}", LoopRoutes, "prediction"),
    ("GET", "/v1/{loop}/model", LoopRoutes, "model"),
    ("GET", "/v1/{loop}/review/next", ReviewRoutes, "next"),
    ("GET", "/v1/{loop}/review/progress", ReviewRoutes, "progress"),
    ("POST", "/v1/{loop}/review/undo", ReviewRoutes, "undo"),
    ("POST", "/v1/{loop}/review/label-studio", WebhookRoutes, "label_studio"),
    ("GET", "/v1/{loop}/review/{id}/opinion", ReviewRoutes, "opinion"),
    ("POST", "/v1/{loop}/review/{id}/answer", ReviewRoutes, "answer"),
    ("POST", "/v1/{loop}/review/{id}/skip", ReviewRoutes, "skip"),
    ("GET", "/v2/models/{loop}", ModelRoutes, "metadata"),
    ("GET", "/v2/models/{loop}/ready", ModelRoutes, "ready"),
    ("POST", "/v2/models/{loop}/infer", ModelRoutes, "infer"),
)
HOT = ("/v1/{loop}/predict", "/v1/{loop}/feedback", "/v2/models/{loop}/infer")
PROBES = (
    ("/healthz", "health"),
    ("/readyz", "ready"),
    ("/ping", "ready"),
    ("/metrics", "metrics"),
    ("/v2", "server"),
    ("/v2/health/live", "live"),
    ("/v2/health/ready", "ready"),
)


class Application:
    """The ASGI application of one service.

    Args:
        service: Not yet open.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._hot: dict[str, Endpoint] = {}
        self._router = Starlette(
            lifespan=self._lifespan,
            exception_handlers={404: self._no_route, 405: self._no_route},
        )
        self._router.router.redirect_slashes = False
        self._unmatched = service.meters.route("unmatched", "any")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer; the paths asked most often are looked up before any router walks its list."""
        if scope["type"] == "http" and scope["method"] == "POST":
            hot = self._hot.get(scope["path"])
            if hot is not None:
                await hot(scope, receive, send)
                return
        await self._router(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        service = self._service
        service.inbox = await open_inbox(service.settings)
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(service.inbox.close)
            service.keys = Keys(service.inbox)
            service.meters.watch_inbox(service.inbox, service.settings.root)
            for name, config in service.configs.items():
                loop = _opened(service, config)
                service.loops[name] = loop
                loop.engine.start()
                closing.callback(loop.engine.close)
                closing.callback(loop.desk.close)
                service.meters.watch(name, loop.engine)
            service.counters = CounterKeeper(
                service.meters, service.inbox, stop=service.options.stop
            )
            service.counters.start()
            closing.push_async_callback(service.counters.stop)
            self._router.router.routes[:] = self._routes()
            yield

    async def _no_route(self, _request: Request, error: Exception) -> Response:
        """Starlette's own 404 and 405, as problem documents."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        self._unmatched.seen(status, 0.0)
        headers = dict(getattr(error, "headers", None) or {})
        known = {404: ("no-route", "there is nothing at this address; see /openapi.json")}
        slug, words = known.get(status, ("method", "this address takes other methods; see Allow"))
        document = Problem(status, slug, words).document()
        return Response(document, status, headers, MEDIA_TYPE.decode())

    def _routes(self) -> list[Route]:
        service = self._service
        probes, invocations = Probes(service), Invocations(service)
        found = [
            Route(path, Endpoint(service, path, getattr(probes, name), "GET"), methods=["GET"])
            for path, name in PROBES
        ]
        invoke = Endpoint(service, "/invocations", invocations.invoke)
        found.append(Route("/invocations", invoke, methods=["POST"]))
        for method, path, group, name in LOOP_ROUTES:
            endpoints = {
                loop: Endpoint(
                    service, path, getattr(group(service, loop), name), method, _extra(path)
                )
                for loop in service.loops
            }
            if path in HOT:
                self._hot |= {path.replace("{loop}", k): e for k, e in endpoints.items()}
            unknown = Endpoint(
                service, path, getattr(group(service, ""), name), method, _extra(path)
            )
            found.append(Route(path, _ByLoop(endpoints, unknown), methods=[method]))
        texts = {
            "/openapi.json": (openapi(service), b"application/json", ()),
            **try_files(service),
            **review_files(service),
        }
        for path, (content, media_type, headers) in texts.items():
            page = Endpoint(service, path, _constant(content, media_type, headers), "GET")
            found.append(Route(path, page, methods=["GET"]))
        return found


class _ByLoop:
    """Leads to the endpoint of the loop in the path."""

    def __init__(self, endpoints: Mapping[str, Endpoint], unknown: Endpoint) -> None:
        self._endpoints = endpoints
        self._unknown = unknown

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path_params"]["loop"], self._unknown)
        await endpoint(scope, receive, send)


def create_app(
    configs: Mapping[str, Config],
    settings: Settings,
    options: DoorOptions | None = None,
    now: Callable[[], int] = wall_us,
) -> Application:
    """The application that answers for some loops; its lifespan opens and closes the inbox.

    Args:
        configs: Loops by name.
        settings: Where the home is.
        options: How it behaves.
        now: Microseconds since 1970, UTC.

    Raises:
        DoorError: The file of tokens is damaged.
    """
    options = options or DoorOptions()
    return Application(
        Service(
            configs,
            settings,
            options,
            now,
            Doorkeeper(settings, options.open_to_all),
            Allowance(),
            Meters(configs),
        )
    )


def _opened(service: Service, config: Config) -> OpenLoop:
    meter = service.meters.loop(config.name)
    replay = service.options.replay
    return OpenLoop(
        config,
        RowCodec(config, replay),
        EventCodec(config, replay),
        meter,
        Engine(config, service.settings, service.inbox.append_soon, service.now),
        Quarantine(config, service.inbox, meter),
        ReviewDesk(config, service.settings),
    )


def _extra(path: str) -> str | None:
    """The Open Inference Protocol wants the words of an error in a member of that name."""
    return "error" if path.startswith("/v2/") else None


def _constant(content: bytes, media_type: bytes, headers: tuple[tuple[bytes, bytes], ...]):  # type: ignore[no-untyped-def]
    async def handler(_call: Call) -> Reply:
        return Reply(200, content, media_type, headers)

    return handler
