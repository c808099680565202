"""Proofs and exports, checked by the very lines that docs/ledger.md gives to outsiders."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_assets.errors import LedgerError
from feedback_assets.ledger import merkle
from feedback_assets.ledger.heads import SignedHead
from feedback_assets.ledger.keys import fingerprint
from feedback_assets.ledger.proof import export, prove, prove_growth
from feedback_assets_tests.ledger.books import LOOP, Book, entry

DOCS = Path(__file__).parents[2] / "docs" / "ledger.md"
Check = Callable[[int, object], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    book = Book(tmp_path_factory.mktemp("book")).write(random.Random(1), 11)
    book.extend(random.Random(1), [entry(12, value=1e16), entry(13, reason='"\\\u2028')])
    return book


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Runs one of the two programs of the docs on what is given."""
    programs = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)

    def run(number: int, given: object) -> subprocess.CompletedProcess[str]:
        (tmp_path / "check.py").write_text(programs[number])
        (tmp_path / "given").write_text(given if isinstance(given, str) else json.dumps(given))
        return subprocess.run(
            [sys.executable, "-I", "check.py", "given"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def test_an_outsider_can_check_every_record(book: Book, check: Check) -> None:
    head = SignedHead.parse(book.heads()[-1])
    for seq in (1, 2, 8, 11, 12, 13):
        told = check(0, prove(book.settings, LOOP, seq))
        assert told.returncode == 0, told.stderr
        assert f"record {seq} of 13" in told.stdout
        assert fingerprint(head.key) in told.stdout


def test_an_outsider_sees_what_was_changed(book: Book, check: Check) -> None:
    proof = prove(book.settings, LOOP, 5)
    other = prove(book.settings, LOOP, 6)
    for change in (
        {"record": {**proof["record"], "actor": "person:bert"}},
        {"record": other["record"]},
        {"path": proof["path"][:-1]},
        {"path": [*proof["path"][:-1], "0" * 64]},
        {"head": {**proof["head"], "root": "0" * 64}},
        {"head": {**proof["head"], "size": 12}},
    ):
        assert check(0, {**proof, **change}).returncode == 1


def test_an_outsider_can_check_an_export(book: Book, check: Check, tmp_path: Path) -> None:
    head = export(book.settings, LOOP, tmp_path / "export.jsonl")
    assert head.size == 13
    lines = (tmp_path / "export.jsonl").read_text("utf-8").split("\n")[:-1]
    assert len(lines) == 14
    told = check(1, "\n".join(lines))
    assert told.returncode == 0, told.stderr
    assert "13 records" in told.stdout
    changed = [line.replace("person:anna", "person:bert") for line in lines]
    for broken in (
        [*lines[:4], changed[4], *lines[5:]], [*lines[:4], *lines[5:]], lines[:12] + lines[13:],
        [lines[1], lines[0], *lines[2:]],
    ):  # fmt: skip
        assert check(1, "\n".join(broken)).returncode == 1


def test_growth_is_proven_since_each_kept_head(book: Book) -> None:
    for line in book.heads():
        old = SignedHead.parse(line)
        proof = prove_growth(book.settings, LOOP, old)
        path = [bytes.fromhex(step) for step in proof["path"]]
        roots = bytes.fromhex(old.root), bytes.fromhex(proof["head"]["root"])
        assert merkle.check_consistency(old.size, 13, path, *roots)


def test_what_is_not_signed_cannot_be_proven(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.ledger.append([entry(1)])
    with pytest.raises(LedgerError, match="no record of its ledger is signed"):
        prove(book.settings, LOOP, 1)
    book.sign()
    book.ledger.append([entry(2)])
    with pytest.raises(LedgerError, match="record 2 is not signed yet, only 1 are"):
        prove(book.settings, LOOP, 2)
    with pytest.raises(LedgerError, match="no record 3; the newest is 2"):
        prove(book.settings, LOOP, 3)
    assert export(book.settings, LOOP, tmp_path / "x.jsonl").size == 1
    with pytest.raises(LedgerError, match="cannot be written"):
        export(book.settings, LOOP, tmp_path / "nowhere" / "x.jsonl")
