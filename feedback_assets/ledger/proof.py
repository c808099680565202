"""What an outsider gets: the whole ledger as lines, or one record with its proof.

Both can be checked without this project; `docs/ledger.md` has the few lines that do it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.heads import SignedHead, last_head
from feedback_assets.ledger.keys import sync_folder
from feedback_assets.ledger.records import exported
from feedback_assets.ledger.store import Ledger
from feedback_assets.settings import Settings


def export_lines(settings: Settings, loop: str) -> Iterator[str]:
    """Every record of a ledger that is signed, one a line in canonical JSON, then the head.

    Raises:
        LedgerError: Nothing is signed.
    """
    ledger, head = Ledger(settings.ledger, loop), _signed(settings, loop)
    for row in ledger.rows():
        if row[0] > head.size:
            break
        yield exported(loop, row).decode()
    yield head.text()


def export(settings: Settings, loop: str, to: Path) -> SignedHead:
    """Write `export_lines` to a file: whole or not at all.

    Returns:
        The head that covers what was written.

    Raises:
        LedgerError: Nothing is signed, or the file cannot be written.
    """
    hidden = to.with_name(f".{to.name}.{os.getpid()}")
    text = ""
    try:
        with hidden.open("w", encoding="utf-8") as file:
            for text in export_lines(settings, loop):
                file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(to)
        sync_folder(to.absolute().parent)
    except OSError as error:
        raise LedgerError(f"{to} cannot be written: {error}") from error
    finally:
        hidden.unlink(missing_ok=True)
    return SignedHead.parse(text)


def prove(settings: Settings, loop: str, seq: int) -> dict[str, Any]:
    """One record with what shows that it is in the ledger: JSON values.

    `record` with its `hash`; `head`, signed; `path`, the hashes of RFC 6962 from the record's leaf
    to the head's root, hexadecimal.

    Raises:
        LedgerError: There is no such record, or no signed head covers it.
    """
    ledger, head = Ledger(settings.ledger, loop), _signed(settings, loop)
    record = json.loads(exported(loop, ledger.row(seq)))
    if seq > head.size:
        raise LedgerError(
            f"{loop}: record {seq} is not signed yet, only {head.size} are; "
            "the next decision signs it"
        )
    path = ledger.inclusion(seq, head.size)
    return {
        "record": record,
        "path": [step.hex() for step in path],
        "head": json.loads(head.text()),
    }


def prove_growth(settings: Settings, loop: str, old: SignedHead) -> dict[str, Any]:
    """What shows that the ledger has only grown since an older head: JSON values.

    Raises:
        LedgerError: The ledger is shorter than that head.
    """
    head = _signed(settings, loop)
    path = Ledger(settings.ledger, loop).consistency(old.size, head.size)
    return {
        "old": json.loads(old.text()),
        "path": [step.hex() for step in path],
        "head": json.loads(head.text()),
    }


def _signed(settings: Settings, loop: str) -> SignedHead:
    head = last_head(settings, loop)
    if head is None:
        raise LedgerError(f"{loop}: no record of its ledger is signed; there is no decision yet")
    return head
