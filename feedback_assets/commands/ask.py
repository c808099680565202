"""The commands that answer: sql, versions, decisions, rows."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table as RichTable

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.settings import Settings
from feedback_assets.sqltext import literal

SHOWN_ROWS = 50
WIDE_COLUMNS = 10
WIDE_ROWS = 3
EXPORTS = {".parquet": "FORMAT parquet", ".csv": "FORMAT csv, HEADER"}


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="sql")(sql)
    app.command(name="versions")(versions)
    app.command(name="decisions")(list_decisions)
    app.command(name="rows")(rows)


def sql(
    text: Annotated[str, typer.Argument(help='As in "select * from flights.feedback_table".')],
    as_of: Annotated[
        int | None, typer.Option(help="Read this version of the one table that is named.")
    ] = None,
    at: Annotated[
        dt.datetime | None, typer.Option(help="Read the tables as they were at this time (UTC).")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Write to .parquet or .csv instead.")] = None,
    limit: Annotated[int, typer.Option(help="Rows shown.")] = SHOWN_ROWS,
) -> None:
    """Ask any table in SQL, now or as it was. Tables are named LOOP.TABLE; nothing can be changed."""
    from feedback_assets.tables.catalog import query

    moment = at.replace(tzinfo=dt.UTC) if at else None
    result = query(Settings(), text, as_of, moment, None if to else limit + 1)
    if to:
        write_table(result, to)
        Console().print(f"{result.num_rows:,} rows in {to}", highlight=False)
        return
    show(result.slice(0, limit))
    if result.num_rows > limit:
        Console().print(f"[dim]more rows than {limit}: --limit, or --to FILE[/]")


def versions(
    table: Annotated[str, typer.Argument(help="As in flights.feedback_table.")],
    limit: Annotated[int, typer.Option(help="Newest versions shown.")] = 20,
) -> None:
    """List what each version of a table is: when, which run and asset, from which inputs."""
    from feedback_assets.tables.catalog import tables_of

    known = tables_of(Settings().root)
    if table not in known:
        raise FeedbackAssetsError(f"no table {table}; there are: {', '.join(known) or 'none'}")
    shown = RichTable("version", "committed", "partitions", "rows", "inputs", "run")
    for entry in known[table].history()[:limit]:
        keys = entry.partitions
        span = (
            keys[0] if len(keys) == 1 else f"{len(keys)}: {min(keys)}..{max(keys)}" if keys else ""
        )
        inputs = ", ".join(f"{name} {version}" for name, version in entry.inputs.items())
        shown.add_row(
            str(entry.version),
            f"{entry.timestamp:%Y-%m-%d %H:%M:%S}",
            span,
            f"{entry.rows:,}",
            inputs,
            entry.run_id[:8],
        )
    Console().print(shown)


def list_decisions(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    limit: Annotated[int, typer.Option(help="Newest decisions shown.")] = 50,
) -> None:
    """List what was trained, promoted and refused, and why."""
    from feedback_assets.assets.ledger import decisions
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    settings = Settings()
    shown = RichTable("when", "decision", "version", "cause", "reason")
    for decision in decisions(LoopSpace(loop_config(settings, loop), settings))[-limit:]:
        shown.add_row(
            f"{decision.time:%Y-%m-%d %H:%M}",
            decision.kind,
            decision.version or "",
            decision.cause,
            decision.reason,
        )
    Console().print(shown)


def rows(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    version: Annotated[int, typer.Argument(help="A model version.")],
    to: Annotated[Path | None, typer.Option(help="Write them to .parquet or .csv.")] = None,
    verify: Annotated[
        bool, typer.Option(help="Compute every digest of the manifest again.")
    ] = False,
) -> None:
    """Answer which rows trained a model version: the pinned table, its digests, the rows."""
    from feedback_assets.assets.models import model_version
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.assets.training_rows import broken_digests, training_rows
    from feedback_assets.commands.run import loop_config

    settings, console = Settings(), Console()
    space = LoopSpace(loop_config(settings, loop), settings)
    model = model_version(space, version)
    pool = model.manifest["pool"]
    result = training_rows(space, model)
    keys = list(pool["partitions"])
    console.print(
        f"{space.config.title}, version {version}: {result.num_rows:,} rows of "
        f"{pool['table'].replace('/', '.')} version {pool['version']}, "
        f"{len(keys)} partitions {keys[0]}..{keys[-1]}, labels known by {pool['as_of']}\n"
        f"fingerprint {pool['fingerprint']}\nmodel       {model.digest}",
        highlight=False,
    )
    if verify:
        broken = broken_digests(space, model)
        if broken:
            raise FeedbackAssetsError(f"digests differ in: {', '.join(broken)}")
        console.print(f"all {len(keys)} partition digests are as recorded", highlight=False)
    if to:
        write_table(result, to)
        console.print(f"written to {to}", highlight=False)
    else:
        show(result.slice(0, 5))


def show(table: pa.Table) -> None:
    """Print an Arrow table for people; a wide one with its columns below each other."""
    if table.num_columns > WIDE_COLUMNS:
        first = table.slice(0, WIDE_ROWS).to_pylist()
        beside = RichTable("column", *(f"row {number + 1}" for number in range(len(first))))
        for name in table.column_names:
            beside.add_row(name, *("" if row[name] is None else str(row[name]) for row in first))
        Console().print(beside)
        return
    shown = RichTable(*table.column_names)
    for row in table.to_pylist():
        shown.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(shown)


def write_table(table: pa.Table, to: Path) -> None:
    """Write an Arrow table to a Parquet or CSV file.

    Raises:
        FeedbackAssetsError: The ending is neither.
    """
    import duckdb

    if to.suffix not in EXPORTS:
        raise FeedbackAssetsError(f"{to}: the ending must be one of {', '.join(EXPORTS)}")
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("asked", table)
        con.execute(f"COPY asked TO {literal(str(to))} ({EXPORTS[to.suffix]})")
