"""Files as relations of their declared columns, with everything that could not be read.

Parquet is read by DuckDB, many files at a time. CSV and JSON lines are cut into rows by Arrow,
one file at a time: unlike DuckDB's own reader it gives every malformed row back, with its
number (DuckDB 2.0 drops a last row with an open quote without a word).
"""

import csv
import glob
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from feedback_assets.capture.files import SourceFile
from feedback_assets.errors import SourceError
from feedback_assets.sqltext import ident, literal, literals

STREAM = "source_stream"
"""The name under which an opened text file is registered with DuckDB."""
FILE, ROW, BROKEN, LINE = '"#file"', '"#row"', '"#broken"', '"#line"'
"""Columns of every opened relation, named as no source names its own."""
_NO_LINE = f"CAST(NULL AS VARCHAR) AS {BROKEN}, CAST(NULL AS VARCHAR) AS {LINE}"

_TEXTS_KEPT = 10_000
_MALFORMED = "the line is malformed: {} values where {} are needed"
_NOT_UTF8 = "the line is not UTF-8"


@dataclass(frozen=True)
class Reject:
    """A row that could not be cut into values."""

    row: int
    reason: str
    text: str | None


@dataclass
class Opened:
    """Some files as one relation: FILE, ROW (from 1), BROKEN, LINE and the declared columns."""

    files: tuple[SourceFile, ...]
    sql: str
    """SQL of the relation; its columns of the source are named as there."""
    columns: dict[str, str]
    """The declared columns that are there, with their DuckDB types."""
    has: tuple[str, ...] | None = None
    """Every column of the file, where that is known before reading."""
    stream: pa.RecordBatchReader | None = None
    """To be registered as STREAM while `sql` runs."""
    rejects: list[Reject] = field(default_factory=list)
    """Filled while `sql` runs."""


def open_file(con: duckdb.DuckDBPyConnection, file: SourceFile, wanted: Sequence[str]) -> Opened:
    """Return one file of any format as a relation.

    Raises:
        SourceError: if the file as a whole cannot be read.
    """
    if file.format != "parquet":
        return open_text(file, wanted)
    opened, failures = open_parquet(con, [file], wanted)
    if failures:
        raise SourceError(failures[file])
    return opened[0]


def open_parquet(
    con: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], wanted: Sequence[str]
) -> tuple[list[Opened], dict[SourceFile, str]]:
    """Return relations of Parquet files, one for all files whose declared columns are alike.

    Returns:
        The relations, and the files that cannot be read with the reason.
    """
    alike: dict[tuple[str, ...], list[SourceFile]] = {}
    names: dict[SourceFile, tuple[str, ...]] = {}
    failures: dict[SourceFile, str] = {}
    for file in files:
        try:
            shape = parquet_schema(file)
        except SourceError as error:
            failures[file] = str(error)
            continue
        names[file] = tuple(shape.names)
        present = [name for name in wanted if name in shape.names]
        types = [f"{name}\0{shape.field(name).type}" for name in present]
        missing = () if len(present) == len(wanted) else ("\0".join(shape.names),)
        alike.setdefault((*types, *missing), []).append(file)
    opened: list[Opened] = []
    for group in alike.values():
        try:
            opened.append(_parquet_group(con, group, wanted, names[group[0]]))
        except SourceError as error:
            failures.update(dict.fromkeys(group, str(error)))
    return opened, failures


def parquet_schema(file: SourceFile) -> pa.Schema:
    """Return the Arrow schema in a Parquet file's footer.

    Raises:
        SourceError: if there is none that can be read.
    """
    try:
        shape = pa.parquet.read_schema(file.path)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"the file cannot be read: {first_line(error)}") from error
    twice = sorted({name for name in shape.names if shape.names.count(name) > 1})
    if twice:
        raise SourceError(f"the file has two columns named {', '.join(twice)}")
    return shape


