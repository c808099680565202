"""The commands that begin a loop: init, check, schema."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from feedback_assets.errors import ConfigError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.config.inference.understanding import Told, Understanding

_MARKS = {"error": "[bold red]error[/]", "warning": "[yellow]mind[/]", "note": "[green]ok[/]"}


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="init")(init)
    app.command(name="check")(check)
    app.command(name="schema")(schema)


def init(
    data: Annotated[
        Path, typer.Argument(help="A Parquet, CSV or JSONL file, or a folder of such.")
    ],
    loop: Annotated[str, typer.Option(help="Name of the new loop: small letters, digits, _.")],
    row_id: Annotated[str | None, typer.Option("--id", help="Column: unique id of a row.")] = None,
    time: Annotated[str | None, typer.Option(help="Column: when the prediction is made.")] = None,
    label: Annotated[str | None, typer.Option(help="Column: the truth.")] = None,
    label_time: Annotated[
        str | None, typer.Option(help="Column: when the truth was known.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="Column to judge by apart; repeat for more.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Column to leave out; repeat for more.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="E-mail address, or team:name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Read a labelled history and write the first YAML of its loop."""
    from feedback_assets.config.inference.draft import draft
    from feedback_assets.config.inference.infer import understand
    from feedback_assets.config.inference.understanding import Wishes
    from feedback_assets.config.jsonschema import write_json_schema
    from feedback_assets.config.load import loop_from_text
    from feedback_assets.tables.connection import connect

    settings = Settings()
    target = settings.configs / "loops" / f"{loop}.yaml"
    if target.exists() and not force:
        raise ConfigError(f"{target} exists already; --force writes over it")
    wishes = Wishes(row_id, time, label, label_time, tuple(segment or ()), tuple(drop or ()), owner)
    with connect(settings) as con:
        understanding = understand(con, data, loop, wishes)
    text = draft(understanding)
    loop_from_text(text, str(target), loop, {})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    write_json_schema(settings.configs / "schema" / "loop.schema.json")
    _show(Console(), understanding, target)


def check(
    loop: Annotated[str | None, typer.Argument(help="One loop; all when absent.")] = None,
) -> None:
    """Look at config, data and definitions; exit with 1 when anything is wrong."""
    from feedback_assets.commands.checkup import checkup

    console = Console(soft_wrap=True, highlight=False)
    wrong = 0
    for finding in checkup(Settings(), loop):
        wrong += finding.level == "error"
        lines = escape(finding.text).replace("\n", "\n      ")
        console.print(f"{_MARKS[finding.level]} [bold]{escape(finding.where)}[/]: {lines}")
    if wrong:
        console.print(f"[bold red]{wrong} to mend[/]")
        raise typer.Exit(1)


def schema(
    path: Annotated[Path | None, typer.Argument(help="configs/schema/ when absent.")] = None,
) -> None:
    """Write the JSON Schema by which editors complete a loop's YAML."""
    from feedback_assets.config.jsonschema import write_json_schema

    path = path or Settings().configs / "schema" / "loop.schema.json"
    write_json_schema(path)
    Console().print(f"wrote {path}", highlight=False)


def _show(console: Console, u: "Understanding", target: Path) -> None:
    console.print(_facts(u))
    console.print(_columns(u))
    for warning in u.warnings:
        console.print(f"[yellow]Mind:[/] {escape(warning)}", soft_wrap=True)
    if u.leaking:
        names = escape(", ".join(u.leaking))
        console.print(f"[yellow]Left out, they leak the label:[/] {names}", soft_wrap=True)
    console.print(f"\nWrote [bold]{escape(str(target))}[/]. Read its comments, then:")
    for command in ("check {0}", "simulate {0} --data {1}"):
        line = escape(f"  feedback-assets {command.format(u.loop, u.path)}")
        console.print(line, highlight=False, soft_wrap=True)


def _facts(u: "Understanding") -> Table:
    table = Table(title=f"{u.loop}: {u.rows:,} rows of {escape(u.path.name)}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_column(style="dim")

    def told(what: str, fact: "Told") -> None:
        table.add_row(what, escape(fact.name), escape(fact.why or "as you said"))

    told("id", u.id)
    told("event time", u.event_time)
    table.add_row("from, to", f"{u.first:%Y-%m-%d %H:%M}, {u.last:%Y-%m-%d %H:%M}", "UTC")
    kind = f"{u.label.column} ({u.label.kind})"
    table.add_row("label", escape(kind), escape(u.label.why or "as you said"))
    if u.label.kind == "binary":
        share = f"{u.label.positive_share:.1%} of {u.labels:,} labels"
        table.add_row("positive", escape(u.label.positive), share)
    if u.label.classes:
        table.add_row("classes", escape(", ".join(u.label.classes)), "")
    told("label known", u.label_time)
    table.add_row("longest delay", f"{u.max_delay_days} days", escape(u.max_delay_why))
    table.add_row("partitions", u.policies.grain, escape(u.policies.grain_why))
    if u.segments:
        table.add_row("segments", escape(", ".join(u.segments)), "")
    if u.protected:
        table.add_row("protected", escape(", ".join(u.protected)), "kept apart, never a feature")
    return table


def _columns(u: "Understanding") -> Table:
    table = Table(title="Columns")
    table.add_column("column", style="bold")
    table.add_column("taken as")
    table.add_column("why", style="dim")
    for column, kind in u.features.items():
        table.add_row(escape(column), kind, escape(u.notes.get(column, "")))
    for column, why in u.leaking.items():
        table.add_row(escape(column), "[red]leak, left out[/]", escape(why))
    for column, why in u.left_out.items():
        table.add_row(escape(column), "[yellow]left out[/]", escape(why))
    return table
