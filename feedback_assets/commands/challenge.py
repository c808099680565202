"""Who is tried beside the champion: `challenge`."""

from typing import Annotated

import typer
from rich.console import Console

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="challenge")(challenge)


def challenge(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    version: Annotated[
        int | None, typer.Argument(help="Version to try; the newest candidate if not said.")
    ] = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="Let it answer its share of requests.")
    ] = False,
    none: Annotated[bool, typer.Option("--none", help="Try nobody.")] = False,
) -> None:
    """Try a version beside the champion: in shadow, or answering a share of requests.

    In shadow it scores `serve.routing.shadow_percent` of the requests after the champion has
    answered them; nobody sees its answers but the asset `serving_log`. With `--canary` it answers
    `serve.routing.canary_percent` of them, which needs its gates passed. It is recorded, and ends with
    the next champion. A running service follows within a second, and not one
    request is lost.
    """
    from feedback_assets.assets.ledger import person
    from feedback_assets.assets.published import Challenge, Stage, set_challenge
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.clock import Clock
    from feedback_assets.commands.run import loop_config

    if none and (canary or version is not None):
        raise FeedbackAssetsError("--none stands alone: it takes every challenger away")
    if canary and version is None:
        raise FeedbackAssetsError(
            "--canary needs the version that may answer: "
            f"feedback-assets challenge {loop} VERSION --canary"
        )
    settings = Settings()
    space = LoopSpace(loop_config(settings, loop), settings)
    stage: Stage = "none" if none else "canary" if canary else "shadow"
    generation = set_challenge(space, Challenge(version, stage), person(settings), Clock().now())
    routing = space.config.serve.routing
    share = routing.canary_percent if canary else routing.shadow_percent
    who = f"version {version}" if version else "the newest candidate"
    said = "nobody is tried" if none else f"{who} in {stage} for {share:g}% of the requests"
    Console().print(f"{loop}: {said} (generation {generation})", highlight=False)
