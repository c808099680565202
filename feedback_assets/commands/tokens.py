"""The commands of bearer tokens: token create, list, revoke."""

import datetime as dt
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from feedback_assets.config.load import load_loops
from feedback_assets.door.tokens import MOST_DAYS, SCOPES, Scope, Token, TokenFile
from feedback_assets.errors import DoorError
from feedback_assets.settings import Settings

app = typer.Typer(
    name="token",
    help="Who may use the service: make, list and revoke bearer tokens.\n\n"
    "Only digests are kept. A running service follows within two seconds.",
    no_args_is_help=True,
)


@app.command("create")
def create(
    name: Annotated[
        str, typer.Argument(help="Who will hold it; what they send is logged under this name.")
    ],
    scope: Annotated[
        list[str],
        typer.Option(
            help=f"What it is for: {', '.join(SCOPES)}; repeat for more. "
            "`metrics` is for the scrapes of Prometheus and needs no loop."
        ),
    ],
    loop: Annotated[
        list[str] | None,
        typer.Option(help="Where: a loop, or '*' for all of them; repeat for more."),
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=MOST_DAYS, help="It ends after so many days.")
    ] = 90,
) -> None:
    """Make a token and print it; it cannot be shown again.

    Send it as `Authorization: Bearer TOKEN`. Make one for each program, with only what it needs.
    """
    settings = Settings()
    tokens = TokenFile(settings)
    token = tokens.create(name, scopes_of(scope), known_loops(settings, loop or []), days)
    made = tokens.all()[-1]
    notes = Console(stderr=True, soft_wrap=True)
    notes.print(
        f"Token {name} may {may(made)} until {made.expires:%Y-%m-%d}. "
        "It is shown this once; only its digest is kept.",
        highlight=False,
        markup=False,
    )
    typer.echo(token)


@app.command("list")
def list_tokens() -> None:
    """Show every token ever made, without the tokens themselves."""
    table = Table("name", "may", "created", "expires", "state", "ends in", box=box.SIMPLE)
    moment = dt.datetime.now(dt.UTC)
    tokens = TokenFile(Settings()).all()
    for token in tokens:
        table.add_row(
            token.name,
            may(token),
            f"{token.created:%Y-%m-%d}",
            f"{token.expires:%Y-%m-%d}",
            "revoked" if token.revoked else "usable" if token.usable(moment) else "expired",
            f"…{token.last4}",
        )
    if tokens:
        Console().print(table)
    else:
        Console().print("There is no token: the service lets in every program on this machine.")


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Its name, as `token list` shows it.")],
) -> None:
    """End a token; a running service refuses it within two seconds."""
    token = TokenFile(Settings()).revoke(name)
    Console().print(f"Token {name} (…{token.last4}) is revoked.", highlight=False, markup=False)


def scopes_of(names: list[str]) -> list[Scope]:
    """Scopes as they were typed.

    Raises:
        DoorError: One is none of them.
    """
    chosen = [scope for scope in SCOPES if scope in names]
    if len(chosen) < len(set(names)):
        raise DoorError(f"--scope: choose from {', '.join(SCOPES)}")
    return chosen


def known_loops(settings: Settings, names: list[str]) -> list[str]:
    """Loops as they were typed, or `*`.

    Raises:
        DoorError: One is not there: a slip would make a token that opens nothing.
    """
    loops = load_loops(settings)
    missing = [name for name in names if name != "*" and name not in loops]
    if missing:
        known = ", ".join(sorted(loops)) or f"none in {settings.configs / 'loops'}"
        raise DoorError(f"--loop: there is no loop {', '.join(missing)}; there are: {known}")
    return names


def may(token: Token) -> str:
    """A token's grants in words, as in `predict flights, feedback *`."""
    return ", ".join(
        scope if scope == "metrics" else f"{scope} {loop}" for loop, scope in token.grants
    )
