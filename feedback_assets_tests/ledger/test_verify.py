"""Verification: what it reads besides the records, and what is no wrong."""

import base64
import multiprocessing
import random
from pathlib import Path
from typing import Any

import pytest

from feedback_assets.ledger.copies import Witness
from feedback_assets.ledger.finding import Notebook, ProblemKind
from feedback_assets.ledger.heads import SignedHead, sign_head, signer, signer_path
from feedback_assets.ledger.keys import new_private, sign_statement
from feedback_assets.ledger.records import Entry
from feedback_assets.ledger.registry import Approver, register, revoke
from feedback_assets.ledger.verify import verify
from feedback_assets_tests.ledger.books import LOOP, START, Book, altered, entry

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path).write(random.Random(1), 5)


def kinds(book: Book, **options: Any) -> set[ProblemKind]:
    return {problem.kind for problem in verify(book.settings, LOOP, **options).problems}


def test_a_good_ledger_is_told_with_its_copies(book: Book) -> None:
    told: list[int] = []
    finding = verify(book.settings, LOOP, tell=told.append)
    assert finding.good
    assert (finding.size, finding.hash) == book.ledger.head()
    assert finding.root == book.ledger.root(5).hex()
    own, witness = finding.copies
    assert (own.heads, own.newest) == (witness.heads, witness.newest) == (len(book.heads()), 5)
    assert not finding.notes


def test_a_crash_before_the_head_is_a_note(book: Book) -> None:
    book.ledger.append([entry(6), entry(7)])
    finding = verify(book.settings, LOOP)
    assert finding.good
    assert finding.notes == ("records 6 to 7 are not signed yet; the next decision signs them",)


def test_an_empty_ledger_is_good_and_one_without_heads_is_not(tmp_path: Path) -> None:
    book = Book(tmp_path)
    assert verify(book.settings, LOOP).good
    book.ledger.append([entry(1)])
    assert kinds(book) == {"head"}


def test_guards_that_are_gone_are_missed(book: Book) -> None:
    with book.ledger.connected() as con:
        con.execute("DROP TRIGGER records_never_update")
    finding = verify(book.settings, LOOP)
    assert [p.kind for p in finding.problems] == ["guard"]
    assert "records_never_update" in finding.problems[0].message