def _parquet_group(
    con: duckdb.DuckDBPyConnection,
    group: list[SourceFile],
    wanted: Sequence[str],
    names: tuple[str, ...],
) -> Opened:
    paths = literals(glob.escape(str(file.path)) for file in group)
    scan = (
        f"read_parquet([{paths}], filename = true, file_row_number = true, "
        "hive_partitioning = false)"
    )
    present = [name for name in wanted if name in names]
    # Imported logs say themselves which of their records were refused, and why.
    judged = f"{BROKEN}, {LINE}" if {BROKEN, LINE} <= {ident(name) for name in names} else _NO_LINE
    try:
        rows = con.execute(f"DESCRIBE SELECT {_columns(present)} FROM {scan}").fetchall()
    except duckdb.Error as error:
        raise SourceError(f"the file cannot be read: {first_line(error)}") from error
    base = len(str(group[0].path)) - len(group[0].name)
    sql = (
        f"SELECT substr(filename, {base + 1}) AS {FILE}, file_row_number + 1 AS {ROW}, "
        f"{judged}, {_columns(present)} FROM {scan}"
    )
    types = {str(row[0]): str(row[1]) for row in rows} if present else {}
    return Opened(tuple(group), sql, types, names)


def _columns(names: Sequence[str]) -> str:
    return ", ".join(ident(name) for name in names) or "1 AS one"


def open_text(file: SourceFile, wanted: Sequence[str]) -> Opened:
    """Return one CSV or JSON lines file as a relation of texts.

    Raises:
        SourceError: if the file as a whole cannot be read.
    """
    try:
        return _open_csv(file, wanted) if file.format == "csv" else _open_json(file, wanted)
    except (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error) as error:
        raise SourceError(f"the file cannot be read: {first_line(error)}") from error


def _open_csv(file: SourceFile, wanted: Sequence[str]) -> Opened:
    names, delimiter = _csv_header(file, wanted)
    if not names:  # nothing, or a header that no line follows
        return Opened((file,), _nothing(wanted), dict.fromkeys(wanted, "VARCHAR"))
    twice = sorted({name for name in wanted if names.count(name) > 1})
    if twice:
        raise SourceError(f"the file has two columns named {', '.join(twice)}")
    # Arrow looks columns up by name; those that nobody reads may be called anything.
    present = [name for name in wanted if name in names]
    rejects: list[Reject] = []
    lines = _Lines(file, [f"{i}" for i in range(len(names))], delimiter, 1, rejects)
    stream = lines.reader([f"{names.index(name)}" for name in present], present)
    sql = (
        f"SELECT {literal(file.name)} AS {FILE}, {ROW}, {_NO_LINE}, "
        f"{_columns(present)} FROM {STREAM}"
    )
    types = dict.fromkeys(present, "VARCHAR")
    return Opened((file,), sql, types, tuple(names), stream, rejects)


def _csv_header(file: SourceFile, wanted: Sequence[str]) -> tuple[list[str], str]:
    """Return the header's names and the delimiter that shows most of the wanted columns.

    No names where nothing follows the first line.
    """
    head = _head(file).decode("utf-8-sig", errors="replace")
    first = io.StringIO(head, newline="").readline()
    best: tuple[list[str], str] = ([], ",")
    if not first.endswith(("\n", "\r")) and len(first) == len(head):
        return best
    score = (-1, -1)
    for delimiter in (",", ";", "\t", "|"):
        names = next(csv.reader([first], delimiter=delimiter), [])
        found = (len(set(names) & set(wanted)), len(names))
        if found > score:
            best, score = (names, delimiter), found
    return best


def _open_json(file: SourceFile, wanted: Sequence[str]) -> Opened:
    rejects: list[Reject] = []
    types = dict.fromkeys(wanted, "VARCHAR")
    shape = literal(json.dumps(types))
    head = _head(file).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return Opened((file,), _nothing(wanted), types)
    if head.startswith(b"["):
        path = literal(str(file.path))
        lines = (
            f"SELECT CAST(json AS VARCHAR) AS {LINE}, row_number() OVER () AS {ROW} "
            f"FROM read_json_objects({path}, format = 'array')"
        )
        stream = None
    else:
        stream = _Lines(file, ["line"], None, 0, rejects).reader(["line"], ["#line"])
        lines = f"SELECT {LINE}, {ROW} FROM {STREAM} WHERE trim({LINE}) <> ''"
    good = f"json_valid({LINE}) AND TRY(json_type({LINE})) = 'OBJECT'"
    values = ", ".join(f"j.{ident(name)} AS {ident(name)}" for name in wanted)
    sql = (
        f"SELECT {literal(file.name)} AS {FILE}, {ROW}, "
        f"CASE WHEN j IS NULL THEN 'the line is not a JSON object' END AS {BROKEN}, {LINE}, "
        f"{values} FROM (SELECT {LINE}, {ROW}, CASE WHEN {good} "
        f"THEN json_transform({LINE}, {shape}) END AS j FROM ({lines}))"
    )
    return Opened((file,), sql, types, None, stream, rejects)


