"""Text files that are still being written, read up to their last whole line."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.reading import BLOCK, COMPRESSED, SETTLED
from feedback_assets.capture.importers.records import UnexpectedError


@contextmanager
def whole_lines(
    file: SourceFile, scratch: Path, now: dt.datetime
) -> Iterator[tuple[SourceFile, bool]]:
    """Give a text file without a last line that may be half written, and whether it has one.

    A cut CSV line may well read as a row, with a number that lacks its last digits. A line that
    nobody has completed for an hour counts as complete.

    Yields:
        The file, or a copy of its whole lines under the same name; True for a copy.
    """
    end = None if file.path.name.lower().endswith(COMPRESSED) else _cut(file, now)
    if end is None:
        yield file, False
        return
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / f"{uuid4().hex}{''.join(file.path.suffixes[-1:])}"
    try:
        with file.path.open("rb") as source, copy.open("wb") as target:
            left = end
            while left and (data := source.read(min(BLOCK, left))):
                target.write(data)
                left -= len(data)
        yield replace(file, path=copy, size=end), True
    finally:
        copy.unlink(missing_ok=True)


def _cut(file: SourceFile, now: dt.datetime) -> int | None:
    """Return where the last whole line ends; None where nothing is to be cut off."""
    if not file.size or (now - file.modified).total_seconds() > SETTLED:
        return None
    with file.path.open("rb") as stream:
        start = max(0, file.size - BLOCK)
        stream.seek(start)
        tail = stream.read(file.size - start)
    newline = tail.rfind(b"\n") + 1
    if newline == len(tail) or (not newline and start):
        return None
    if not newline and not start:
        return None if _is_json(tail) else 0
    return None if _is_json(tail[newline:]) else start + newline


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(decode(line, "the line"), dict | list)
    except UnexpectedError:
        return False
