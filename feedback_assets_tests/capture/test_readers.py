import gzip
import json

import pytest

from feedback_assets.capture.files import SourceFile, format_of
from feedback_assets.capture.readers import (
    BROKEN,
    ROW,
    STREAM,
    open_parquet,
    open_text,
    parquet_schema,
)
from feedback_assets.errors import SourceError
from feedback_assets.sqltext import idents

WANTED = ["id", "name"]


def source(path) -> SourceFile:
    stat = path.stat()
    return SourceFile(path.name, path, stat.st_size, stat.st_mtime_ns, format_of(path))


def read(con, path, wanted=WANTED):
    """Return (row, id, name, broken) of every row, and the rejects as (row, reason, text)."""
    opened = open_text(source(path), wanted)
    if opened.stream is not None:
        con.register(STREAM, opened.stream)
    rows = con.execute(
        f"SELECT {ROW}, {idents(wanted)}, {BROKEN} FROM ({opened.sql}) ORDER BY 1"
    ).fetchall()
    return rows, [(r.row, r.reason, r.text) for r in opened.rejects]


def test_malformed_csv_rows_are_given_back_with_their_numbers(con, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,name\n1,a\n2\n3,"b\nb"\n4,c,d\n\n5,"q""q"\n')

    rows, rejects = read(con, path)

    assert rows == [(2, "1", "a", None), (4, "3", "b\nb", None), (6, "5", 'q"q', None)]
    assert rejects == [
        (3, "the line is malformed: 1 values where 2 are needed", "2"),
        (5, "the line is malformed: 3 values where 2 are needed", "4,c,d"),
    ]


def test_a_quote_that_never_closes_loses_no_row(con, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,name\n1,a\n2,"open\n')

    rows, rejects = read(con, path)

    assert [row[1] for row in rows] == ["1", "2"]
    assert rejects == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_shows_the_columns(con, tmp_path, delimiter):
    path = tmp_path / "a.csv"
    path.write_text(delimiter.join(["name", "x,y;z", "id"]) + "\n" if delimiter == "\t" else
                    delimiter.join(["name", "x", "id"]) + "\n")  # fmt: skip
    with path.open("a") as file:
        file.write(delimiter.join(["a", "b", "1"]) + "\n")

    assert read(con, path)[0] == [(2, "1", "a", None)]


def test_csv_byte_order_mark_compression_and_windows_line_ends(con, tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfid,name\r\n1,a\r\n2,\r\n"))

    assert read(con, path)[0] == [(2, "1", "a", None), (3, "2", None, None)]


def test_bytes_that_are_no_text_refuse_their_row_only(con, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,name\n1,a\n2,caf\xe9\n3,caf\xc3\xa9\n")

    rows, rejects = read(con, path)

    assert [row[:3] for row in rows] == [(2, "1", "a"), (4, "3", "café")]
    assert rejects == [(3, "the line is not UTF-8", "2,caf\ufffd")]


@pytest.mark.parametrize("content", [b"", b"id,name\n", b"id,name", b"\n"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_csv_without_rows_is_empty_not_wrong(con, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    wanted = WANTED if b"id" in content else []

    assert read(con, path, wanted or WANTED) == ([], [])


def test_a_column_named_twice_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,name,id\n1,a,2\n")
    with pytest.raises(SourceError, match="two columns named id"):
        open_text(source(path), WANTED)


def test_a_broken_archive_is_a_source_error(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"this is not gzip")
    with pytest.raises(SourceError, match="cannot be read"):
        open_text(source(path), WANTED)


def test_json_lines_good_and_bad(con, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"id": 1, "name": "a", "other": [1]}\n\nnonsense\n[1]\n{"name": {"x": 1}, "id": "2"}\r\n'
        b'{"id": 3.5, "name": null}\n{"id": 4, "name": "caf\xe9"}\n{"id": 5, "name": tru'
    )

    rows, rejects = read(con, path)

    no = "the line is not a JSON object"
    assert rows == [
        (1, "1", "a", None),
        (3, None, None, no),
        (4, None, None, no),
        (5, "2", '{"x":1}', None),
        (6, "3.5", None, None),
        (8, None, None, no),
    ]
    assert rejects == [(7, "the line is not UTF-8", '{"id": 4, "name": "caf\ufffd"}')]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_is_read_too(con, tmp_path, indent):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"id": 1, "name": "a"}, {"id": 2}, 3], indent=indent))

    rows, _ = read(con, path)

    assert rows[:2] == [(1, "1", "a", None), (2, "2", None, None)]
    assert rows[2][3] == "the line is not a JSON object"


def test_an_empty_json_file_is_empty(con, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("\n")
    assert read(con, path) == ([], [])


def test_parquet_files_that_are_alike_are_read_together(con, tmp_path):
    for name, query in {
        "a.parquet": "SELECT 1 AS id, 'x' AS name, 1 AS more",
        "b[1]*.parquet": "SELECT 2 AS id, 'y' AS name",
        "c.parquet": "SELECT 'three' AS id, 'z' AS name",
        "d.parquet": "SELECT 4 AS id",
    }.items():
        con.execute(f"COPY ({query}) TO '{tmp_path / name}' (FORMAT parquet)")
    (tmp_path / "e.parquet").write_bytes(b"PAR1broken")
    files = sorted(source(path) for path in tmp_path.glob("*.parquet"))

    opened, failures = open_parquet(con, files, WANTED)

    assert [[file.name for file in group.files] for group in opened] == [
        ["a.parquet", "b[1]*.parquet"], ["c.parquet"], ["d.parquet"],
    ]  # fmt: skip
    rows = con.execute(f'SELECT "#file", {ROW}, id, name FROM ({opened[0].sql}) ORDER BY id')
    assert rows.fetchall() == [("a.parquet", 1, 1, "x"), ("b[1]*.parquet", 1, 2, "y")]
    assert [file.name for file in failures] == ["e.parquet"]
    assert opened[2].has == ("id",)


def test_a_footer_that_cannot_be_read_says_so(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="cannot be read"):
        parquet_schema(source(path))