def _head(file: SourceFile) -> bytes:
    with pa.input_stream(str(file.path), compression="detect") as stream:
        return bytes(stream.read(1 << 16))


def _nothing(wanted: Sequence[str]) -> str:
    columns = ", ".join(f"CAST(NULL AS VARCHAR) AS {ident(name)}" for name in wanted)
    return (
        f"SELECT CAST(NULL AS VARCHAR) AS {FILE}, CAST(NULL AS BIGINT) AS {ROW}, "
        f"{_NO_LINE}, {columns} WHERE FALSE"
    )


class _Lines:
    """Rows of a text file, streamed; malformed ones go to `rejects` with their number."""

    def __init__(
        self,
        file: SourceFile,
        names: list[str],
        delimiter: str | None,
        header: int,
        rejects: list[Reject],
    ) -> None:
        self.file = file
        self.names = names
        self.delimiter = delimiter
        self.header = header
        self.rejects = rejects
        self.skipped: list[int] = []

    def reader(self, columns: list[str], renamed: list[str]) -> pa.RecordBatchReader:
        """Return the stream of the chosen columns and ROW (the header is row 1)."""
        shape = pa.schema([*((name, pa.string()) for name in renamed), ("#row", pa.int64())])
        return pa.RecordBatchReader.from_batches(shape, self._batches(columns, shape))

    def _batches(self, columns: list[str], shape: pa.Schema) -> Iterator[pa.RecordBatch]:
        seen = 0
        for batch in self._cut(columns):
            rows = self._numbers(seen, len(batch))
            seen += len(batch)
            arrays = [batch.column(name) for name in columns]
            try:
                texts = [array.cast(pa.string()) for array in arrays]
            except pa.ArrowInvalid:
                keep = self._readable(arrays, rows)
                texts = [array.filter(keep).cast(pa.string()) for array in arrays]
                rows = rows[keep.to_numpy(zero_copy_only=False)]
            yield pa.record_batch([*texts, pa.array(rows)], schema=shape)

    def _cut(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        quoted = self.delimiter is not None
        if self.file.size == 0:
            return
        reader = pa.csv.open_csv(
            self.file.path,
            read_options=pa.csv.ReadOptions(
                use_threads=False,
                column_names=self.names,
                skip_rows_after_names=self.header,
                block_size=1 << 24,
            ),
            parse_options=pa.csv.ParseOptions(
                # A raw control character is no JSON, so this one never cuts a good line.
                delimiter=self.delimiter or "\x1f",
                quote_char='"' if quoted else False,
                double_quote=quoted,
                newlines_in_values=quoted,
                ignore_empty_lines=quoted,
                invalid_row_handler=self._refuse,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.binary()),
                include_columns=columns,
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        with reader:
            yield from reader

    def _refuse(self, row: pa.csv.InvalidRow) -> str:
        self.skipped.append(row.number)
        self._reject(
            row.number, _MALFORMED.format(row.actual_columns, row.expected_columns), row.text
        )
        return "skip"

    def _reject(self, number: int, reason: str, text: str | None) -> None:
        kept = text[:500] if text is not None and len(self.rejects) < _TEXTS_KEPT else None
        self.rejects.append(Reject(number, reason, kept))

    def _numbers(self, seen: int, count: int) -> np.ndarray:
        """Return the row numbers of the next `count` good rows, counting the refused ones in."""
        good = np.arange(seen, seen + count, dtype=np.int64)
        before = (
            np.array(self.skipped, dtype=np.int64) - 1 - self.header - np.arange(len(self.skipped))
        )
        return good + 1 + self.header + np.searchsorted(before, good, side="right")

    def _readable(self, arrays: list[pa.Array], rows: np.ndarray) -> pa.Array:
        keep = np.ones(len(rows), dtype=bool)
        for array in arrays:
            for i, value in enumerate(array.to_pylist()):
                keep[i] &= value is None or _is_utf8(value)
        for i in np.flatnonzero(~keep).tolist():
            row = b",".join(array[i].as_py() or b"" for array in arrays)
            self._reject(int(rows[i]), _NOT_UTF8, row.decode("utf-8", errors="replace"))
        return pa.array(keep)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, at most 200 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
