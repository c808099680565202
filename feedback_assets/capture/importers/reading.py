"""Files of JSON lines and Parquet as records, in blocks of bounded size."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.records import UnexpectedError
from feedback_assets.capture.readers import first_line
from feedback_assets.errors import SourceError

BLOCK = 1 << 20
MAX_LINE = 16 << 20
"""A longer line is refused unread."""
_BATCH = 4_096
COMPRESSED = (".gz", ".bz2", ".zst")
UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, OverflowError, KeyError, TypeError)
SETTLED = 3600
"""Seconds without a change after which a file's last line counts as complete."""


class Found(NamedTuple):
    """One record of a file: decoded, or with the reason why it is none."""

    record: dict[str, Any] | None
    line: bytes | dict[str, Any]
    """The record as it came."""
    problem: str | None = None


@dataclass
class Place:
    """How far a file has been read."""

    offset: int = 0
    digest: str = ""
    """Of the bytes before `offset`: while it holds, reading goes on from there."""
    carry: str = ""
    """The numbering of rows of one request: its id and the last number."""


@dataclass
class Block:
    """Some records, and the place after them."""

    found: list[Found]
    place: Place
    size: int
    again: bool = False
    """The file is to be looked at again: it ends in the middle of a line, or could not be read."""


@dataclass
class _Hash:
    state: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, data: bytes) -> str:
        self.state.update(data)
        return str(self.state.hexdigest())


def is_parquet(file: SourceFile) -> bool:
    """Whether a file begins as Parquet does."""
    try:
        with file.path.open("rb") as stream:
            return stream.read(4) == b"PAR1"
    except OSError:
        return False


def records(
    file: SourceFile, columns: Sequence[str], start: Place, now: dt.datetime
) -> Iterator[Block]:
    """Yield a file's records; what cannot be read is yielded as a problem, never raised.

    Args:
        file: The file.
        columns: The columns of a Parquet file that may be read.
        start: Where an earlier reading ended.
        now: Tells whether the file may still be written to.
    """
    if is_parquet(file):
        yield from _parquet(file, columns)
    else:
        yield from _lines(file, start, now)


def _unreadable(file: SourceFile, error: BaseException | str) -> Found:
    words = error if isinstance(error, str) else f"the file cannot be read: {first_line(error)}"
    return Found(None, {"file": file.name}, words)


def _parquet(file: SourceFile, columns: Sequence[str]) -> Iterator[Block]:
    place = Place()
    try:
        with pq.ParquetFile(file.path) as source:
            present = [name for name in source.schema_arrow.names if name in columns]
            if not present:
                wanted = ", ".join(columns) or "none, the format is JSON lines"
                words = f"the Parquet file has none of the columns that are read: {wanted}"
                yield Block([_unreadable(file, words)], place, 0)
                return
            for batch in source.iter_batches(batch_size=_BATCH, columns=present):
                rows = batch.to_pylist()
                yield Block([Found(row, row) for row in rows], place, batch.nbytes)
    except UNREADABLE as error:
        yield Block([_unreadable(file, error)], place, 0, again=may_pass(error))


def _lines(file: SourceFile, start: Place, now: dt.datetime) -> Iterator[Block]:
    compressed = file.path.name.lower().endswith(COMPRESSED)
    try:
        with _opened(file, compressed) as stream:
            hashed = _Hash()
            if not compressed and start.offset and _resumes(stream, start, hashed):
                place = Place(start.offset, start.digest, start.carry)
            else:
                stream.seek(0) if not compressed else None
                place, hashed = Place(), _Hash()
            yield from _blocks(file, stream, place, hashed, now)
    except UNREADABLE as error:
        yield Block([_unreadable(file, error)], Place(), 0, again=may_pass(error))


def may_pass(error: BaseException) -> bool:
    """Whether an error is the system's (no permission, no such disk), not the file's content."""
    found = error.__cause__ if isinstance(error, SourceError) else error
    return isinstance(found, OSError) and found.errno is not None


def _opened(file: SourceFile, compressed: bool) -> BinaryIO:
    if compressed:
        return pa.input_stream(str(file.path), compression="detect")
    return file.path.open("rb")


def _resumes(stream: BinaryIO, start: Place, hashed: _Hash) -> bool:
    """Whether the file begins with the bytes that were read before; leaves it after them."""
    left, digest = start.offset, ""
    while left:
        data = stream.read(min(BLOCK, left))
        if not data:
            return False
        digest = hashed.add(data)
        left -= len(data)
    return digest == start.digest


def _blocks(
    file: SourceFile, stream: BinaryIO, place: Place, hashed: _Hash, now: dt.datetime
) -> Iterator[Block]:
    rest, offset, digest, skipping = b"", place.offset, place.digest, False
    while data := stream.read(BLOCK):
        if offset == 0 and not rest and _is_document(data, file):
            data += stream.read(MAX_LINE)
            found = _decoded(data)
            if all(one.problem is None for one in found):
                yield Block(found, Place(len(data), hashed.add(data)), len(data))
                return
        cut = data.rfind(b"\n") + 1
        if not cut:
            rest += data
            if len(rest) > MAX_LINE and not skipping:
                skipping = True
                yield Block([_too_long(rest)], Place(offset, digest), len(rest))
            if skipping:  # what is skipped was told of; only its end matters now
                digest, offset, rest = hashed.add(rest), offset + len(rest), b""
            continue
        whole, rest = rest + data[:cut], data[cut:]
        digest, offset = hashed.add(whole), offset + len(whole)
        lines = whole.split(b"\n")
        if skipping:
            lines, skipping = lines[1:], False
        found = [one for line in lines for one in _decoded(line)]
        yield Block(found, Place(offset, digest), len(whole))
    if rest.strip() and not skipping:
        found = _decoded(rest)
        settled = (now - file.modified).total_seconds() > SETTLED
        if all(one.problem is None for one in found) or settled:
            yield Block(found, Place(offset + len(rest), hashed.add(rest)), len(rest))
        else:
            yield Block([], Place(offset, digest), 0, again=True)


def _is_document(head: bytes, file: SourceFile) -> bool:
    """Whether a file is one JSON text over several lines."""
    first = head.lstrip(b"\xef\xbb\xbf").lstrip()[:64].split(b"\n", 1)[0].strip()
    return first in (b"[", b"{") and file.size <= MAX_LINE


def _too_long(line: bytes) -> Found:
    return Found(None, line[:4096], f"the line is longer than {MAX_LINE >> 20} MB")


def _decoded(line: bytes) -> list[Found]:
    line = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not line:
        return []
    if len(line) > MAX_LINE:
        return [_too_long(line)]
    try:
        value = decode(line, "the line")
    except UnexpectedError as error:
        return [Found(None, line, str(error))]
    if type(value) is dict:
        return [Found(value, line)]
    if isinstance(value, list) and value:
        return [
            Found(item, item) if isinstance(item, dict) else Found(None, line, _NO_OBJECT)
            for item in value
        ]
    return [Found(None, line, _NO_OBJECT)]


_NO_OBJECT = "the line is not a JSON object"
