"""Whatever is done to a ledger behind its back is found, and the place is named: 50 of 50."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_assets.ledger.finding import Finding
from feedback_assets.ledger.records import Row
from feedback_assets.ledger.verify import verify
from feedback_assets_tests.ledger.books import LOOP, Book, altered, entry, rehashed

ROUNDS = 50
SIZES = (3, 8, 21, 40)
Harm = Callable[[Book, random.Random], tuple[int, int]]
"""Does harm; the first and the last record that it concerns."""


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> list[Book]:
    folder = tmp_path_factory.mktemp("books")
    return [Book(folder / str(n)).write(random.Random(n), n) for n in SIZES]


def edit(book: Book, chance: random.Random) -> tuple[int, int]:
    seq = chance.randint(1, len(book.rows()))
    with book.forged() as con:
        con.execute(
            "UPDATE records SET body = ? WHERE seq = ?", (altered(book_row(book, seq))[5], seq)
        )
    return seq, seq


def edit_of_any_column(book: Book, chance: random.Random) -> tuple[int, int]:
    seq = chance.randint(1, len(book.rows()))
    column, value = chance.choice(
        [("actor", "person:bert"), ("kind", "promote"), ("time", "2026-01-01T00:00:00+00:00"),
         ("subject", "other"), ("hash", "f" * 64), ("hash", "none"), ("previous", "e" * 64)]
    )  # fmt: skip
    with book.forged() as con:
        con.execute(f"UPDATE records SET {column} = ? WHERE seq = ?", (value, seq))
    return seq, seq


def edit_with_its_hash(book: Book, chance: random.Random) -> tuple[int, int]:
    seq = chance.randint(1, len(book.rows()))
    row = rehashed(altered(book_row(book, seq)))
    with book.forged() as con:
        con.execute("UPDATE records SET body = ?, hash = ? WHERE seq = ?", (row[5], row[7], seq))
    return seq, seq


def edit_with_all_hashes_behind(book: Book, chance: random.Random) -> tuple[int, int]:
    rows = book.rows()
    seq = chance.randint(1, len(rows))
    rows[seq - 1] = altered(rows[seq - 1])
    book.rewrite(rows)
    return seq, seq


def deletion(book: Book, chance: random.Random) -> tuple[int, int]:
    seq = chance.randint(1, len(book.rows()) - 1)
    with book.forged() as con:
        con.execute("DELETE FROM records WHERE seq = ?", (seq,))
    return seq, seq


def deletion_with_all_hashes_behind(book: Book, chance: random.Random) -> tuple[int, int]:
    rows = book.rows()
    seq = chance.randint(1, len(rows) - 1)
    del rows[seq - 1]
    book.rewrite(rows)
    return seq, seq


def swap(book: Book, chance: random.Random) -> tuple[int, int]:
    rows = book.rows()
    first, last = sorted(chance.sample(range(1, len(rows) + 1), 2))
    one, other = rows[first - 1], rows[last - 1]
    rows[first - 1], rows[last - 1] = (first, *other[1:]), (last, *one[1:])
    book.rewrite(rows, rehash=False)
    return first, last


def swap_with_all_hashes_behind(book: Book, chance: random.Random) -> tuple[int, int]:
    rows = book.rows()
    first, last = sorted(chance.sample(range(1, len(rows) + 1), 2))
    rows[first - 1], rows[last - 1] = rows[last - 1], rows[first - 1]
    book.rewrite(rows)
    return first, last


def insertion(book: Book, chance: random.Random) -> tuple[int, int]:
    rows = book.rows()
    seq = chance.randint(1, len(rows))
    rows.insert(seq - 1, ("x", "never decided", *rows[0][2:]))  # type: ignore[arg-type]
    book.rewrite(rows)
    return seq, seq


def truncation(book: Book, chance: random.Random) -> tuple[int, int]:
    size = len(book.rows())
    kept = chance.randint(0, size - 1)
    with book.forged() as con:
        con.execute("DELETE FROM records WHERE seq > ?", (kept,))
    return kept + 1, size


def truncation_with_the_heads(book: Book, chance: random.Random) -> tuple[int, int]:
    gone = truncation(book, chance)
    book.keep_heads(lambda size: size < gone[0])
    return gone


def truncation_and_going_on(book: Book, chance: random.Random) -> tuple[int, int]:
    """Cut, heads too, and written on by the system itself, which signs what it finds."""
    first, size = truncation_with_the_heads(book, chance)
    book.ledger.append([entry(900 + n) for n in range(size + 1)])
    book.sign()
    return first, size


def rewrite_with_the_key(book: Book, chance: random.Random) -> tuple[int, int]:
    size = len(book.rows())
    seq = chance.randint(1, size)
    entries = [entry(n, reason="besser" if n == seq else "ärmer, 2") for n in range(1, size + 1)]
    book.anew(entries, chance, keep_key=True)
    return seq, seq


def rewrite_with_another_key(book: Book, chance: random.Random) -> tuple[int, int]:
    size = len(book.rows())
    book.anew([entry(n) for n in range(1, size + 1)], chance, keep_key=False)
    return 0, 0


def all_is_gone(book: Book, chance: random.Random) -> tuple[int, int]:
    size = len(book.rows())
    for path in book.settings.ledger.iterdir():
        path.unlink()
    return 1, size


HARMS: list[Harm] = [
    edit, edit_of_any_column, edit_with_its_hash, edit_with_all_hashes_behind, deletion,
    deletion_with_all_hashes_behind, swap, swap_with_all_hashes_behind, insertion, truncation,
    truncation_with_the_heads, truncation_and_going_on, rewrite_with_the_key,
    rewrite_with_another_key, all_is_gone,
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_harm_is_found_where_it_was_done(harm: Harm, books: list[Book], tmp_path: Path) -> None:
    for number in range(ROUNDS):
        chance = random.Random(number)
        book = chance.choice(books).copy(tmp_path / str(number))
        assert verify(book.settings, LOOP).good
        first, last = harm(book, chance)
        finding = verify(book.settings, LOOP)
        assert not finding.good, number
        assert first == 0 or names(finding, first, last), (number, first, last, finding.problems)


@pytest.mark.parametrize("harm", [edit, edit_of_any_column, edit_with_its_hash, deletion, swap])
def test_what_breaks_the_chain_is_found_to_the_record_without_any_head(
    harm: Harm, books: list[Book], tmp_path: Path
) -> None:
    for number in range(10):
        chance = random.Random(number)
        book = books[2].copy(tmp_path / str(number))
        first, last = harm(book, chance)
        if first == 21 and harm is edit_with_its_hash:
            continue  # nothing follows the newest record: its head alone tells
        exact = {
            problem.first
            for problem in verify(book.settings, LOOP, witnesses=[]).problems
            if problem.kind in ("changed", "missing")
        }
        # A wrong `previous` can be the fault of the record that says it, or of the one before.
        assert exact & {first, first - 1}, (number, exact)
        assert exact <= {first - 1, first, last - 1, last}, (number, exact)


def test_a_key_of_another_is_named(books: list[Book], tmp_path: Path) -> None:
    book = books[1].copy(tmp_path / "book")
    rewrite_with_another_key(book, random.Random(1))
    assert "key" in {problem.kind for problem in verify(book.settings, LOOP).problems}


def test_without_a_witness_a_rewrite_with_the_key_is_not_found(
    books: list[Book], tmp_path: Path
) -> None:
    """Why there are witnesses: nothing in the home alone can tell."""
    book = books[2].copy(tmp_path / "book")
    rewrite_with_the_key(book, random.Random(1))
    assert verify(book.settings, LOOP, witnesses=[]).good
    assert not verify(book.settings, LOOP).good


def names(finding: Finding, first: int, last: int) -> bool:
    """Whether some problem's place touches the harm, and its words hold the number."""
    return any(
        problem.first is not None
        and problem.first <= last
        and first <= (problem.last or problem.first)
        and str(problem.first) in problem.message
        for problem in finding.problems
    )


def book_row(book: Book, seq: int) -> Row:
    return book.rows()[seq - 1]
