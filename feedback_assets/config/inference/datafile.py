"""A Parquet, CSV or JSONL file (or a folder of them) as DuckDB sees it, and a sample of its rows."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

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


def quoted(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def open_data(con: duckdb.DuckDBPyConnection, path: Path) -> DataFile:
    """Look at a data file without loading it.

    Args:
        con: A connection in UTC.
        path: A Parquet, CSV (`.csv.gz`, `.tsv` too) or JSONL file, or a folder that holds some.

    Raises:
        SourceError: Nothing is there, or it cannot be read as what it looks like.
    """
    paths = _paths(path)
    kind = _kind(paths[0])
    failure: Exception | None = None
    for options in _options(kind):
        try:
            relation, numbered = _relations(
                kind, paths, options + _texts(con, kind, paths, options)
            )
            columns = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
            counted = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
        except duckdb.Error as error:
            failure = failure or error
            continue
        rows = 0 if counted is None else int(counted[0])
        if rows == 0:
            raise SourceError(f"{path}: has no rows")
        return DataFile(path, relation, numbered, {c[0]: c[1] for c in columns}, rows)
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


def _options(kind: str) -> list[str]:
    if kind != "csv":
        return [""]
    nulls = ", ".join(map(_literal, _NULLS))
    plain = f", nullstr=[{nulls}], sample_size=100000"
    # The second try reads the encoding of old spreadsheets, the third takes uneven columns as text.
    return [plain, f"{plain}, encoding='latin-1'", f"{plain}, sample_size=-1"]


def _texts(con: duckdb.DuckDBPyConnection, kind: str, paths: list[Path], options: str) -> str:
    """Keep times in CSV as texts, which `times` reads.

    DuckDB 2.0 applies a format such as 31.12.2013 to the wrong column when few are selected.
    """
    if kind != "csv":
        return ""
    relation, _ = _relations(kind, paths, options)
    found = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    times = [row[0] for row in found if row[1].startswith(("TIMESTAMP", "DATE", "TIME"))]
    texts = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in times)
    return f", types={{{texts}}}" if times else ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _relations(kind: str, paths: list[Path], options: str) -> tuple[str, str]:
    files = f"[{', '.join(_literal(str(p)) for p in paths)}]"
    if kind == "parquet":
        read = f"read_parquet({files}, union_by_name=true"
        if len(paths) == 1:
            renamed = (
                f"(SELECT * RENAME (file_row_number AS {ROW}) FROM {read}, file_row_number=true))"
            )
            return f"{read})", renamed
    else:
        reader = "read_csv" if kind == "csv" else "read_json"
        form = ", format='newline_delimited'" if kind == "jsonl" else ""
        read = f"{reader}({files}, union_by_name=true{form}{options}"
    return f"{read})", f"(SELECT *, row_number() OVER () - 1 AS {ROW} FROM {read}))"
