"""`feedback-assets`: begin a loop, run it, ask it."""

import os
import sys

import typer
from rich.console import Console

from feedback_assets import __version__
from feedback_assets.commands import (
    approve,
    ask,
    audit,
    begin,
    bundle,
    challenge,
    drill,
    explain,
    importing,
    keys,
    labels,
    look,
    reproduce,
    review,
    rollback,
    run,
    serve,
    why,
)
from feedback_assets.errors import FeedbackAssetsError

app = typer.Typer(
    name="feedback-assets",
    help="Keep machine-learning models right in production.\n\n"
    "Begin with `demo` to watch a real model through a real year, "
    "or with `init DATA --loop NAME` to bring your own.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
begin.register(app)
run.register(app)
ask.register(app)
explain.register(app)
look.register(app)
importing.register(app)
challenge.register(app)
approve.register(app)
rollback.register(app)
drill.register(app)
why.register(app)
reproduce.register(app)
bundle.register(app)
audit.register(app)
keys.register(app)
serve.register(app)
review.register(app)
labels.register(app)


@app.command()
def version() -> None:
    """Print the version."""
    Console().print(__version__, highlight=False)


def main() -> None:
    """Run the command line and end the process.

    Nothing is left to be done then: taking every loaded library apart would only cost time and, of
    some, print what their bindings leak.
    """
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    code = run_app()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_app() -> int:
    """Run the command line; an error that was foreseen is told in words, without a traceback.

    Returns:
        The exit code.
    """
    try:
        app()
    except FeedbackAssetsError as error:
        Console(stderr=True).print(f"[bold red]error[/] {type(error).__name__}")
        Console(stderr=True).print(str(error), markup=False, highlight=False)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    main()
