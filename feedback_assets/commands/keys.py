"""The commands of signing keys: keys new, list, show, revoke."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from feedback_assets.errors import LedgerError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.ledger.registry import Approver

Loops = Annotated[
    list[str] | None,
    typer.Option("--loop", help="What they may approve for; every loop if not said; repeat."),
]

SHOWN_DIGITS = 16

app = typer.Typer(
    name="keys",
    help="Who may approve: make, list and revoke signing keys.\n\n"
    "The private half stays with the person, in FEEDBACK_ASSETS_KEYS; the public half goes into "
    "approvers.yaml, which is reviewed like code.",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Your name, as decisions will show it.")],
    loop: Loops = None,
    show: Annotated[
        bool,
        typer.Option("--print", help="Print the entry for approvers.yaml, do not write it there."),
    ] = False,
    passphrase: Annotated[
        bool | None,
        typer.Option(
            "--passphrase/--no-passphrase",
            help="Ask for a passphrase that locks the key; asked in a terminal if not said.",
        ),
    ] = None,
) -> None:
    """Make your signing key.

    Approvals, rejections and overrides are signed with it. Only its public half leaves this
    machine. If others must review who may approve, use --print and propose the entry to them.
    """
    from feedback_assets.clock import Clock
    from feedback_assets.ledger.keys import key_file, new_private
    from feedback_assets.ledger.registry import Approver, Registry, register

    settings, now = Settings(), Clock().now()
    loops = allowed(settings, loop)
    if not show and any(known.revoked is None for known in Registry.load(settings).of(name)):
        raise LedgerError(
            f"{settings.approvers}: {name} has a key; revoke it first with "
            f"`feedback-assets keys revoke {name}`"
        )
    key = new_private(settings, name, asked(passphrase))
    made = Approver(name, key.public, loops, now)
    notes = Console(stderr=True, soft_wrap=True, highlight=False)
    notes.print(f"Private key in {key_file(settings, name)}: keep it to yourself.", markup=False)
    if show:
        notes.print(f"Add this to `approvers` in {settings.approvers}:", markup=False)
        typer.echo(entry_text(made))
        return
    register(settings, made)
    notes.print(
        f"{name} may approve for {', '.join(loops)} by {settings.approvers}; commit that file.",
        markup=False,
    )


@app.command("show")
def show_key(
    name: Annotated[str, typer.Argument(help="Whose key on this machine.")], loop: Loops = None
) -> None:
    """Print the entry for approvers.yaml of a key that is on this machine."""
    from feedback_assets.clock import Clock
    from feedback_assets.ledger.keys import load_private, locked
    from feedback_assets.ledger.registry import Approver

    settings = Settings()
    secret = typer.prompt("Passphrase", hide_input=True, err=True) if locked(settings, name) else ""
    key = load_private(settings, name, secret)
    typer.echo(entry_text(Approver(name, key.public, allowed(settings, loop), Clock().now())))


@app.command("list")
def list_keys() -> None:
    """Show every key that was ever allowed to approve, and which private ones are here."""
    from feedback_assets.ledger.keys import key_file
    from feedback_assets.ledger.registry import Registry

    settings, console = Settings(), Console(soft_wrap=True, highlight=False)
    approvers = Registry.load(settings).approvers
    if not approvers:
        console.print(
            f"Nobody may approve: {settings.approvers} names no key. "
            "Make one with `feedback-assets keys new NAME`.",
            markup=False,
        )
        return
    table = Table(
        "name", "may approve for", "added", "state", "fingerprint", "here", box=box.SIMPLE
    )
    for one in approvers:
        here = one.revoked is None and key_file(settings, one.name).exists()
        table.add_row(
            one.name,
            ", ".join(one.loops),
            f"{one.added:%Y-%m-%d}",
            f"revoked {one.revoked:%Y-%m-%d}" if one.revoked else "usable",
            one.fingerprint[:SHOWN_DIGITS],
            "here" if here else "",
        )
    console.print(table)


@app.command("revoke")
def revoke_key(
    name: Annotated[str, typer.Argument(help="Whose key, as `keys list` shows it.")],
) -> None:
    """End a person's key: nothing that is recorded from now on counts, what was before still does."""
    from feedback_assets.clock import Clock
    from feedback_assets.ledger.registry import revoke

    settings = Settings()
    gone = revoke(settings, name, Clock().now())
    Console(soft_wrap=True, highlight=False).print(
        f"The key {gone.fingerprint[:SHOWN_DIGITS]} of {name} is revoked; commit {settings.approvers}.",
        markup=False,
    )


def allowed(settings: Settings, names: list[str] | None) -> tuple[str, ...]:
    """Loops as they were typed; all if none is.

    Raises:
        DoorError: One is not there.
    """
    from feedback_assets.commands.tokens import known_loops
    from feedback_assets.ledger.registry import EVERY_LOOP

    return tuple(known_loops(settings, names)) if names else (EVERY_LOOP,)


def asked(passphrase: bool | None) -> str:
    """The passphrase of a new key; empty for none."""
    if passphrase is False or (passphrase is None and not sys.stdin.isatty()):
        return ""
    words = "Passphrase" if passphrase else "Passphrase (empty for none)"
    told: str = typer.prompt(
        words,
        default=None if passphrase else "",
        hide_input=True,
        confirmation_prompt=True,
        show_default=False,
        err=True,
    )
    return told


def entry_text(approver: "Approver") -> str:
    """A key as text for approvers.yaml."""
    from feedback_assets.ledger.registry import entry_of

    return yaml.safe_dump([entry_of(approver)], sort_keys=False).rstrip()
