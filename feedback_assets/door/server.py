"""Run the service: one process, one event loop, one inbox."""

import datetime as dt
import gc
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from feedback_assets.config.schema import Config
from feedback_assets.door.ending import App, Ending
from feedback_assets.door.listening import bound, is_loopback
from feedback_assets.door.tls import Pair
from feedback_assets.door.tokens import TokenFile
from feedback_assets.errors import DoorError
from feedback_assets.garbage import keep_for_good
from feedback_assets.settings import Settings

GRACE_SECONDS = 20
KEEP_ALIVE_SECONDS = 30


@dataclass(frozen=True)
class ServerOptions:
    """Where and how to listen."""

    host: str = "127.0.0.1"
    """A name or an address."""
    port: int = 8080
    """0 takes any free one."""
    tls_cert: Path | None = None
    """PEM; without it plain HTTP is spoken."""
    tls_key: Path | None = None
    """PEM, without a password."""
    behind_proxy: bool = False
    """TLS ends before this service: plain HTTP is allowed beyond loopback."""
    connections: int = 512
    """Open at once; more are answered 503."""


def run(configs: Mapping[str, Config], settings: Settings, options: ServerOptions) -> None:
    """Serve loops until a signal ends it: requests in flight are finished, the inbox is flushed.

    Args:
        configs: Loops by name; at least one.
        settings: Where the home is.
        options: Where and how to listen.

    Raises:
        DoorError: It cannot start: no loop, a taken port, a bad certificate, or open to others
            without tokens or TLS.
        InboxClosedError: The inbox stopped at an error of its disk, and the service with it.
        FeedbackAssetsError: The inbox or a loop cannot be opened.
    """
    if not configs:
        raise DoorError("name at least one loop to serve, or use --all")
    tokens = len(TokenFile(settings).all())
    refuse_unguarded(options, tokens)
    pair = tls_pair(options)
    tell_ended(configs.values())
    serve(
        lambda ending: made_app(configs, settings, tokens, ending), configs, options, tokens, pair
    )


def serve(
    make_app: Callable[[Ending], App],
    loops: Iterable[str],
    options: ServerOptions,
    tokens: int,
    pair: Pair | None,
) -> None:
    """Serve an ASGI application until a signal or the application itself ends it.

    Args:
        make_app: Given the hand that ends the service, makes the application.
        loops: What it answers for, to be shown.
        options: Where and how to listen.
        tokens: How many there are, to be shown.
        pair: Certificate and key; plain HTTP without.

    Raises:
        FeedbackAssetsError: As for `run`.
    """
    import uvicorn

    from feedback_assets.door.connections import Connection
    from feedback_assets.door.errorlog import log_as_json_lines
    from feedback_assets.door.supervised import Supervised

    log_as_json_lines()
    ending = Ending()
    context = pair.context if pair else None
    with bound(options.host, options.port) as listening:
        config = uvicorn.Config(
            ending.of_lifespan(make_app(ending)),
            interface="asgi3",
            loop="uvloop",
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=options.connections,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=(lambda _config, _default: context) if context else None,
        )
        Supervised(
            config,
            ending,
            ready=lambda: begin(loops, options, listening, tokens),
            each_second=pair.renew if pair else lambda: None,
        ).run_to_the_end(listening)


def made_app(configs: Mapping[str, Config], settings: Settings, tokens: int, ending: Ending) -> App:
    """The application that answers; it tells when its inbox stops."""
    from feedback_assets.door.app import create_app
    from feedback_assets.door.options import DoorOptions

    options = DoorOptions(open_to_all=not tokens, stop=ending.by_the_inbox)
    return create_app(configs, settings, options)


def refuse_unguarded(options: ServerOptions, tokens: int) -> None:
    """Refuse to listen where others could come in unasked or listen in.

    Raises:
        DoorError: Says how to go on.
    """
    here = is_loopback(options.host)
    if not tokens and (not here or options.behind_proxy):
        raise DoorError(
            "without a token the service listens on loopback only, and behind no proxy: "
            "create one with `feedback-assets token create NAME --scope predict --loop LOOP`"
        )
    if not here and options.tls_cert is None and not options.behind_proxy:
        raise DoorError(
            f"--host {options.host}: tokens must not travel in plain HTTP: give --tls-cert and "
            "--tls-key (`feedback-assets certificate` makes a pair for development), or say "
            "--behind-proxy when TLS ends at a proxy before this service"
        )


def tls_pair(options: ServerOptions) -> Pair | None:
    """The certificate and its key, loaded; None for plain HTTP.

    Raises:
        DoorError: One is given without the other, or they are no pair.
    """
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise DoorError("give both --tls-cert and --tls-key, or neither")
    return Pair(options.tls_cert, options.tls_key)


def tell_ended(configs: Iterable[Config]) -> None:
    """Say which loops have a history that is over, so that no table takes what comes now."""
    today = dt.datetime.now(dt.UTC).date()
    for config in configs:
        end = config.partitions.end
        if end is not None and end < today:
            Console(stderr=True).print(
                f"{config.name} ended on {end} (partitions.end): what comes now waits in the inbox "
                f"until that line is taken out of configs/loops/{config.name}.yaml",
                highlight=False,
            )


def begin(
    loops: Iterable[str], options: ServerOptions, listening: socket.socket, tokens: int
) -> None:
    """Say that requests are answered now; collecting garbage no longer walks through libraries."""
    gc.collect()
    keep_for_good()
    announce(loops, options, listening, tokens)


def announce(
    loops: Iterable[str], options: ServerOptions, listening: socket.socket, tokens: int
) -> None:
    """Say where the service listens, for what, and to whom."""
    scheme = "https" if options.tls_cert else "http"
    host = f"[{options.host}]" if ":" in options.host else options.host
    base = f"{scheme}://{host}:{listening.getsockname()[1]}"
    let_in = (
        "holders of a token (`feedback-assets token list`)"
        if tokens
        else "every program on this machine, until there is a token (`feedback-assets token create`)"
    )
    Console().print(
        f"Listening  {base}\nTry it     {base}/docs\nLoops      {', '.join(sorted(loops))}\n"
        f"Lets in    {let_in}\nCtrl-C or SIGTERM ends it after the requests in flight.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
