"""The command that tells why a loop trains now, or what it waits for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.policy.explained import Explained

_MARKS = {True: "[green]yes[/]", False: "[yellow]no[/]", None: "[dim]not known[/]"}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="explain-trigger")(explain_trigger)


def explain_trigger(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
) -> None:
    """Show each condition of a loop's trigger: its value, its threshold, what is missing."""
    from feedback_assets.assets.evidence import gather
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.clock import Clock
    from feedback_assets.commands.run import loop_config
    from feedback_assets.instance import open_instance
    from feedback_assets.policy.decide import explain

    settings, console = Settings(), Console()
    space = LoopSpace(loop_config(settings, loop), settings)
    with open_instance(settings) as instance:
        evidence = gather(space, instance, Clock().now())
    found = explain(space.config, evidence)
    shown = Table(title=f"When {escape(space.config.title)} is trained again")
    for column in ("condition", "holds", "value", "asked", "told", "missing"):
        shown.add_column(column, overflow="fold")
    for row in rows(found.condition):
        shown.add_row(*row)
    shown.add_section()
    for gate in found.gates:
        for row in rows(gate):
            shown.add_row(*row)
    console.print(shown)
    decision = found.decision
    verdict = f"[bold green]Trains now[/] ({escape(decision.cause)})" if decision.cause else "Waits"
    console.print(f"{verdict}: {escape(decision.reason)}", soft_wrap=True, highlight=False)


def rows(told: "Explained", depth: int = 0) -> Iterator[tuple[str, ...]]:
    """A condition's row of the table, and below it those of what it joins."""
    yield (
        f"{'  ' * depth}{escape(told.name)}",
        _MARKS[told.met],
        number(told.value),
        number(told.threshold),
        escape(told.told),
        escape(told.missing),
    )
    for part in told.parts:
        yield from rows(part, depth + 1)


def number(value: float | None) -> str:
    """A number for the table; nothing where there is none.

    >>> number(5000), number(1049.53), number(0.1234567), number(None)
    ('5,000', '1,049.5', '0.1235', '')
    """
    if value is None:
        return ""
    whole, large = float(value).is_integer(), abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:,.1f}" if large else f"{value:.4g}"
