"""The commands that make things happen: demo, simulate, backfill, ui."""

import datetime as dt
import enum
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from feedback_assets.config.load import load_loop
from feedback_assets.config.schema import Config
from feedback_assets.errors import ConfigError, FeedbackAssetsError
from feedback_assets.settings import Settings

DEMO_FROM = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)
DEMO_TO = dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
COMMENTS_HISTORY = dt.timedelta(days=21)
FLIGHTS_EVERY, COMMENTS_EVERY = "7d", "3d"
DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*([hdw])$")
HOURS = {"h": 1, "d": 24, "w": 168}
VIA_HELP = (
    "How rows come in: `files` dropped at the sources, or `http`, every row asked of the service "
    "and every label sent to it. Both end with the same tables."
)


class Demo(enum.StrEnum):
    """What the demo plays."""

    flights = "flights"
    comments = "comments"


class Via(enum.StrEnum):
    """How the rows of a replay come in."""

    files = "files"
    http = "http"


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="demo")(demo)
    app.command(name="simulate")(simulate)
    app.command(name="backfill")(backfill)
    app.command(name="ui")(ui)


def demo(
    loop: Annotated[
        Demo,
        typer.Option(
            help="`flights`: a real year, labels come when planes land. `comments`: three made-up "
            "months in which only people know the truth."
        ),
    ] = Demo.flights,
    every: Annotated[
        str | None,
        typer.Option(help="Length of a step: 7d, 1w, 24h; a week, or three days for comments."),
    ] = None,
    until: Annotated[
        dt.datetime | None, typer.Option(help="Stop earlier than at the history's end.")
    ] = None,
    via: Annotated[Via, typer.Option(help=VIA_HELP)] = Via.files,
) -> None:
    """Keep a real model right through a real year: every flight out of New York in 2013.

    Trains on January, then goes through the year a week at a time: predictions are logged, labels
    arrive when planes land, drift is reported, candidates are trained, and each is promoted or
    refused with its reason. Ends with a report beside a frozen copy of the first model.

    With `--loop comments` four simulated people answer the few questions a day that `review_queue`
    asks them; a new kind of spam begins on day 40.
    """
    console, settings = Console(), Settings()
    if loop == Demo.comments:
        return comments(every or COMMENTS_EVERY, utc(until), via, console, settings)
    from feedback_assets.simulation.flights import flights_history

    every = every or FLIGHTS_EVERY
    with console.status("Reading the flights of 2013"):
        history = flights_history(settings.root / "demo" / "flights.parquet")
    console.print(
        "[bold]Late flights out of New York, 2013.[/] The first model learns from January; then "
        f"every {every} the loop decides.\n"
    )
    replay("flights", history, DEMO_FROM, utc(until) or DEMO_TO, every, {}, via, console, settings)
    return None


def comments(
    every: str, until: dt.datetime | None, via: Via, console: Console, settings: Settings
) -> None:
    """Three made-up months of comments, labelled by people alone."""
    from feedback_assets.simulation.comments import START, comments_history
    from feedback_assets.simulation.people import ERRORS

    history = comments_history(settings.root / "demo" / "comments.parquet")
    begin = dt.datetime.combine(START, dt.time(), dt.UTC) + COMMENTS_HISTORY
    console.print(
        f"[bold]Spam below videos.[/] The first model learns from {COMMENTS_HISTORY.days} labelled "
        f"days; then {len(ERRORS)} people answer a few questions a day, and nobody else says what is "
        "spam.\n"
    )
    replay("comments", history, begin, until, every, {}, via, console, settings, people=ERRORS)


def simulate(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    data: Annotated[Path, typer.Option(help="Labelled history: one Parquet, CSV or JSONL file.")],
    start: Annotated[
        dt.datetime | None,
        typer.Option(
            "--from", help="What lies before trains the first model; a fifth or more if not said."
        ),
    ] = None,
    end: Annotated[
        dt.datetime | None, typer.Option("--to", help="End; the history's if not said.")
    ] = None,
    every: Annotated[str, typer.Option(help="Length of a step: 7d, 1w, 24h.")] = "7d",
    delay: Annotated[float, typer.Option(help="Mean extra delay of labels in days.")] = 0.0,
    duplicates: Annotated[float, typer.Option(help="Share of feedback delivered twice.")] = 0.0,
    loss: Annotated[float, typer.Option(help="Share of feedback that never comes.")] = 0.0,
    flips: Annotated[float, typer.Option(help="Share of labels that are wrong.")] = 0.0,
    disorder: Annotated[bool, typer.Option(help="Feedback of a step in random order.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of all of these.")] = 0,
    people: Annotated[
        bool,
        typer.Option(
            "--people",
            help="Once there is a model, labels come only from four simulated people who answer the "
            "review queue (`review.per_day` must be above 0).",
        ),
    ] = False,
    via: Annotated[Via, typer.Option(help=VIA_HELP)] = Via.files,
) -> None:
    """Replay a labelled history as production and write a report.

    The real assets, checks and sensors run on a simulated clock; a frozen copy of the first model
    is scored beside the loop. The report and its numbers are `<home>/reports/LOOP.html` and
    `LOOP.json`.
    """
    disturbance = {
        "delay_days": delay,
        "duplicates": duplicates,
        "loss": loss,
        "flips": flips,
        "disorder": disorder,
        "seed": seed,
    }
    from feedback_assets.simulation.people import ERRORS

    who = ERRORS if people else {}
    settings = Settings()
    replay(loop, data, utc(start), utc(end), every, disturbance, via, Console(), settings, who)


