"""The commands that open the door: serve, certificate."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from feedback_assets.commands import tokens
from feedback_assets.config.load import load_loops
from feedback_assets.config.schema import Config
from feedback_assets.errors import ConfigError, DoorError
from feedback_assets.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="serve")(serve)
    app.add_typer(tokens.app)
    app.command(name="certificate")(certificate)


def serve(
    loop: Annotated[
        list[str] | None, typer.Argument(help="Loops of configs/loops/ to answer for.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every loop of configs/loops/ instead.")
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            envvar="FEEDBACK_ASSETS_SERVE_HOST",
            help="Where to listen. Beyond loopback it takes tokens, and TLS or --behind-proxy.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            envvar="FEEDBACK_ASSETS_SERVE_PORT", min=0, max=65_535, help="0 takes a free one."
        ),
    ] = 8080,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            envvar="FEEDBACK_ASSETS_SERVE_TLS_CERT",
            help="Certificate (PEM, with what vouches for it); TLS 1.3 only. Read again on change.",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(envvar="FEEDBACK_ASSETS_SERVE_TLS_KEY", help="Its key (PEM, no password)."),
    ] = None,
    behind_proxy: Annotated[
        bool,
        typer.Option(
            "--behind-proxy",
            envvar="FEEDBACK_ASSETS_SERVE_BEHIND_PROXY",
            help="TLS ends at a proxy before the service: plain HTTP is allowed beyond loopback.",
        ),
    ] = False,
    connections: Annotated[
        int,
        typer.Option(
            envvar="FEEDBACK_ASSETS_SERVE_CONNECTIONS", min=1, help="Open at once; more get 503."
        ),
    ] = 512,
) -> None:
    """Answer requests: predictions from the promoted model, feedback taken, both on disk first.

    One process serves any number of loops and writes one inbox, which `prediction_log` and
    `feedback_events` read. There is no --workers: SQLite has one writer. For more than one replica
    set FEEDBACK_ASSETS_INBOX_URL=postgresql://... and start this command once for each.

    Without a token it listens on loopback only and lets in every program of this machine; after the
    first `feedback-assets token create` it asks for one. Open /docs in a browser to try it.

    Begin with: `feedback-assets serve flights`, then
    `curl localhost:8080/v1/flights/model`.
    """
    from feedback_assets.door.server import ServerOptions, run

    settings = Settings()
    options = ServerOptions(host, port, tls_cert, tls_key, behind_proxy, connections)
    run(chosen_loops(settings, loop or [], every), settings, options)


def chosen_loops(settings: Settings, names: list[str], every: bool) -> dict[str, Config]:
    """The loops to serve, by name.

    Raises:
        DoorError: No loop is named, one is not there, or names and --all are both given.
        ConfigError: A loop's file is wrong.
    """
    loops = load_loops(settings)
    known = ", ".join(sorted(loops)) or f"none in {settings.configs / 'loops'}"
    if bool(names) == every:
        raise DoorError(f"name the loops to serve, or use --all; there are: {known}")
    missing = [name for name in names if name not in loops]
    if missing:
        raise DoorError(f"there is no loop {', '.join(missing)}; there are: {known}")
    chosen: dict[str, Config] = {}
    for name in sorted(loops if every else set(names)):
        config = loops[name]
        if isinstance(config, ConfigError):
            raise config
        chosen[name] = config
    if not chosen:
        raise DoorError(f"there is no loop to serve in {settings.configs / 'loops'}")
    return chosen


def certificate(
    host: Annotated[
        str, typer.Option(help="Name or address that clients use; localhost covers loopback.")
    ] = "localhost",
    out: Annotated[
        Path | None, typer.Option(help="Folder for both files; <home>/door if not said.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=397, help="It ends after so many days.")] = 30,
) -> None:
    """Make a certificate and its key for development.

    It vouches for itself, so clients must be told to trust it; for production take one from your
    certificate authority.
    """
    from feedback_assets.door.tls import make_certificate

    cert, key = make_certificate(host, out or Settings().root / "door", days)
    url_host = f"[{host}]" if ":" in host else host
    Console(soft_wrap=True).print(
        f"Certificate  {cert}\nKey          {key}  (keep it secret)\n"
        f"Serve        feedback-assets serve LOOP --tls-cert {cert} --tls-key {key}\n"
        f"curl         curl --cacert {cert} https://{url_host}:8080/healthz\n"
        f"Python       httpx.Client(verify=ssl.create_default_context(cafile={str(cert)!r}))\n"
        "Prometheus   tls_config: {ca_file: " + str(cert) + "}",
        highlight=False,
        markup=False,
    )
