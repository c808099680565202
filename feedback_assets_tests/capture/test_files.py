import os
from pathlib import Path

import pytest

from feedback_assets.capture.files import FileSource, SourceFile, format_of
from feedback_assets.config.source import FileSource as Source
from feedback_assets.settings import Settings


def names(home: Path, path: str, form: str = "auto") -> list[str]:
    config = Source(path=path, format=form)
    return [file.name for file in FileSource(config, Settings(home=home)).list()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (
        "in/b.parquet", "in/a.csv", "in/deep/c.jsonl", "in/.d.parquet", "in/e.parquet.tmp",
        "in/_SUCCESS", "in/_temporary/f.parquet", "in/.staging/g.csv", "in/notes.md",
        "in/h.csv.gz", "in/i.PARQUET", "in/j.csv.part", "in/k",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_a_folder_gives_its_finished_files_in_order(home):
    assert names(home, "{home}/in") == [
        "a.csv", "b.parquet", "deep/c.jsonl", "h.csv.gz", "i.PARQUET",
    ]  # fmt: skip


def test_a_glob_gives_what_it_matches(home):
    assert names(home, "{home}/in/*.csv*") == ["a.csv", "h.csv.gz"]
    assert names(home, "{home}/in/**/*.jsonl") == ["deep/c.jsonl"]


def test_one_file_is_a_source_too(home):
    assert names(home, "{home}/in/b.parquet") == ["b.parquet"]


def test_a_said_format_takes_any_ending(home):
    assert names(home, "{home}/in/k", "csv") == ["k"]
    assert "notes.md" in names(home, "{home}/in", "jsonl")


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path):
    assert names(tmp_path, "{home}/nowhere") == []
    assert names(tmp_path, "{home}/nowhere/*.csv") == []


def test_relative_paths_start_at_the_project(home, monkeypatch):
    monkeypatch.chdir("/")
    settings = Settings(home=home / "var", configs=home / "configs")
    found = FileSource(Source(path="in/*.parquet"), settings).list()
    assert [file.name for file in found] == ["b.parquet"]


def test_the_fingerprint_tells_rewriting_but_not_moving(home):
    source = FileSource(Source(path="{home}/in/a.csv"), Settings(home=home))
    before = source.list()[0]
    again = source.list()[0]
    os.utime(before.path, ns=(1, 1))
    touched = source.list()[0]
    moved = SourceFile(before.name, Path("/elsewhere/a.csv"), before.size, before.mtime_ns, "csv")

    assert before.fingerprint == again.fingerprint == moved.fingerprint
    assert touched.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.json", "jsonl"), ("a.ndjson.gz", "jsonl"), ("a.b.pq", "parquet"), ("a.tsv", "csv"),
     ("a.gz", None), ("a", None)],
)  # fmt: skip
def test_formats_by_ending(name, expected):
    assert format_of(Path(name)) == expected


@pytest.mark.parametrize(
    ("name", "grain", "expected"),
    [
        ("2013-02-06.csv", "daily", "2013-02-06"),
        ("log-2013-02-06T14.csv", "hourly", "2013-02-06T14"),
        ("2013-02-06.csv", "weekly", "2013-02-04"),
        ("2013-02-31.csv", "daily", "1970-01-01"),
        ("log.csv", "daily", "1970-01-01"),
        ("12013-02-061.csv", "daily", "1970-01-01"),
    ],
)
def test_a_file_without_times_belongs_to_its_names_date_or_its_last_change(name, grain, expected):
    assert SourceFile(name, Path(name), 1, 5, "csv").fallback_partition(grain) == expected