def replay(
    name: str,
    data: Path,
    start: dt.datetime | None,
    end: dt.datetime | None,
    every: str,
    disturbance: dict[str, Any],
    via: Via,
    console: Console,
    settings: Settings,
    people: Mapping[str, float] | None = None,
) -> None:
    """Run a simulation and say where to look."""
    from feedback_assets.instance import open_instance
    from feedback_assets.loop import FeedbackLoop
    from feedback_assets.simulation.delivery import Disturbance, History
    from feedback_assets.simulation.replay import Period
    from feedback_assets.simulation.simulate import Simulation, report_paths

    config = loop_config(settings, name)
    history = History(config, settings, data, Disturbance(**disturbance))
    first, last = history.span()
    period = Period(start or history.first_model_by(), min(end or last, last), step_length(every))
    if not first < period.start < period.end:
        raise FeedbackAssetsError(
            f"{data} spans {first:%Y-%m-%d} to {last:%Y-%m-%d}: --from {period.start:%Y-%m-%d} "
            f"and --to {period.end:%Y-%m-%d} must lie inside, with history before --from"
        )
    with open_instance(settings) as instance:
        simulation = Simulation(
            FeedbackLoop(config, settings),
            history,
            period,
            instance,
            console,
            via.value,
            people or {},
        )
        numbers = simulation.run()
    tell(numbers, console)
    html, numbers_path = report_paths(simulation.space)
    console.print(
        f"\nReport    {html}\nNumbers   {numbers_path}\n"
        f"Decisions feedback-assets decisions {name}\n"
        "UI        make ui   (lineage, partitions, checks, sensors of the same loop)",
        highlight=False,
    )
    if simulation.failed:
        raise typer.Exit(1)


def tell(numbers: dict[str, Any], console: Console) -> None:
    """The loop beside the frozen model, as a table."""
    table = Table(title=f"\n{numbers['title']}: the whole period", title_justify="left")
    table.add_column("")
    for name in numbers["loop"]:
        table.add_column(name, justify="right")
    for who in ("loop", "frozen"):
        table.add_row(who, *(f"{value:.4f}" for value in numbers[who].values()))
    console.print(table)
    console.print(
        f"{numbers['retrains']} candidates trained, {numbers['promotions']} promoted, "
        f"{numbers['refusals']} refused",
        highlight=False,
    )


def backfill(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    start: Annotated[dt.datetime, typer.Option("--from", help="First day.")],
    end: Annotated[dt.datetime, typer.Option("--to", help="Last day, included.")],
    asset: Annotated[
        list[str] | None,
        typer.Option(help="Which; prediction_log and all that follows from it if not said."),
    ] = None,
) -> None:
    """Materialize a range of days again, in chunks; doing it twice changes nothing."""
    from feedback_assets.assets.space import DATAFLOW
    from feedback_assets.backfill import backfill_range
    from feedback_assets.instance import open_instance
    from feedback_assets.loop import FeedbackLoop

    settings, console = Settings(), Console()
    config = loop_config(settings, loop)
    chosen = asset or DATAFLOW
    first, last = start.replace(tzinfo=dt.UTC), end.replace(tzinfo=dt.UTC)
    with open_instance(settings) as instance:
        done = backfill_range(
            FeedbackLoop(config, settings), instance, chosen, first, last, console
        )
    if not done:
        raise typer.Exit(1)


def ui(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    reports_port: Annotated[int, typer.Option(help="Port of the reports.")] = 3001,
) -> None:
    """Open the Dagster UI, its daemon and the reports on loopback; Ctrl-C ends all three."""
    from feedback_assets.ui import serve_ui

    raise typer.Exit(serve_ui(Settings(), port, reports_port, Console()))


def loop_config(settings: Settings, name: str) -> Config:
    """A loop's configuration by name."""
    path = settings.configs / "loops" / f"{name}.yaml"
    if not path.is_file():
        folder = settings.configs / "loops"
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise ConfigError(f"there is no loop {name!r} in {folder}; there are: {known}")
    return load_loop(path)


def step_length(text: str) -> dt.timedelta:
    """`7d`, `1w` or `24h` as a duration.

    Raises:
        FeedbackAssetsError: The text is none of these.
    """
    found = DURATION.match(text.strip().lower())
    if not found or not float(found[1]):
        raise FeedbackAssetsError(f"--every {text!r} is not a duration: say 7d, 1w or 24h")
    return dt.timedelta(hours=float(found[1]) * HOURS[found[2]])


def utc(moment: dt.datetime | None) -> dt.datetime | None:
    """A moment typed on the command line, taken as UTC."""
    return moment.replace(tzinfo=dt.UTC) if moment else None
