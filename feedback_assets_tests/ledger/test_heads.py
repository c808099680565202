"""Signed heads: one for each state, in order, refused for a ledger that was set back."""

import base64
import multiprocessing
import os
import random
import resource
import signal
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.heads import (
    SignedHead,
    heads_path,
    last_head,
    sign_head,
    signer,
    signer_path,
)
from feedback_assets.ledger.verify import verify
from feedback_assets.ledger.witnesses import git_lines
from feedback_assets.settings import Settings
from feedback_assets_tests.ledger.books import LOOP, START, Book, entry

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_a_state_is_signed_once(book: Book) -> None:
    assert sign_head(book.settings, LOOP, START).head is None, "nothing is there to sign"
    book.ledger.append([entry(1), entry(2)])
    head = sign_head(book.settings, LOOP, START).head
    assert head is not None
    assert head.genuine
    assert (head.size, head.hash) == book.ledger.head()
    assert head.root == book.ledger.root(2).hex()
    assert sign_head(book.settings, LOOP, START).head == head
    book.ledger.append([entry(3)])
    book.sign()
    assert len(book.heads()) == 2
    assert (book.folder / "witness.jsonl").read_text() == "".join(book.heads())
    assert book.heads()[0] == head.text() + "\n"


def test_the_key_is_the_ledgers_alone(book: Book) -> None:
    key = signer(book.settings)
    assert stat.S_IMODE(signer_path(book.settings).stat().st_mode) == 0o600
    assert signer(book.settings).public == key.public
    signer_path(book.settings).chmod(0o644)
    with pytest.raises(LedgerError, match="chmod 600"):
        signer(book.settings)


def test_a_head_says_only_what_was_signed(book: Book) -> None:
    book.ledger.append([entry(1)])
    head = sign_head(book.settings, LOOP, START).head
    assert head is not None
    assert SignedHead.parse(f"2026-01-01 INFO ledger: {head.text()} and more") == head
    for change in (
        {"size": 2}, {"root": "0" * 64}, {"hash": "0" * 64}, {"loop": "other"},
        {"time": START.replace(year=2025)}, {"key": bytes(32)}, {"signature": bytes(64)},
    ):  # fmt: skip
        assert not replace(head, **change).genuine
    text = head.text()
    for broken in (
        "", "{}", text[:-9], text.replace("ledger head", "other"), text.replace('"size":1', '"size":"1"'),
        text.replace('"size":1', '"size":true'), text.replace(head.root, "z"),
        text.replace(base64.b64encode(head.key).decode(), "QUJD"), "[" * 100_000,
    ):  # fmt: skip
        with pytest.raises(LedgerError, match="no signed head"):
            SignedHead.parse(broken)


@pytest.mark.parametrize("what", ["cut", "another"])
def test_a_ledger_that_is_no_continuation_is_not_signed(book: Book, what: str) -> None:
    book.write(random.Random(1), 6)
    rows, before = book.rows(), book.heads()
    book.rewrite(rows[:4] if what == "cut" else [*rows[:3], rows[4], rows[3], rows[5]])
    said = "4 records, but 6 were signed" if what == "cut" else "first 6 records are not those"
    with pytest.raises(LedgerError, match=said):
        sign_head(book.settings, LOOP, START)
    if what == "another":
        book.ledger.append([entry(99)])
        with pytest.raises(LedgerError, match=said):
            sign_head(book.settings, LOOP, START)
    assert book.heads() == before


def test_a_torn_line_is_cut_off(book: Book) -> None:
    book.write(random.Random(1), 3)
    whole = book.heads()
    with heads_path(book.settings, LOOP).open("a") as file:
        file.write(whole[-1][:50])
    witness = book.folder / "witness.jsonl"
    witness.write_text(witness.read_text() + whole[-1][:50])
    assert last_head(book.settings, LOOP) == SignedHead.parse(whole[-1])
    book.ledger.append([entry(9)])
    book.sign()
    assert book.heads()[:-1] == whole
    finding = verify(book.settings, LOOP)
    assert finding.good, "a crash is no tampering"
    assert any("no signed head" in note for note in finding.notes), "but it is told"


def test_a_witness_that_fails_stops_nothing_and_catches_up(book: Book) -> None:
    book.settings = Settings(
        home=book.settings.home, configs=book.settings.configs,
        witness=book.folder / "not" / "there", witness_git=book.folder / "no-repository",
    )  # fmt: skip
    (book.folder / "not").write_text("a file, no folder")
    book.ledger.append([entry(1)])
    signed = sign_head(book.settings, LOOP, START)
    assert signed.head is not None
    assert len(signed.problems) == 2
    assert str(book.folder / "not") in signed.problems[0]
    (book.folder / "not").unlink()
    assert len(sign_head(book.settings, LOOP, START).problems) == 1
    assert (book.folder / "not" / "there").read_text() == signed.head.text() + "\n"


def test_git_keeps_every_head_in_its_history(book: Book) -> None:
    repository = book.folder / "repository"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    (repository / "other.txt").write_text("not ours to commit")
    subprocess.run(["git", "-C", str(repository), "add", "."], check=True)
    book.settings = book.settings.model_copy(update={"witness": None, "witness_git": repository})
    assert verify(book.settings, LOOP).good
    book.write(random.Random(2), 7)
    assert [line + "\n" for line in git_lines(repository, LOOP)] == book.heads()
    assert verify(book.settings, LOOP).copies[1].newest == 7
    log = subprocess.run(
        ["git", "-C", str(repository), "log", "--format=%s", "--name-only"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "flights: 7 records" in log
    assert "other.txt" not in log
    # The writer empties the file and commits that: the history still has what was signed.
    (repository / "heads" / "flights.jsonl").write_text("")
    subprocess.run(
        ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@x", "commit",
         "-qam", "nothing to see"], check=True,
    )  # fmt: skip
    book.anew([entry(n, reason="besser") for n in range(1, 8)], random.Random(1), keep_key=True)
    book.settings = book.settings.model_copy(update={"witness": None, "witness_git": repository})
    finding = verify(book.settings, LOOP)
    assert {problem.kind for problem in finding.problems} == {"rewritten"}


def test_processes_sign_one_after_the_other(book: Book) -> None:
    workers = [FORK.Process(target=append_and_sign, args=(book, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    sizes = [SignedHead.parse(line).size for line in book.heads()]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 20
    assert verify(book.settings, LOOP).good


def append_and_sign(book: Book, worker: int) -> None:
    for number in range(5):
        book.ledger.append([entry(number, f"{worker}-{number}")])
        assert sign_head(book.settings, LOOP, START).head is not None


def test_a_full_disk_leaves_the_record_unsigned_until_later(book: Book) -> None:
    book.write(random.Random(1), 20)
    book.settings = book.settings.model_copy(update={"witness": None})
    book.ledger.append([entry(21)])
    worker = FORK.Process(target=sign_with_little_space, args=(book,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 7, "a LedgerError"
    finding = verify(book.settings, LOOP)
    assert finding.good
    assert finding.notes[0].startswith("records 21 to 21 are not signed yet")
    book.sign()
    assert not verify(book.settings, LOOP).notes


def sign_with_little_space(book: Book) -> None:
    size = heads_path(book.settings, LOOP).stat().st_size + 100
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        sign_head(book.settings, LOOP, START)
    except LedgerError:
        os._exit(7)


def test_a_home_that_cannot_be_written_is_told(book: Book) -> None:
    book.settings.home.mkdir()
    book.settings.ledger.write_text("a file, no folder")
    with pytest.raises(LedgerError, match="cannot be locked"):
        sign_head(book.settings, LOOP, START)
