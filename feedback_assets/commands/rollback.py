"""Taking a promotion back by hand: `rollback`."""

import datetime as dt
from typing import Annotated

import typer
from rich.console import Console

from feedback_assets.settings import Settings

FOLLOW = 2.0
"""Seconds that services have before they are called late."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="rollback")(rollback)


def rollback(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    reason: Annotated[str, typer.Option(help="Why, in words; it is kept in the ledger.")],
    to: Annotated[
        int | None,
        typer.Option(help="Version to return to; the one that served before if not said."),
    ] = None,
) -> None:
    """Let the champion before serve again, now.

    Running services follow within two seconds, and not one request is lost; the registry's aliases
    come after. Done twice it takes back one promotion, not two: to go further back, name the version
    with `--to`. Who did it and why is in the ledger.
    """
    from feedback_assets.assets.following import record_following
    from feedback_assets.assets.ledger import person
    from feedback_assets.assets.rollback import undo
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.assets.stages import project_registry
    from feedback_assets.commands.run import loop_config
    from feedback_assets.serving.acks import await_following
    from feedback_assets.serving.manifest import read_manifest

    settings, console = Settings(), Console(soft_wrap=True)
    space = LoopSpace(loop_config(settings, loop), settings)
    began = dt.datetime.now(dt.UTC)
    decision = undo(
        space,
        to=to,
        reason=reason,
        actor=person(settings),
        cause="by hand",
        now=began,
    )
    if decision.time != began:
        console.print(
            f"{loop}: that was done at {decision.time:%Y-%m-%d %H:%M:%S} UTC by {decision.actor} "
            f"({decision.reason}); to go further back, name the version with --to",
            highlight=False,
            markup=False,
        )
    generation = read_manifest(settings, loop).generation
    console.print(
        f"{loop}: version {decision.version} serves, version {decision.previous_version} does not "
        f"any more (generation {generation})",
        highlight=False,
        markup=False,
    )
    found = await_following(settings, loop, generation, FOLLOW)
    if decision.time == began:
        record_following(space, decision, found, began, dt.datetime.now(dt.UTC))
    for ack in found.followed:
        seconds = max((ack.at - began).total_seconds(), 0.0)
        after = f" after {seconds:.2f} s" if decision.time == began else ""
        console.print(f"  {ack.service} follows{after}", highlight=False, markup=False)
    for ack in found.late:
        why = f": {ack.problem}" if ack.problem else ""
        console.print(
            f"  {ack.service} answers by generation {ack.generation} still{why}",
            style="red",
            highlight=False,
            markup=False,
        )
    if not found.followed and not found.late:
        console.print("  no service is up: none gave a sign of life", highlight=False)
    problem = project_registry(space)
    if problem:
        console.print(
            f"  {problem}; who serves does not depend on it, and the next decision tries again",
            highlight=False,
            markup=False,
        )
    if found.late:
        raise typer.Exit(1)
