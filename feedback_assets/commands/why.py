"""The commands that explain: why, why-not, lineage, card."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from feedback_assets.errors import AuditError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.audit.document import Document

Loop = Annotated[str, typer.Argument(help="A loop of configs/loops/.")]
ToHtml = Annotated[Path | None, typer.Option("--html", help="Write it as a page to this file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="why")(why)
    app.command(name="why-not")(why_not)
    app.command(name="lineage")(lineage)
    app.command(name="card")(card)


def why(
    loop: Loop,
    version: Annotated[
        int | None, typer.Argument(help="A model version; the champion if not said.")
    ] = None,
    html: ToHtml = None,
    as_json: AsJson = False,
) -> None:
    """Say why a model serves: what made it, what triggered it, what it beat, who approved."""
    from feedback_assets.audit import why as asked
    from feedback_assets.audit.why_page import why_document

    told = asked.why(space_of(loop), str(version) if version is not None else None)
    answer(told, why_document(told), html, as_json)


def why_not(
    loop: Loop,
    version: Annotated[int, typer.Argument(help="A model version that does not serve.")],
    html: ToHtml = None,
    as_json: AsJson = False,
) -> None:
    """Say why a model does not serve: which gate stopped it, and by how much."""
    from feedback_assets.audit import why_not as asked
    from feedback_assets.audit.why_not_page import why_not_document

    told = asked.why_not(space_of(loop), str(version))
    answer(told, why_not_document(told), html, as_json)


def lineage(
    loop: Loop,
    prediction: Annotated[
        str | None, typer.Argument(help="A prediction's id: back to what its model learned from.")
    ] = None,
    row: Annotated[
        str | None, typer.Option(help="A prediction's id: forward to all that it touched.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="A file, or who gave labels: forward to all that its rows touched."),
    ] = None,
    html: ToHtml = None,
    as_json: AsJson = False,
) -> None:
    """Follow a prediction back to its model's training rows, or a row or a source forward.

    Back: `lineage LOOP ID`. Forward: `lineage LOOP --row ID` or `lineage LOOP --source FILE`.
    """
    from feedback_assets.audit.lineage import lineage_back
    from feedback_assets.audit.lineage_page import back_document, forward_document
    from feedback_assets.audit.touched import lineage_forward

    if sum(given is not None for given in (prediction, row, source)) != 1:
        raise AuditError("say one of: a prediction's id, --row ID, --source FILE")
    space = space_of(loop)
    if prediction is not None:
        told = lineage_back(space, prediction)
        answer(told, back_document(told), html, as_json)
        return
    told = lineage_forward(space, row=row, source=source)
    answer(told, forward_document(told), html, as_json)


def card(
    loop: Loop,
    version: Annotated[
        int | None, typer.Argument(help="A model version; the champion if not said.")
    ] = None,
) -> None:
    """Write a version's model card, as Markdown and as a page, into the reports folder."""
    from feedback_assets.assets.models import champion
    from feedback_assets.audit.card import write_card

    space = space_of(loop)
    serving = champion(space)
    if version is None and serving is None:
        raise AuditError(f"{loop} has no champion yet: name a version")
    number = version if version is not None else (serving.version if serving else 0)
    for path in write_card(space, str(number)):
        Console().print(str(path), highlight=False, soft_wrap=True)


def answer(told: dict[str, Any], document: "Document", html: Path | None, as_json: bool) -> None:
    """Give an answer in the form that was asked for."""
    from feedback_assets.audit.render import to_html
    from feedback_assets.audit.terminal import tell
    from feedback_assets.reports.files import replace_text

    console = Console()
    if html is not None:
        replace_text(html, to_html(document))
        console.print(f"written to {html}", highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False))
    elif html is None:
        tell(document, console)


def space_of(loop: str) -> "LoopSpace":
    """The loop by its name."""
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    settings = Settings()
    return LoopSpace(loop_config(settings, loop), settings)
