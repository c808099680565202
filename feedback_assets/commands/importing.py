"""The command that takes logs of other platforms: import."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from feedback_assets.capture.files import FileSource, SourceFile
from feedback_assets.capture.importers.formats import FORMATS
from feedback_assets.capture.importers.records import Kind, Landed
from feedback_assets.config.source import FileSource as Source
from feedback_assets.errors import SourceError
from feedback_assets.settings import Settings

_FORMATS = "\n".join(
    f"- `{name}` ({', '.join(form.kinds)}): {form.title}" for name, form in FORMATS.items()
)
_HELP = f"""Land predictions or feedback that another platform has logged.

Each record lands once, however often its file is given: import the same folder every hour if you
like. What is not of the format is landed as refused and goes to quarantine with its reason. The
next run of the loop takes what was landed into its tables.

Formats:

{_FORMATS}

Features are found by their names in the loop's YAML, or by position where the log has no names;
`--map` gives a column of theirs one of ours: `--map probability=score --map miles=distance`.
"""
_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="import", help=_HELP)(import_logs)


def import_logs(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files or folders of the log.")
    ],
    form: Annotated[str, typer.Option("--format", "-f", help=f"One of: {', '.join(FORMATS)}.")],
    kind: Annotated[
        Literal["predictions", "feedback"], typer.Option(help="What the files hold.")
    ] = "predictions",
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="A column of theirs and ours; repeat."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would land; keep nothing.")
    ] = False,
) -> None:
    """Land predictions or feedback that another platform has logged."""
    from feedback_assets.capture.importers.landing import land_new, would_land
    from feedback_assets.commands.run import loop_config

    console, settings = Console(), Settings()
    config = loop_config(settings, loop)
    files = files_of(paths, settings)
    names = column_map(mapped or [])
    work = would_land if dry_run else land_new
    with _progress(console) as bar:
        task = bar.add_task("Reading", total=len(files))
        counts = work(
            config, settings, kind, files, form, names, progress=_shower(bar, task, files)
        )
        bar.update(task, completed=len(files))
    console.print(summary(counts, len(files), dry_run))
    if counts.reasons:
        console.print(reasons(counts))
    _say_where(console, settings, loop, kind, counts, dry_run)


def files_of(paths: list[Path], settings: Settings) -> list[SourceFile]:
    """Return the files below some paths, each named by its whole path.

    Raises:
        SourceError: if a path is not there, or none holds a file.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise SourceError(f"there is no file or folder {', '.join(missing)}")
    found: dict[Path, SourceFile] = {}
    for path in paths:
        # With a format that is said, files of any ending are listed.
        source = Source(path=str(path.resolve()), format="jsonl")
        for file in FileSource(source, settings).list():
            found[file.path] = replace(file, name=file.path.as_posix())
    if not found:
        raise SourceError(
            f"no files in {', '.join(map(str, paths))}; hidden ones, and names that begin with _ "
            "or end with .tmp or .part, are left out"
        )
    return sorted(found.values())


def column_map(pairs: list[str]) -> dict[str, str]:
    """Return `theirs=ours` pairs as a map.

    Raises:
        SourceError: if a pair has no `=` or an empty side.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        theirs, _, ours = pair.rpartition("=")
        if not theirs or not ours:
            raise SourceError(f"--map {pair}: write it THEIRS=OURS, as in --map probability=score")
        found[theirs] = ours
    return found


def summary(counts: Landed, files: int, dry_run: bool) -> Table:
    """Return a table of what became of the records."""
    table = Table(box=box.SIMPLE, padding=(0, 1), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    would = "would be " if dry_run else ""
    waits = _age(counts.oldest_us)
    lines = [
        ("files", counts.files, f"new or changed, of {files:,}"),
        ("records", counts.records, "read"),
        ("landed", counts.landed, f"{counts.rows:,} rows {would}landed"),
        ("refused", counts.refused, f"{counts.refused_rows:,} rows for quarantine"),
        ("repeated", counts.repeated, "had landed or waited already"),
        ("unpaired", counts.unpaired, f"now wait for their other half; {counts.waiting:,}{waits}"),
        ("paired late", counts.paired_late, "of earlier imports found their other half"),
        ("expired", counts.expired, "of earlier imports waited too long"),
        (
            "unfinished",
            counts.unfinished,
            "files to look at again: the last line is not whole, or they cannot be read now",
        ),
    ]
    for name, number, words in lines:
        if number or name in ("files", "records", "landed", "refused"):
            table.add_row(name, f"{number:,}", words)
    return table


def reasons(counts: Landed) -> Table:
    """Return a table of why rows were refused, the most frequent reason first."""
    table = Table("rows", "refused because", box=box.SIMPLE, padding=(0, 1))
    ordered = sorted(counts.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    for reason, number in ordered[:_SHOWN]:
        table.add_row(f"{number:,}", reason)
    if len(ordered) > _SHOWN:
        rest = sum(number for _, number in ordered[_SHOWN:])
        table.add_row(f"{rest:,}", f"{len(ordered) - _SHOWN} other reasons")
    return table


def _say_where(
    console: Console, settings: Settings, loop: str, kind: Kind, counts: Landed, dry_run: bool
) -> None:
    folder = settings.landing / loop / kind
    table = {"predictions": "prediction_log", "feedback": "feedback_events"}[kind]
    if dry_run:
        console.print(f"Nothing was kept; without --dry-run it lands in {folder}", highlight=False)
        return
    if counts.rows or counts.refused_rows:
        console.print(f"Landed in {folder}", highlight=False, soft_wrap=True)
    if counts.refused_rows:
        console.print(
            f"Once {table} has taken them, refused rows are in {loop}/{table}_quarantine, each with "
            "its reason and the first 500 characters of the record.",
            highlight=False,
        )


def _age(since_us: int | None) -> str:
    if since_us is None:
        return " wait in all"
    since = dt.datetime.fromtimestamp(since_us / 1e6, dt.UTC)
    return f" wait in all, the oldest since {since:%Y-%m-%d %H:%M} UTC"


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True,
    )  # fmt: skip


def _shower(bar: Progress, task: object, files: list[SourceFile]) -> Callable[[SourceFile], None]:
    place = {file: i for i, file in enumerate(files)}

    def show(file: SourceFile) -> None:
        bar.update(task, completed=place[file], description=f"Reading {file.path.name}")  # type: ignore[arg-type]

    return show
