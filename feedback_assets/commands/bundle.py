"""The command for auditors: `bundle`."""

import datetime as dt
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from feedback_assets.errors import AuditError

QUARTER = re.compile(r"^(\d{4})-?[qQ]([1-4])$")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="bundle")(bundle)


def bundle(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    start: Annotated[dt.datetime | None, typer.Option("--from", help="First day.")] = None,
    end: Annotated[dt.datetime | None, typer.Option("--to", help="Last day, included.")] = None,
    quarter: Annotated[
        str | None, typer.Option(help="Instead of both: a quarter, as in 2013Q2.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The zip; in the reports folder if not said.")
    ] = None,
) -> None:
    """Gather a period's records, proofs, model cards, evaluations and bias audit in one zip."""
    from feedback_assets.audit.bundle import write_bundle
    from feedback_assets.commands.why import space_of

    since, until = period(start, end, quarter)
    space = space_of(loop)
    name = f"audit-{since:%Y-%m-%d}-{until - dt.timedelta(days=1):%Y-%m-%d}.zip"
    to = file or space.reports / name
    console, notes = Console(), Console(stderr=True)
    with notes.status("reading the ledger") as status:
        made = write_bundle(space, since, until, to, status.update)
    for problem in made.problems:
        notes.print(f"[yellow]warning[/] {problem}", highlight=False)
    console.print(
        f"{made.records:,} records, {len(made.entries):,} files in {made.path}\n"
        f"sha256 {made.sha256}",
        highlight=False,
        soft_wrap=True,
    )


def period(
    start: dt.datetime | None, end: dt.datetime | None, quarter: str | None
) -> tuple[dt.datetime, dt.datetime]:
    """First moment of the period and the first after it.

    >>> [f"{moment:%Y-%m-%d}" for moment in period(None, None, "2013Q4")]
    ['2013-10-01', '2014-01-01']

    Raises:
        AuditError: Neither both days nor a quarter were given, or the quarter is none.
    """
    if quarter is not None and start is None and end is None:
        found = QUARTER.match(quarter)
        if not found:
            raise AuditError(f"--quarter {quarter!r} is none: say it as in 2013Q2")
        year, first = int(found[1]), 3 * int(found[2]) - 2
        until = (year + 1, 1) if first == 10 else (year, first + 3)
        return dt.datetime(year, first, 1, tzinfo=dt.UTC), dt.datetime(*until, 1, tzinfo=dt.UTC)
    if start is None or end is None or quarter is not None:
        raise AuditError("say the period: --from DAY --to DAY, or --quarter 2013Q2")
    return start.replace(tzinfo=dt.UTC), end.replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
