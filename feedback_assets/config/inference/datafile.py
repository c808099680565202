"""A Parquet, CSV or JSONL file (or a folder of them) as DuckDB sees it, and a sample of its rows."""

import re
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb
import pandas as pd
import pyarrow as pa

from feedback_assets.errors import SourceError

SAMPLE_ROWS = 40_000
ROW = "__row__"
"""Name of the row number that `DataFile.numbered` adds."""

_READERS = {
    ".parquet": "parquet", ".pq": "parquet",
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
_NULLS = ["", "NULL", "null", "NA", "N/A", "n/a", "NaN", "nan", "None", "?", "\\N"]


@dataclass(frozen=True)
class DataFile:
    """What is read, by which reader, and what columns it has (name to DuckDB type)."""

    path: Path
    relation: str
    """SQL for FROM: the rows as they are."""
    numbered: str
    """SQL for FROM: the rows with their number, from 0, in `__row__`."""
    columns: dict[str, str]
    rows: int
    lenient: bool = False
    """Whether rows that cannot be read were skipped."""


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def open_data(con: duckdb.DuckDBPyConnection, path: Path) -> DataFile:
    """Look at a data file without loading it into memory.

    Args:
        con: A connection of `tables.connection`: CSV and JSONL are copied to Parquet in its spill
            folder, once, because they are read many times.
        path: A Parquet, CSV (`.csv.gz`, `.tsv` too) or JSONL file, or a folder that holds some.

    Raises:
        SourceError: Nothing is there, or it cannot be read as what it looks like.
    """
    paths = _paths(path)
    kind = _kind(paths[0])
    failure: Exception | None = None
    for options, lenient in _options(kind, paths[0]):
        try:
            relation, numbered = _relations(con, kind, paths, options)
            columns = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
            counted = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
        except duckdb.Error as error:
            failure = failure or error
            continue
        rows = 0 if counted is None else int(counted[0])
        if rows == 0:
            raise SourceError(f"{path}: has no rows")
        types = {str(row[0]): str(row[1]) for row in columns}
        return DataFile(path, relation, numbered, types, rows, lenient)
    first = str(failure).splitlines()[0]
    raise SourceError(f"{path}: cannot be read as {kind}: {first}") from failure


def sample(
    con: duckdb.DuckDBPyConnection, data: DataFile, extra: dict[str, str], rows: int = SAMPLE_ROWS
) -> pd.DataFrame:
    """Return about `rows` rows, the same ones each time, in the order of the file.

    Args:
        con: The connection.
        data: The file.
        extra: Further columns: name to SQL expression.
        rows: How many; all if the file has fewer.
    """
    every = max(1, data.rows // rows)
    more = "".join(f", {sql} AS {quoted(name)}" for name, sql in extra.items())
    where = f"WHERE hash({ROW}) % {every} = 0" if every > 1 else ""
    return con.execute(
        f"SELECT * EXCLUDE ({ROW}){more} FROM {data.numbered} {where} ORDER BY {ROW}"
    ).df()


def _paths(path: Path) -> list[Path]:
    if not path.exists():
        raise SourceError(f"{path}: there is no such file or folder")
    if path.is_file():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    known = [p for p in found if _ending(p) in _READERS]
    if not known:
        raise SourceError(f"{path}: holds no Parquet, CSV or JSONL file")
    return [p for p in known if _ending(p) == _ending(known[0])]


def _ending(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in (".gz", ".zst")]
    return suffixes[-1] if suffixes else ""


def _kind(path: Path) -> str:
    ending = _ending(path)
    if ending in _READERS:
        return _READERS[ending]
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        return "parquet"
    if head[:1] == b"{":
        return "jsonl"
    raise SourceError(f"{path}: neither .parquet, .csv nor .jsonl; rename it by what it holds")


def _options(kind: str, path: Path) -> list[tuple[str, bool]]:
    """Return what to try one after the other, and whether it skips rows that cannot be read."""
    if kind == "jsonl":
        return [("", False), (", ignore_errors=true", True)]
    if kind != "csv":
        return [("", False)]
    # DuckDB's own guess of the dialect is led astray by one malformed line.
    dialect = f", delim={_literal(_delimiter(path))}, quote='\"', escape='\"', header=true, skip=0"
    plain = f"{dialect}, nullstr=[{', '.join(map(_literal, _NULLS))}], sample_size=100000"
    return [
        (plain, False),
        (f"{plain}, encoding='latin-1'", False),  # old spreadsheets
        (plain.replace("100000", "-1"), False),  # a text after many numbers
        (f"{plain}, ignore_errors=true", True),
    ]


def _delimiter(path: Path) -> str:
    with pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(1 << 16).decode("utf-8-sig", errors="replace")
    first = re.sub(r'"[^"]*"', "", head.splitlines()[0] if head else "")
    return max(",;\t|", key=first.count)


def _relations(
    con: duckdb.DuckDBPyConnection, kind: str, paths: list[Path], options: str
) -> tuple[str, str]:
    if kind != "parquet":
        paths = [_copied(con, kind, paths, options)]
    read = f"read_parquet([{', '.join(_literal(str(p)) for p in paths)}], union_by_name=true"
    if len(paths) > 1:
        return f"{read})", f"(SELECT *, row_number() OVER () - 1 AS {ROW} FROM {read}))"
    renamed = f"* RENAME (file_row_number AS {ROW})"
    return f"{read})", f"(SELECT {renamed} FROM {read}, file_row_number=true))"


def _copied(con: duckdb.DuckDBPyConnection, kind: str, paths: list[Path], options: str) -> Path:
    files = f"[{', '.join(_literal(str(p)) for p in paths)}]"
    reader = "read_csv" if kind == "csv" else "read_json"
    form = ", format='newline_delimited'" if kind == "jsonl" else ""
    relation = f"{reader}({files}, union_by_name=true{form}{options}"
    if kind == "csv":
        # Times stay texts, which `times` reads: DuckDB 2.0 applies a format such as 31.12.2013 to
        # the wrong column when few are selected.
        found = con.execute(f"DESCRIBE SELECT * FROM {relation})").fetchall()
        times = [row[0] for row in found if row[1].startswith(("TIMESTAMP", "DATE", "TIME"))]
        texts = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in times)
        relation += f", types={{{texts}}}" if times else ""
    setting = con.execute("SELECT current_setting('temp_directory')").fetchone() or (".",)
    folder = Path(str(setting[0]))
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{uuid4().hex}.parquet"
    con.execute(f"COPY (SELECT * FROM {relation})) TO {_literal(str(copy))} (FORMAT parquet)")
    return copy


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
