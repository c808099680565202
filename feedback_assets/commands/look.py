"""The command that looks at raw values: exact statistics of a day against the training rows."""

import datetime as dt
import math
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from feedback_assets.errors import FeedbackAssetsError
from feedback_assets.settings import Settings

FIGURES = {
    "psi": "PSI", "js": "JS", "chi2": "chi2", "ks": "KS", "ks_p": "KS p", "wasserstein_sd": "W / sd",
}  # fmt: skip
"""Figure to its heading; `W / sd` is Wasserstein's distance in standard deviations."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="compare")(compare)


def compare(
    loop: Annotated[str, typer.Argument(help="A loop of configs/loops/.")],
    start: Annotated[dt.datetime, typer.Option("--from", help="First day.")],
    end: Annotated[
        dt.datetime | None, typer.Option("--to", help="Last day, included; the first if not said.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="Against this version's training rows; the champion's.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Only these columns.")] = None,
) -> None:
    """Exact drift statistics of some days against the rows that trained a version.

    The daily verdict comes from counts and controls its false alarms; these are the textbook figures
    on raw values, for whoever wants them: no alarm follows from them.
    """
    from feedback_assets.assets.models import champion, model_version
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.assets.training_rows import training_rows
    from feedback_assets.commands.run import loop_config
    from feedback_assets.config.grain import partition_key_of, partition_range
    from feedback_assets.drift.exact import Frame, exact_statistics
    from feedback_assets.tables.connection import connect

    settings, console = Settings(), Console()
    space = LoopSpace(loop_config(settings, loop), settings)
    model = model_version(space, version) if version else champion(space)
    if model is None:
        raise FeedbackAssetsError(f"{loop} has no champion yet: there is nothing to compare with")
    columns, grain = space.config.columns, space.config.partitions.grain
    names = column or columns.features
    unknown = sorted(set(names) - set(columns.features))
    if unknown:
        raise FeedbackAssetsError(
            f"{', '.join(unknown)}: no feature of {loop}; there are: {', '.join(columns.features)}"
        )
    first, last = (
        partition_key_of(grain, moment.replace(tzinfo=dt.UTC)) for moment in (start, end or start)
    )
    table = space.table("feedback_table").snapshot()
    keys = [key for key in partition_range(grain, first, last) if key in table.partitions()]
    rows = sum(table.partitions()[key].rows for key in keys)
    if not rows:
        raise FeedbackAssetsError(f"{loop} has no rows from {first} to {last}")
    with connect(settings) as con:
        now = con.execute(f"SELECT * FROM {table.relation(keys, list(names))}").df()
    trained = training_rows(space, model).select(list(names)).to_pandas()
    found = exact_statistics(
        Frame(trained), Frame(now), {name: columns.kind_of(name) for name in names}
    )
    shown = RichTable("column", "nulls", *FIGURES.values(), box=box.SIMPLE, padding=(0, 1))
    for name, exact in sorted(found.items(), key=lambda pair: -_number(pair[1].psi)):
        nulls = f"{exact.null_share_ref:.0%}→{exact.null_share:.0%}"
        figures = (_shown(getattr(exact, figure)) for figure in FIGURES)
        shown.add_row(f"{name} ({exact.reason})" if exact.reason else name, nulls, *figures)
    console.print(
        f"{space.config.title}: {rows:,} rows from {first} to {last} against the "
        f"{len(trained):,} rows that trained version {model.version}; largest PSI first",
        highlight=False,
    )
    console.print(shown)


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}"
