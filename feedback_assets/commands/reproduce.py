"""The command that makes a model again: `reproduce`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="reproduce")(reproduce)


def reproduce(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    version: Annotated[int, typer.Argument(help="A model version.")],
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as a page to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Train a version again from its pinned rows and ask its gates again; fails where it differs.

    The configuration of then lies in the version's folder. The model must have the same digest,
    and the gates must give the same verdict; if not, it is said what differs.
    """
    from feedback_assets.audit import reproduce as asked
    from feedback_assets.audit.render import to_html
    from feedback_assets.audit.reproduce_page import reproduce_document
    from feedback_assets.audit.terminal import tell
    from feedback_assets.commands.why import space_of
    from feedback_assets.reports.files import replace_text

    console, notes = Console(), Console(stderr=True)
    with notes.status("reading") as status:
        told = asked.reproduce(space_of(loop), str(version), status.update)
    document = reproduce_document(told)
    if html is not None:
        replace_text(html, to_html(document))
        console.print(f"written to {html}", highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False))
    elif html is None:
        tell(document, console)
    if not told["same_model"] or told["same_gate"] is False:
        raise typer.Exit(1)
