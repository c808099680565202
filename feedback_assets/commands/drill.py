"""Practising a rollback: `drill`."""

import datetime as dt
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.assets.drill import LastDrill, Plan


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="drill")(drill)


def drill(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and whether it could.")
    ] = False,
    last: Annotated[bool, typer.Option("--last", help="Say how the last drill went.")] = False,
) -> None:
    """Practise a rollback: the champion before answers for a moment, then the champion again.

    The services really swap, under whatever load there is; how long each swap took and whether a row
    was left unanswered is recorded. The exit code is 1 when a service did not follow or a row was
    left unanswered.
    """
    from feedback_assets.assets import drill as drills
    from feedback_assets.assets.ledger import person
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    if dry_run and last:
        raise FeedbackAssetsError("--dry-run and --last are different questions: ask one")
    settings, console = Settings(), Console(soft_wrap=True, highlight=False)
    space = LoopSpace(loop_config(settings, loop), settings)
    if last:
        console.print(_told(loop, drills.last_drill(space)), markup=False)
        return
    if dry_run:
        console.print(_planned(loop, drills.drill_plan(space)), markup=False)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the champion comes back
    done = drills.drill(
        space,
        person(settings),
        dt.datetime.now(dt.UTC),
        tell=lambda words: console.print(f"  {words}", markup=False),
    )
    console.print(f"{loop}: {done.reason}", markup=False)
    if not done.details["passed"]:
        raise typer.Exit(1)


def _planned(loop: str, plan: "Plan") -> str:
    up = ", ".join(ack.service for ack in plan.services) or "no service is up"
    return (
        f"{loop}: version {plan.standby.version} would answer for a moment, then version "
        f"{plan.serving.version} again; both files are the registered ones. Would follow: {up}"
    )


def _told(loop: str, last: "LastDrill | None") -> str:
    if last is None:
        return f"{loop}: no drill yet"
    outcome = "passed" if last.passed else "failed"
    return f"{loop}: the drill of {last.at:%Y-%m-%d %H:%M} UTC {outcome}: {last.told}"
