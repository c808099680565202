"""A small ledger with its heads and a witness, and a writer who knows how to forge it."""

import datetime as dt
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from feedback_assets.ledger.heads import heads_path, sign_head, signer_path
from feedback_assets.ledger.records import Entry, Row, digest, row_after
from feedback_assets.ledger.store import Ledger, ledger_path
from feedback_assets.settings import Settings

LOOP = "flights"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INSERT = "INSERT INTO records VALUES (?,?,?,?,?,?,?,?)"


def entry(number: int, subject: str = "", **body: object) -> Entry:
    """An entry like those of decisions."""
    return Entry(
        subject or f"decision-{number}",
        "gate",
        START + dt.timedelta(hours=number),
        "person:anna",
        {"version": str(number), "gain": number / 7, "reason": "ärmer, 2", **body},
    )


class Book:
    """A ledger of the loop `flights` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(
            home=folder / "home", configs=folder / "configs", witness=folder / "witness.jsonl",
            witness_git=None, keys=folder / "keys",
        )  # fmt: skip
        self.ledger = Ledger(self.settings.ledger, LOOP)

    def write(self, chance: random.Random, size: int) -> "Book":
        """Append and sign until there are `size` records: up to three for each head."""
        self.extend(chance, [entry(number) for number in range(1, size + 1)])
        return self

    def extend(self, chance: random.Random, entries: list[Entry]) -> None:
        while entries:
            some = chance.randint(1, 3)
            self.ledger.append(entries[:some])
            self.sign()
            entries = entries[some:]

    def sign(self) -> None:
        size = self.ledger.head()[0]
        assert not sign_head(self.settings, LOOP, START + dt.timedelta(days=size)).problems

    def copy(self, folder: Path) -> "Book":
        shutil.copytree(self.folder, folder)
        return Book(folder)

    def rows(self) -> list[Row]:
        return list(self.ledger.rows())

    def heads(self) -> list[str]:
        return heads_path(self.settings, LOOP).read_text().splitlines(keepends=True)

    def keep_heads(self, wanted: Callable[[int], bool]) -> None:
        """Throw the ledger's own heads of some sizes away."""
        from feedback_assets.ledger.heads import SignedHead

        kept = [line for line in self.heads() if wanted(SignedHead.parse(line).size)]
        heads_path(self.settings, LOOP).write_text("".join(kept))

    @contextmanager
    def forged(self) -> Iterator[sqlite3.Connection]:
        """A connection without the guards; they stand again afterwards, as if nothing was."""
        con = sqlite3.connect(self.ledger.path, isolation_level=None)
        guards = con.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        con.execute("PRAGMA synchronous = OFF")
        con.execute("BEGIN")
        for name, _ in guards:
            con.execute(f"DROP TRIGGER {name}")
        yield con
        for _, sql in guards:
            con.execute(sql)
        con.execute("COMMIT")
        con.close()

    def rewrite(self, rows: list[Row], rehash: bool = True) -> None:
        """Put these records in the place of all, in this order, with the chain computed anew."""
        with self.forged() as con:
            con.execute("DELETE FROM records")
            con.execute("DELETE FROM tree")
            for row in chained(rows) if rehash else rows:
                con.execute(INSERT, row)

    def anew(self, entries: list[Entry], chance: random.Random, keep_key: bool) -> None:
        """Write another history with everything that the writer can reach: also heads and key."""
        key = signer_path(self.settings).read_bytes()
        shutil.rmtree(self.settings.ledger)
        if keep_key:
            self.settings.ledger.mkdir()
            signer_path(self.settings).write_bytes(key)
            signer_path(self.settings).chmod(0o600)
        blind = Book(self.folder)
        blind.settings = self.settings.model_copy(update={"witness": None, "witness_git": None})
        blind.extend(chance, entries)


def chained(rows: list[Row]) -> list[Row]:
    """Records numbered and hashed from the first on, as if they had always been so."""
    done: list[Row] = []
    for seq, row in enumerate(rows, start=1):
        previous = done[-1][-1] if done else "0" * 64
        fresh = (seq, *row[1:6], previous, "")
        done.append((*fresh[:7], digest(LOOP, fresh)))
    return done


def altered(row: Row) -> Row:
    """A record with another reason in it; its hash is as before."""
    return (*row[:5], row[5].replace("ärmer", "besser"), *row[6:])


def rehashed(row: Row) -> Row:
    return (*row[:7], digest(LOOP, row))


__all__ = ["LOOP", "Book", "altered", "chained", "entry", "ledger_path", "rehashed", "row_after"]
