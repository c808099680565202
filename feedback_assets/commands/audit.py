"""The commands that let others check the ledger: audit verify, show, export, prove."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from feedback_assets.errors import FeedbackAssetsError, LedgerError
from feedback_assets.settings import Settings

if TYPE_CHECKING:
    from feedback_assets.ledger.copies import Witness
    from feedback_assets.ledger.finding import Finding
    from feedback_assets.ledger.store import Ledger

Loop = Annotated[str, typer.Argument(help="A loop that has a ledger.")]
To = Annotated[Path | None, typer.Option(help="Write to this file instead.")]

app = typer.Typer(
    name="audit",
    help="Check and hand out the ledger of decisions.\n\n"
    "Each decision is a record; records are chained by their hashes, and after each decision "
    "the ledger's key signs how many there are and the root of a Merkle tree over them.",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app)


@app.command("verify")
def verify_ledger(
    loop: Annotated[str | None, typer.Argument(help="One loop; all when absent.")] = None,
    witness: Annotated[
        list[Path] | None,
        typer.Option(help="A file of signed heads that was kept elsewhere; repeat for more."),
    ] = None,
    mlflow: Annotated[
        bool, typer.Option("--mlflow/--no-mlflow", help="Compare the heads in MLflow's tags too.")
    ] = True,
    key: Annotated[
        str | None, typer.Option(help="Fingerprint that the ledger's key must have.")
    ] = None,
) -> None:
    """Find an edit, deletion, swap, truncation or rewrite of the ledger; exit with 1 if there is one.

    Compares every record with its hash and with the one before, the Merkle tree with every signed
    head, the heads with every witness, signatures of approvals with approvers.yaml, and the
    decisions table with the ledger. A rewrite by somebody who has the ledger's key is found by
    witnesses only: FEEDBACK_ASSETS_WITNESS, FEEDBACK_ASSETS_WITNESS_GIT, MLflow, or --witness.
    """
    settings, console = Settings(), Console(soft_wrap=True, highlight=False)
    files = list(witness or [])
    wrong = 0
    for name in known_loops(settings, loop, files):
        finding = verified(settings, name, files, mlflow, key)
        wrong += not finding.good
        tell(console, finding)
    if wrong:
        raise typer.Exit(1)


@app.command("show")
def show(
    loop: Loop,
    seq: Annotated[
        int | None, typer.Argument(help="One record in full; the newest ones when absent.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Newest records shown.")] = 30,
) -> None:
    """Show records of the ledger as they are stored."""
    from feedback_assets.ledger.records import exported, record_of

    ledger, console = one_ledger(Settings(), loop), Console()
    if seq is not None:
        typer.echo(json.dumps(json.loads(exported(loop, ledger.row(seq))), indent=2))
        return
    table = Table("record", "when", "kind", "version", "actor", "hash", box=box.SIMPLE)
    for row in ledger.rows(after=max(0, ledger.head()[0] - limit)):
        record = record_of(loop, row)
        table.add_row(
            str(record.seq),
            f"{record.time:%Y-%m-%d %H:%M}",
            record.kind,
            str(record.body.get("version") or ""),
            record.actor,
            record.hash[:12],
        )
    console.print(table)


@app.command("head")
def head(loop: Loop) -> None:
    """Print the newest signed head, to be kept where nobody here can change it.

    `audit verify --witness FILE` compares the ledger with heads that were kept.
    """
    from feedback_assets.ledger.heads import last_head

    settings = Settings()
    one_ledger(settings, loop)
    newest = last_head(settings, loop)
    if newest is None:
        raise LedgerError(f"{loop}: nothing is signed yet")
    typer.echo(newest.text())


@app.command("export")
def export_ledger(
    loop: Loop, to: Annotated[Path, typer.Option(help="A file; it is written over.")]
) -> None:
    """Write every signed record as a line of canonical JSON, and the signed head as the last line."""
    from feedback_assets.ledger.proof import export

    settings = Settings()
    one_ledger(settings, loop)
    signed = export(settings, loop, to)
    Console(soft_wrap=True).print(
        f"{signed.size:,} records of {loop} in {to}, root {signed.root}", highlight=False
    )


@app.command("prove")
def prove_record(
    loop: Loop,
    seq: Annotated[int, typer.Argument(help="Number of the record.")],
    to: To = None,
) -> None:
    """Print one record with the proof that it is in the ledger, as JSON.

    Anybody can check it without this project and without the other records: docs/ledger.md.
    """
    from feedback_assets.ledger.proof import prove

    settings = Settings()
    one_ledger(settings, loop)
    give(json.dumps(prove(settings, loop, seq), indent=1), to)


@app.command("grown")
def prove_grown(
    loop: Loop,
    since: Annotated[Path, typer.Argument(help="A file with a signed head that was kept.")],
    to: To = None,
) -> None:
    """Print the proof that the ledger has only grown since a head that was kept, as JSON."""
    from feedback_assets.ledger.heads import read_heads
    from feedback_assets.ledger.proof import prove_growth
    from feedback_assets.ledger.witnesses import file_lines

    settings = Settings()
    one_ledger(settings, loop)
    kept = [head for _, head in read_heads(file_lines(since)) if head and head.loop == loop]
    if not kept:
        raise LedgerError(f"{since} holds no signed head of {loop}")
    give(json.dumps(prove_growth(settings, loop, kept[-1]), indent=1), to)


def verified(
    settings: Settings, loop: str, files: list[Path], mlflow: bool, key: str | None
) -> "Finding":
    """A ledger compared with itself, its heads, their witnesses and the decisions table."""
    from feedback_assets.ledger.copies import Witness, witnesses_of
    from feedback_assets.ledger.verify import verify
    from feedback_assets.ledger.witnesses import file_lines

    others = witnesses_of(settings, loop)
    others += [Witness(str(path), file_lines(path)) for path in files]
    if mlflow and (settings.mlflow / "mlflow.db").exists():
        others.append(mlflow_witness(settings, loop))
    with Console(stderr=True).status(f"Verifying {loop}") as status:
        finding = verify(
            settings, loop, others, key, lambda seq: status.update(f"Verifying {loop}: {seq:,}")
        )
    return with_projection(settings, finding) if finding.good else finding


def mlflow_witness(settings: Settings, loop: str) -> "Witness":
    """The heads in the tags of the loop's model versions, shorter ones first.

    Raises:
        LedgerError: MLflow cannot be asked.
    """
    from mlflow.exceptions import MlflowException

    from feedback_assets.ledger.copies import Witness
    from feedback_assets.ledger.heads import read_heads
    from feedback_assets.training.registry import ledger_heads

    try:
        tags = ledger_heads(settings, loop)
    except MlflowException as error:
        raise LedgerError(f"MLflow cannot be asked: {error}; --no-mlflow leaves it out") from error
    found = [head for _, head in read_heads(iter(tags)) if head]
    ordered = sorted(found, key=lambda head: (head.size, head.time))
    return Witness("MLflow", [head.text() for head in ordered])


def with_projection(settings: Settings, finding: "Finding") -> "Finding":
    """The finding with what the decisions table says otherwise; a loop without file has none."""
    from feedback_assets.assets.ledger_check import projection_problems
    from feedback_assets.assets.space import LoopSpace
    from feedback_assets.commands.run import loop_config

    try:
        space = LoopSpace(loop_config(settings, finding.loop), settings)
        problems, notes = projection_problems(space)
    except FeedbackAssetsError as error:
        problems, notes = [], [f"the decisions table was not compared: {error}"]
    return replace(
        finding,
        problems=(*finding.problems, *problems),
        notes=(*finding.notes, *notes),
    )


def known_loops(settings: Settings, loop: str | None, files: list[Path]) -> list[str]:
    """The loops to verify: those with a ledger, and those of which a witness says they had one.

    Raises:
        LedgerError: There is none, or not the one that is named.
    """
    known = sorted({*_ledgers(settings), *_witnessed(settings, files)})
    if loop is not None and loop not in known:
        raise LedgerError(f"there is no ledger of {loop}; there are: {', '.join(known) or 'none'}")
    if not known:
        raise LedgerError(f"{settings.ledger} holds no ledger yet: nothing was decided")
    return [loop] if loop else known


def one_ledger(settings: Settings, loop: str) -> "Ledger":
    """The ledger of a loop.

    Raises:
        LedgerError: It has none.
    """
    from feedback_assets.ledger.store import Ledger

    return Ledger(settings.ledger, known_loops(settings, loop, [])[0])


def give(text: str, to: Path | None) -> None:
    """Print a text, or write it to a file."""
    if to is None:
        typer.echo(text)
        return
    try:
        to.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise LedgerError(f"{to} cannot be written: {error}") from error
    Console(soft_wrap=True).print(f"written to {to}", highlight=False)


def tell(console: Console, finding: "Finding") -> None:
    """Print what a verification found."""
    mark = "[green]good[/]" if finding.good else "[bold red]WRONG[/]"
    console.print(f"{mark} [bold]{finding.loop}[/]: {finding.size:,} records, root {finding.root}")
    for copy in finding.copies:
        covered = f"{copy.heads:,} heads, the newest of {copy.newest:,} records"
        console.print(f"  {copy.name}: {covered}", markup=False)
    if len(finding.copies) == 1:
        console.print(
            "  no witness: a rewrite by somebody who has the ledger's key could not be found; "
            "set FEEDBACK_ASSETS_WITNESS to a file elsewhere",
            markup=False,
        )
    for problem in finding.problems:
        console.print(f"  [red]{problem.kind}[/]:", end=" ")
        console.print(problem.message, markup=False)
    if finding.more:
        console.print(f"  and {finding.more:,} more")
    for note in finding.notes:
        console.print(f"  note: {note}", markup=False)


def _ledgers(settings: Settings) -> Iterator[str]:
    for ending in (".db", ".heads.jsonl"):
        for path in settings.ledger.glob(f"*{ending}"):
            yield path.name.removesuffix(ending)


def _witnessed(settings: Settings, files: list[Path]) -> Iterator[str]:
    from feedback_assets.ledger.heads import read_heads
    from feedback_assets.ledger.witnesses import file_lines

    set_up = (
        [settings.witness] if settings.witness and settings.witness.expanduser().exists() else []
    )
    for path in (*set_up, *files):
        yield from {head.loop for _, head in read_heads(file_lines(path)) if head}
