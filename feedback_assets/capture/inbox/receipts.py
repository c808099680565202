"""What the tables have taken, as one small file for each loop and stream."""

import os
import tempfile
from pathlib import Path
from typing import get_args

from feedback_assets.capture.inbox.records import Stream
from feedback_assets.errors import InboxError

TAKEN = "taken"


def write_receipt(inbox: Path, stream: Stream, loop: str, through: int) -> None:
    """Say that the tables hold every row of the stream up to `through`.

    The number told last counts, also a smaller one: a table may have been restored.

    Raises:
        InboxError: The stream or loop cannot be part of a file's name.
    """
    if stream not in get_args(Stream) or not loop or loop.startswith(".") or "/" in loop:
        raise InboxError(f"{stream!r} of {loop!r} is no stream of a loop")
    folder = inbox / TAKEN
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", dir=folder)
    with os.fdopen(handle, "w") as file:
        file.write(f"{through}\n")
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(folder / f"{loop}.{stream}")


def read_receipts(inbox: Path) -> dict[tuple[str, str], int]:
    """(stream, loop) to what `write_receipt` was told last; what is unreadable says nothing."""
    receipts: dict[tuple[str, str], int] = {}
    folder = inbox / TAKEN
    if not folder.is_dir():
        return receipts
    for path in folder.iterdir():
        loop, _, stream = path.name.rpartition(".")
        if not loop:
            continue
        text = path.read_text(encoding="ascii", errors="replace").strip()
        if text.isascii() and text.isdigit():
            receipts[stream, loop] = int(text)
    return receipts
