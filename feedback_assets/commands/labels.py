"""The commands about labels: how to ask for them, what they are worth, when they come."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.assets.label_worth import Worth
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.performance.intervals import Interval
    from feedback_assets.querying.advice import Advice

Loop = Annotated[str, typer.Argument(help="A loop of configs/loops/.")]

app = typer.Typer(
    name="labels",
    help="What labels bring: which to ask for (`advise`), what they tell (`worth`), when they come "
    "(`maturity`).",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app)


@app.command("advise")
def advise(
    loop: Loop,
    budget: Annotated[
        int | None, typer.Option(help="Labels at most; 3,000 or what the history allows.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Replays of each way of asking.")] = 5,
) -> None:
    """Replay the loop's labelled history: which way of asking, and how many labels, were best.

    Known labels are hidden and asked for again, by each strategy and by the file's own mix.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from feedback_assets.assets.label_advice import advise as replayed
    from feedback_assets.tables.connection import connect

    space, console = _space(loop), Console()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True,
    )  # fmt: skip
    with bar, connect(space.settings) as con:
        task = bar.add_task(f"replaying {loop}", total=None)
        found = replayed(
            space,
            con,
            budget,
            seeds,
            lambda replays: bar.update(task, total=replays),
            lambda way: bar.update(task, advance=1, description=f"replayed {way}"),
        )
    console.print(_curves(found))
    console.print(_needs(found))
    console.print(found.words, highlight=False)
    page = space.reports / "labels" / "advice.html"
    console.print(f"picture: {page}", highlight=False, soft_wrap=True)


@app.command("worth")
def worth(loop: Loop) -> None:
    """Tell how good the champion is on all rows, from the few that people answered.

    Its own guesses are known of every row; the answers say how far they can be trusted.
    """
    from feedback_assets.assets.label_worth import label_worth
    from feedback_assets.clock import Clock
    from feedback_assets.tables.connection import connect

    space, console = _space(loop), Console()
    with connect(space.settings) as con:
        found = label_worth(space, con, Clock().now())
    if not found:
        console.print(
            f"{loop}: nothing to tell yet. It takes a champion and 10 answers to questions about its "
            "rows (`review.per_day`)."
        )
        return
    table = Table(
        f"figure of version {found[0].model_version}", "with its guesses", "by labels alone", "worth",
        box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for one in found:
        table.add_row(
            one.name,
            _range(one, one.powered.mean),
            _range(one, one.powered.plain),
            one.powered.words,
        )
    console.print(table)
    rows = found[0].powered.rows
    level = space.config.performance.confidence
    console.print(f"over {rows:,} rows; intervals hold {level:.0%} of the time", highlight=False)


@app.command("maturity")
def maturity(loop: Loop) -> None:
    """Tell how many of each day's labels are in, and when the others come."""
    from feedback_assets.assets.arriving import arriving
    from feedback_assets.clock import Clock
    from feedback_assets.tables.connection import connect

    space, console = _space(loop), Console()
    with connect(space.settings) as con:
        found = arriving(space, con, space.table("feedback_table").snapshot(), Clock().now())
    if found is None:
        console.print(f"{loop}: no labels yet")
        return
    table = Table(
        "days", "age", "rows", "labels", "expected by now", "complete", "", box=box.SIMPLE_HEAD
    )
    for row in found.frame.to_dict("records"):
        table.add_row(
            str(row["partition_key"]),
            f"{row['age_days']:.1f} d",
            f"{row['rows']:,}",
            f"{row['labels']:,}",
            f"{row['expected_share']:.0%}",
            "yes" if row["mature"] else "no",
            str(row["reason"] or ""),
        )
    console.print(table)
    for line in found.lines:
        console.print(line, highlight=False)


def _curves(found: "Advice") -> Table:
    table = Table(
        f"{found.loss} by labels", *(f"{b:,}" for b in found.budgets), box=box.SIMPLE_HEAD
    )
    for name in ("random", *(way.name for way in found.needed)):
        table.add_row(name, *(f"{loss:.4g}" for loss in found.curves[name]))
    return table


def _needs(found: "Advice") -> Table:
    from feedback_assets.reports.advice_page import way_in_words

    most = found.budgets[-1]
    table = Table(
        f"labels for what {most:,} random ones give", "labels", "90 of 100 times", "share", "",
        box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for way in found.needed:
        said = way_in_words(way)
        table.add_row(said["name"], said["labels"], said["range"], said["share"], said["verdict"])
    return table


def _range(one: "Worth", interval: "Interval") -> str:
    return f"{one.said(interval.value)} ({one.said(interval.low)} to {one.said(interval.high)})"


def _space(loop: str) -> "LoopSpace":
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    settings = Settings()
    return LoopSpace(loop_config(settings, loop), settings)