def test_the_stored_tree_is_verified(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.ledger.append([entry(n) for n in range(600)])
    book.sign()
    assert verify(book.settings, LOOP).good
    with book.forged() as con:
        con.execute("UPDATE tree SET hash = x'00' WHERE place = 1")
    (problem,) = verify(book.settings, LOOP).problems
    assert (problem.kind, problem.first, problem.last) == ("tree", 257, 512)


def test_a_gap_is_told_alone(tmp_path: Path) -> None:
    """What lies behind it has other places in the tree: that says nothing new."""
    book = Book(tmp_path)
    book.ledger.append([entry(n) for n in range(600)])
    book.sign()
    with book.forged() as con:
        con.execute("DELETE FROM records WHERE seq BETWEEN 7 AND 9")
    (problem,) = verify(book.settings, LOOP).problems
    assert (problem.kind, problem.first, problem.last) == ("missing", 7, 9)


def test_of_a_ruined_ledger_a_bounded_number_is_listed(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.ledger.append([entry(n) for n in range(100)])
    book.sign()
    book.rewrite([altered(row) for row in book.rows()], rehash=False)
    finding = verify(book.settings, LOOP)
    assert len([p for p in finding.problems if p.kind == "changed"]) == Notebook.MOST
    assert finding.more == 100 - Notebook.MOST


def test_a_head_of_a_stranger_vouches_for_nothing(book: Book) -> None:
    own = Book(book.folder / "other").write(random.Random(1), 5)
    (book.folder / "witness.jsonl").write_text("".join(own.heads()))
    assert "key" in kinds(book)
    signer_path(book.settings).unlink()  # an auditor may not have the key
    assert "key" in kinds(book)
    pinned = SignedHead.parse(book.heads()[0])
    assert kinds(book, witnesses=[]) == set()
    assert kinds(book, witnesses=[], key="0" * 64) == {"key"}
    from feedback_assets.ledger.keys import fingerprint

    assert kinds(book, witnesses=[], key=fingerprint(pinned.key)) == set()


def test_a_head_with_a_wrong_signature_is_told_by_its_line(book: Book) -> None:
    path = book.folder / "witness.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace('"size":', '"size":1')
    path.write_text("".join(lines))
    (problem,) = verify(book.settings, LOOP).problems
    assert problem.kind == "head"
    assert "witness.jsonl, line 2: the signature is not of this head" in problem.message


def test_a_witness_that_cannot_be_read_is_a_wrong(book: Book) -> None:
    (book.folder / "witness.jsonl").unlink()
    (problem,) = verify(book.settings, LOOP).problems
    assert "witness.jsonl cannot be read" in problem.message


def test_heads_stand_anywhere_in_logs_of_several_loops(book: Book) -> None:
    other = book.heads()[-1].replace("flights", "taxi")
    log = [f"2026-01-01 INFO ledger of flights: {line}" for line in book.heads()]
    lines = ["2026-01-01 INFO started", *log, other]
    finding = verify(book.settings, LOOP, witnesses=[Witness("log", lines)])
    assert finding.good
    assert finding.copies[1].heads == len(log)


def test_heads_that_were_taken_away_are_missed(book: Book) -> None:
    book.keep_heads(lambda size: size < 4)
    (problem,) = verify(book.settings, LOOP).problems
    assert problem.kind == "head"
    assert "has a head of 5 records, the ledger's own heads end at 1" in problem.message


def test_heads_may_stand_in_any_order(book: Book) -> None:
    """As in logs that were put together: what counts is what each of them signs."""
    lines = book.heads()[::-1]
    assert kinds(book, witnesses=[Witness("logs", lines)]) == set()
    other = Book(book.folder.parent / "other")
    other.settings = other.settings.model_copy(update={"witness": None})
    other.settings.ledger.mkdir(parents=True)
    signer_path(other.settings).write_bytes(signer_path(book.settings).read_bytes())
    signer_path(other.settings).chmod(0o600)
    other.ledger.append([entry(77)])
    head = sign_head(other.settings, LOOP, START).head
    assert head is not None
    found = verify(book.settings, LOOP, witnesses=[Witness("logs", [*lines, head.text()])])
    (problem,) = found.problems
    assert (problem.kind, problem.first, problem.last) == ("rewritten", 1, 1)


def test_records_that_come_meanwhile_are_no_truncation(book: Book) -> None:
    """The witness is read to its end after the records were: it may know more by then."""

    def late() -> Any:
        yield from book.heads()
        book.ledger.append([entry(90), entry(91)])
        head = sign_head(book.settings, LOOP, START).head
        assert head is not None
        yield head.text()

    assert "truncated" not in kinds(book, witnesses=[Witness("late", late())])


def test_verifying_while_others_append(book: Book) -> None:
    worker = FORK.Process(target=append_for_a_while, args=(book,))
    worker.start()
    rounds = 0
    while worker.is_alive():
        assert kinds(book) == set()
        rounds += 1
    worker.join()
    assert worker.exitcode == 0
    assert rounds > 1
    assert verify(book.settings, LOOP).size == 65


def append_for_a_while(book: Book) -> None:
    for number in range(60):
        book.ledger.append([entry(100 + number)])
        book.sign()


def approval(book: Book, kind: str = "approve", **changes: Any) -> Entry:
    """An approval of anna's, as the command records it, unless something is changed."""
    key = changes.pop("signed_by", None) or changes.pop("key")
    statement = {"loop": LOOP, "version": "3", "action": "approve"}
    signature = changes.pop("signature", sign_statement(key, statement))
    body = {
        "version": "3",
        "details": {
            "statement": {**statement, **changes}, "signature": signature, "key": key.fingerprint,
        },
    }  # fmt: skip
    return Entry(f"{kind}-{len(book.rows())}", kind, START, "person:anna", body)


def test_approvals_are_verified_by_their_signature(book: Book) -> None:
    anna, mallory = new_private(book.settings, "anna"), new_private(book.settings, "mallory")
    register(book.settings, Approver("anna", anna.public, ("*",), START))
    book.extend(random.Random(1), [approval(book, key=anna)])
    assert kinds(book) == set()
    forged = {
        "its key is not in approvers.yaml": approval(book, key=mallory),
        "not of this statement": approval(book, key=anna, version="4"),
        "is not anna's": approval(book, key=anna, signature=base64.b64encode(bytes(64)).decode()),
        "of another errand": approval(book, "override", key=anna),
        "no signature that can be read": Entry("bare", "approve", START, "person:anna", {}),
    }
    for number, (said, wrong) in enumerate(forged.items(), start=1):
        at = Book(book.folder).copy(book.folder.parent / f"forged-{number}")
        at.extend(random.Random(1), [wrong])
        (problem,) = verify(at.settings, LOOP).problems
        assert (problem.kind, problem.first) == ("approval", 7)
        assert said in problem.message


def test_an_approval_after_its_key_was_revoked_does_not_count(book: Book) -> None:
    anna = new_private(book.settings, "anna")
    register(book.settings, Approver("anna", anna.public, ("*",), START))
    book.extend(random.Random(1), [approval(book, key=anna)])
    revoke(book.settings, "anna", START.replace(year=2027))
    assert kinds(book) == set()
    text = book.settings.approvers.read_text().replace("2027", "2025")
    book.settings.approvers.write_text(text)
    assert kinds(book) == {"approval"}


def test_the_key_need_not_be_readable(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    signer(book.settings)
    signer_path(book.settings).write_text("nothing that a key is")
    signer_path(book.settings).chmod(0o600)
    assert kinds(book) == set()
