"""The commands of the people who answer for a promotion: approve, reject, override, approvals."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.ledger.keys import PrivateKey
    from feedback_assets.promotion.statement import Action, Statement

Loop = Annotated[str, typer.Argument(help="A loop of configs/loops/.")]
Version = Annotated[int, typer.Argument(help="The candidate.")]
Reason = Annotated[str, typer.Option(help="Why; it is signed and kept.")]
As = Annotated[
    str | None,
    typer.Option("--as", help="Your name in approvers.yaml; who runs this if not said."),
]
Print = Annotated[
    bool,
    typer.Option(
        "--print", help="Record nothing; print the signed fields for the Dagster job LOOP_approval."
    ),
]
Hours = Annotated[
    float | None,
    typer.Option("--expires-hours", min=0.01, help="How long it holds; approval.expires_hours."),
]
OverrideHours = Annotated[
    float, typer.Option("--expires-hours", min=0.01, help="How long it holds.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(name="approve")(approve)
    app.command(name="reject")(reject)
    app.command(name="override")(override)
    app.command(name="approvals")(approvals)


def approve(
    loop: Loop,
    version: Version,
    reason: Reason,
    name: As = None,
    hours: Hours = None,
    show: Print = False,
) -> None:
    """Approve the promotion of a candidate, signed with your key.

    It holds for this model, this evaluation and this configuration only, and it expires. Whoever
    asked for the candidate cannot approve it. See what waits with `feedback-assets approvals LOOP`.
    """
    say(loop, version, "approve", reason, name, hours, show)


def reject(
    loop: Loop,
    version: Version,
    reason: Reason,
    name: As = None,
    hours: Hours = None,
    show: Print = False,
) -> None:
    """Reject a candidate that is not decided yet, signed with your key; one rejection is enough."""
    say(loop, version, "reject", reason, name, hours, show)


def override(
    loop: Loop,
    version: Version,
    gate: Annotated[str, typer.Argument(help="The gate that it failed, as in latency.")],
    reason: Reason,
    hours: OverrideHours,
    name: As = None,
    show: Print = False,
) -> None:
    """Answer for a gate that a candidate failed: it is judged again as if it had passed.

    Signed with your key, dated, and over when it expires. The risk of the promotion is a step
    higher. The gate `better` cannot be overridden.
    """
    say(loop, version, "override", reason, name, hours, show, gate)


def approvals(loop: Loop) -> None:
    """Show which candidates wait for people, who has approved, and what does not count and why."""
    from feedback_assets.assets.approvals import waiting
    from feedback_assets.clock import Clock
    from feedback_assets.ledger.registry import Registry

    space, console, now = loop_space(loop), Console(), Clock().now()
    found = waiting(space, now)
    if not found:
        console.print(f"{loop}: no candidate waits for people.", highlight=False)
        return
    table = Table(
        "version", "risk", "why", "approved by", "missing", box=box.SIMPLE, padding=(0, 1)
    )
    for one in found:
        details = one.request.details
        table.add_row(
            one.version,
            escape(str(details.get("risk"))),
            escape("; ".join(map(str, details.get("why", ())))),
            escape(", ".join(one.standing.approved_by)) or "nobody",
            str(one.standing.missing),
        )
    console.print(table)
    for one in found:
        stale = "asked for what stands no more; the next run of promoted_model judges it anew"
        for problem in [*([] if one.stands else [stale]), *one.standing.problems]:
            console.print(f"version {one.version}: {problem}", markup=False, highlight=False)
    may = sorted({a.name for a in Registry.load(space.settings).approvers if a.may(loop, now)})
    console.print(
        f"May approve for {loop}: {', '.join(may) or 'nobody; feedback-assets keys new NAME'}",
        markup=False,
        highlight=False,
    )


def say(
    loop: str,
    version: int,
    action: "Action",
    reason: str,
    name: str | None,
    hours: float | None,
    show: bool,
    gate: str = "",
) -> None:
    """Sign a statement; record it, or print it for the Dagster job."""
    from feedback_assets.assets.approvals import accept, drafted, statement_of
    from feedback_assets.assets.ledger import person
    from feedback_assets.clock import Clock
    from feedback_assets.ledger.keys import sign_statement
    from feedback_assets.promotion.approval import PERSON

    space, console, now = loop_space(loop), Console(soft_wrap=True), Clock().now()
    who = person(space.settings, name).removeprefix(PERSON)
    until = now + dt.timedelta(hours=hours or space.config.approval.expires_hours)
    statement = statement_of(space, str(version), action, reason, who, now, until, gate)
    signature = sign_statement(own_key(space.settings, who), statement.to_dict())
    if show:
        drafted(space, statement, signature, now)
        typer.echo(run_config(statement, signature))
        return
    accept(space, statement, signature, now)
    what = f"{action} {gate}".strip()
    console.print(
        f"{loop}: {what} of version {version} by {who} is recorded; it holds until "
        f"{until:%Y-%m-%d %H:%M} UTC. {outlook(space, version, action, now)}",
        markup=False,
        highlight=False,
    )


def outlook(space: "LoopSpace", version: int, action: "Action", now: dt.datetime) -> str:
    """What follows from what was said."""
    from feedback_assets.assets.approvals import waiting

    if action != "approve":
        return "The rollout sensor follows with its next tick."
    mine = next((one for one in waiting(space, now) if one.version == str(version)), None)
    missing = mine.standing.missing if mine else 0
    if missing:
        return f"{missing} more must approve."
    return "Nobody is missing: the rollout sensor promotes it with its next tick."


def run_config(statement: "Statement", signature: str) -> str:
    """The Dagster job's run configuration, as YAML for the launchpad."""
    import yaml

    from feedback_assets.assets.approvals import ApprovalConfig, op_of

    fields = {**statement.to_dict(), "signature": signature}
    wanted = {name: fields[name] for name in ApprovalConfig.model_fields}
    return yaml.safe_dump(
        {"ops": {op_of(statement.loop): {"config": wanted}}}, sort_keys=False
    ).rstrip()


def own_key(settings: Settings, name: str) -> "PrivateKey":
    """A person's key; its passphrase is asked for if it has one.

    Raises:
        LedgerError: There is none on this machine, or the passphrase is wrong.
    """
    from feedback_assets.ledger.keys import load_private, locked

    phrase = ""
    if locked(settings, name):
        phrase = typer.prompt(f"Passphrase of {name}'s key", hide_input=True, err=True)
    return load_private(settings, name, phrase)


def loop_space(loop: str) -> "LoopSpace":
    """A loop by name."""
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    settings = Settings()
    return LoopSpace(loop_config(settings, loop), settings)
