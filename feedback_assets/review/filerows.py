"""CSV and JSONL as rows of texts, read and written whole."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from feedback_assets.capture.inbox.schema import sync_folder
from feedback_assets.errors import ReviewError

ENDINGS = (".csv", ".jsonl")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
LINE = "line"
"""Where a row stood in its file."""
BROKEN = "content"
"""A line that is no row at all."""

Row = dict[str, Any]


def ending_of(path: Path) -> str:
    """The ending of a file's name.

    Raises:
        ReviewError: It is neither .csv nor .jsonl.
    """
    if path.suffix not in ENDINGS:
        raise ReviewError(f"{path}: the ending must be one of {', '.join(ENDINGS)}")
    return path.suffix


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, each with its `line`; one that cannot be read has only its `content`.

    Raises:
        ReviewError: The file as a whole cannot be read.
    """
    read = _csv_rows if ending_of(path) == ".csv" else _jsonl_rows
    try:
        return list(read(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise ReviewError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ReviewError(f"{path} is not UTF-8; save it as UTF-8 and try again") from error
    except csv.Error as error:
        raise ReviewError(f"{path} is no CSV: {error}") from error


def write_csv(
    path: Path, names: Sequence[str], rows: Iterable[Mapping[str, Any]], safe: bool = False
) -> None:
    """Write rows as CSV, whole or not at all.

    Args:
        path: Where.
        names: The columns, in order.
        rows: Their values.
        safe: Whether a text that a spreadsheet would run begins with a quotation mark instead.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: _cell(value, safe) for name, value in row.items()} for row in rows)
    _write(path, buffer.getvalue())


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as one JSON object a line, whole or not at all."""
    _write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _csv_rows(text: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    header = text.partition("\n")[0]
    # As spreadsheets write it where the comma stands in numbers.
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names = next(reader, [])
    if len(set(names)) < len(names):
        raise csv.Error(f"columns with one name: {', '.join(names)}")
    for cells in reader:
        if not any(cells):
            continue
        if len(cells) > len(names):
            yield {LINE: reader.line_num, BROKEN: json.dumps(cells, ensure_ascii=False)}
        else:
            yield {**dict(zip(names, cells, strict=False)), LINE: reader.line_num}


def _jsonl_rows(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        yield {**row, LINE: number} if isinstance(row, dict) else {LINE: number, BROKEN: line}


def _cell(value: Any, safe: bool) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if safe and isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def _write(path: Path, text: str) -> None:
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hidden.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise ReviewError(f"{path} cannot be written: {error.strerror}") from error
