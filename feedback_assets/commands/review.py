"""The commands of people in the loop: review status, export, import, recall, sync, people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from feedback_assets.errors import ReviewError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.assets.space import LoopSpace

Loop = Annotated[str, typer.Argument(help="A loop of configs/loops/.")]

app = typer.Typer(
    name="review",
    help="What people are asked, and what they say.\n\n"
    "Questions are drawn by the asset `review_queue`. People answer on the service's page "
    "`/review/LOOP`, in Label Studio, or in files that are exported and imported here.",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app)


@app.command("status")
def status(loop: Loop) -> None:
    """Tell how far today's and earlier questions are."""
    from feedback_assets.assets.review_store import review_store
    from feedback_assets.clock import Clock

    space, console = _space(loop), Console()
    store = review_store(space)
    review, progress = space.config.review, store.progress(Clock().now())
    if not review.per_day:
        console.print(f"{loop} asks nobody: `review.per_day` is 0", highlight=False)
    shown = Table("batch", "open", "done", "withdrawn", box=box.SIMPLE_HEAD)
    for one in store.batches():
        shown.add_row(one.batch, f"{one.open:,}", f"{one.done:,}", f"{one.withdrawn:,}")
    console.print(shown)
    console.print(
        f"{progress.open:,} open ({progress.leased:,} in somebody's hands, {progress.placed:,} in "
        f"files or Label Studio), {progress.done:,} done, {progress.withdrawn:,} withdrawn; "
        f"{progress.mine:,} labels, {progress.mine_today:,} of them today",
        highlight=False,
    )


@app.command("export")
def export(
    loop: Loop,
    file: Annotated[Path, typer.Argument(help="A new .csv or .jsonl file.")],
    limit: Annotated[int, typer.Option(min=1, help="Questions at most.")] = 1000,
) -> None:
    """Write open questions into a file, for people to fill in.

    The columns `label` (or `skip`: yes), `annotator`, and, if they like, `confidence` (0 to 1) and
    `note` are theirs. Nobody else is asked these questions until `review recall`.
    """
    from feedback_assets.assets.review_store import review_store
    from feedback_assets.clock import Clock
    from feedback_assets.review.files import export_tasks

    space = _space(loop)
    count = export_tasks(review_store(space), space.config, file, Clock().now(), limit)
    told = f"{count:,} questions written to {file}" if count else "nothing is open: no file written"
    Console().print(told, markup=False, highlight=False)


@app.command("import")
def import_(
    loop: Loop,
    file: Annotated[Path, typer.Argument(help="The .csv or .jsonl file that people filled in.")],
    annotator: Annotated[
        str | None, typer.Option(help="Who answered where the rows do not say it.")
    ] = None,
) -> None:
    """Take the answers that stand in a file; again does no harm.

    Exits with 1 if rows were refused; they stand beside the file with the reasons.
    """
    from feedback_assets.assets.review_store import review_store
    from feedback_assets.clock import Clock
    from feedback_assets.review.files import import_answers

    space = _space(loop)
    found = import_answers(review_store(space), space.config, file, Clock().now(), annotator)
    Console().print(
        f"{found.stored:,} answers taken, {found.repeated:,} known before, {found.blank:,} rows "
        "not answered yet",
        highlight=False,
    )
    if found.refused:
        raise ReviewError(
            f"{found.refused:,} rows were refused: see the column `why` in {found.refused_path}; "
            "mend them there and import that file"
        )


@app.command("recall")
def recall(loop: Loop) -> None:
    """Ask everybody again what stands in exported files and is not answered."""
    from feedback_assets.assets.review_store import review_store
    from feedback_assets.review.files import recall_tasks

    count = recall_tasks(review_store(_space(loop)))
    Console().print(f"{count:,} questions are open to all again", highlight=False)


@app.command("sync")
def sync(loop: Loop) -> None:
    """Send open questions to Label Studio and take the answers that are there."""
    from feedback_assets.assets.review_store import review_store
    from feedback_assets.clock import Clock
    from feedback_assets.review.labelstudio.sync import sync as exchange

    space, console = _space(loop), Console()
    if space.config.review.label_studio is None:
        raise ReviewError(f"{loop} has no section `review.label_studio`: give it a `url`")

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    found = exchange(space.config, space.settings, review_store(space), Clock().now(), tell)
    tell(found.words())


@app.command("people")
def people(loop: Loop) -> None:
    """Tell who answered how much, how fast, and how often rightly where the answer is known."""
    from feedback_assets.assets.review_store import review_store

    shown = Table(
        "annotator", "labels", "skips", "known", "right", "median s", "last", box=box.SIMPLE_HEAD
    )
    for one in review_store(_space(loop)).people():
        shown.add_row(
            Text(one.annotator),
            f"{one.answered:,}",
            f"{one.skipped:,}",
            f"{one.golden:,}",
            f"{one.golden_right / one.golden:.0%}" if one.golden else "",
            "" if one.median_seconds is None else f"{one.median_seconds:.1f}",
            f"{one.last_at:%Y-%m-%d %H:%M}",
        )
    Console().print(shown)


def _space(loop: str) -> "LoopSpace":
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    settings = Settings()
    return LoopSpace(loop_config(settings, loop), settings)
