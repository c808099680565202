"""The audit bundle: complete, the same each time, and checked by a script that needs no project."""

import csv
import datetime as dt
import io
import json
import sqlite3
import subprocess
import sys
import zipfile

import pytest

from feedback_assets.audit.bundle import write_bundle
from feedback_assets.commands.bundle import period
from feedback_assets.errors import AuditError
from feedback_assets.ledger.heads import heads_path, sign_head, signer
from feedback_assets_tests.audit.scenes import at, past


def silent(_: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """The loop with a past, its ledger signed."""
    space = past(tmp_path_factory.mktemp("signed"), False, columns={"protected": ["sex"]})
    sign_head(space.settings, space.name, at(20))
    return space


def unpacked(bundle, folder):
    with zipfile.ZipFile(bundle.path) as archive:
        archive.extractall(folder)
    return folder


def checked(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-I", str(folder / "check.py"), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_holds_everything_of_the_period(signed, tmp_path):
    made = write_bundle(signed, at(4), at(11), tmp_path / "b.zip", silent)
    assert made.problems == ()
    folder = unpacked(made, tmp_path / "out")
    kept = {f"{version}" for version in (1, 3, 4, 5)}
    assert {p.stem.rpartition("-")[2] for p in (folder / "cards").glob("*.md")} == kept
    assert {p.stem.rpartition("-")[2] for p in (folder / "why").glob("*.json")} == {"1", "3", "5"}
    told = list(csv.DictReader(io.StringIO((folder / "records/decisions.csv").read_text("utf-8"))))
    assert made.records == len(told) == 10
    assert {row["version"] for row in told} == {"3", "4", "5"}
    assert (folder / "versions/3/evaluation-against-1.json").is_file()
    assert json.loads((folder / "bias/bias.json").read_text("utf-8"))["reason"]
    contents = json.loads((folder / "contents.json").read_text("utf-8"))
    assert set(contents["files"]) == set(made.entries) - {"contents.json"}


def test_the_same_records_give_the_same_bytes(signed, tmp_path):
    first, second = (
        write_bundle(signed, at(0), at(30), tmp_path / f"{name}.zip", silent) for name in "ab"
    )
    assert first.sha256 == second.sha256
    assert first.path.read_bytes() == second.path.read_bytes()


def test_an_outsider_can_check_it(signed, tmp_path):
    folder = unpacked(
        write_bundle(signed, at(0), at(30), tmp_path / "b.zip", silent), tmp_path / "o"
    )
    key = signer(signed.settings).fingerprint
    told = checked(folder, key)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing is wrong" in told.stdout
    assert key in told.stdout
    assert checked(folder, "0" * 64).returncode == 1


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("cards/version-3.md", b"version 3", b"version 4", "is not the file that was put in"),
        (
            "records/records.jsonl",
            b"outside office hours",
            b"inside office hours",
            "it was changed",
        ),
        ("proofs/proofs.jsonl", b'"root": "', b'"root": "0', "not signed by the key"),
    ],
)
def test_a_changed_bundle_is_found(signed, tmp_path, file, before, after, words):
    folder = unpacked(
        write_bundle(signed, at(0), at(30), tmp_path / "b.zip", silent), tmp_path / "o"
    )
    content = (folder / file).read_bytes()
    assert before in content
    (folder / file).write_bytes(content.replace(before, after))
    told = checked(folder)
    assert told.returncode == 1
    assert words in told.stdout


def test_a_proof_that_leads_elsewhere_is_found(signed, tmp_path):
    folder = unpacked(
        write_bundle(signed, at(0), at(30), tmp_path / "b.zip", silent), tmp_path / "o"
    )
    path = folder / "proofs/proofs.jsonl"
    proofs = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    lines = [json.dumps({**proof, "path": proof["path"][::-1]}) + "\n" for proof in proofs]
    path.write_text("".join(lines), "utf-8")
    assert "record 2: it does not lead to the signed root" in checked(folder).stdout


def test_a_missing_proof_is_found(signed, tmp_path):
    folder = unpacked(
        write_bundle(signed, at(0), at(30), tmp_path / "b.zip", silent), tmp_path / "o"
    )
    path = folder / "proofs/proofs.jsonl"
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[1:]), "utf-8")
    assert "record 1: has no proof" in checked(folder).stdout


def test_growth_since_before_the_period_is_proven(signed, tmp_path):
    made = write_bundle(signed, at(21), at(30), tmp_path / "b.zip", silent)
    assert made.records == 0
    assert "proofs/growth.json" in made.entries


def test_an_unsigned_or_changed_ledger_is_told(tmp_path):
    space = past(tmp_path, False)
    heads_path(space.settings, space.name).unlink()
    made = write_bundle(space, at(0), at(30), tmp_path / "b.zip", silent)
    assert any("have no proof" in problem for problem in made.problems)
    sign_head(space.settings, space.name, at(20))
    with sqlite3.connect(space.settings.ledger / "tiny.db") as con:
        for (name,) in con.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            con.execute(f"DROP TRIGGER {name}")
        con.execute("UPDATE records SET actor = 'person:eve' WHERE seq = 3")
    made = write_bundle(space, at(0), at(30), tmp_path / "c.zip", silent)
    assert any("does not verify" in problem for problem in made.problems)
    readme = zipfile.ZipFile(made.path).read("README.md").decode()
    assert made.problems[0] in readme


def test_a_cell_is_never_a_formula():
    from feedback_assets.audit.bundle import harmless

    assert [harmless(v) for v in ("=1+1", "@x", None, "a=b")] == ["'=1+1", "'@x", "", "a=b"]


def test_a_wrong_period_or_ending_is_an_error(signed, tmp_path):
    with pytest.raises(AuditError, match=r"ending must be \.zip"):
        write_bundle(signed, at(0), at(1), tmp_path / "b.tar", silent)
    with pytest.raises(AuditError, match="before it begins"):
        write_bundle(signed, at(2), at(1), tmp_path / "b.zip", silent)
    with pytest.raises(AuditError, match="say it as in 2013Q2"):
        period(None, None, "2013Q5")
    with pytest.raises(AuditError, match="say the period"):
        period(dt.datetime(2013, 1, 1), None, None)  # noqa: DTZ001
