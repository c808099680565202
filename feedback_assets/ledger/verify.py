"""Verify a ledger: each record, the chain, the tree, the signed heads and their witnesses.

One pass in the order of the records; what is held in memory does not grow with their number.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.copies import Copy, Witness, merged, own_copy, witnesses_of
from feedback_assets.ledger.finding import Finding, Notebook
from feedback_assets.ledger.heads import SignedHead, last_head, signer, signer_path
from feedback_assets.ledger.keys import statement_signed
from feedback_assets.ledger.merkle import Growing
from feedback_assets.ledger.records import GENESIS, Row, digest, leaf_of, record_of
from feedback_assets.ledger.registry import Registry
from feedback_assets.ledger.schema import missing_guards
from feedback_assets.ledger.store import TILE_BITS, Ledger
from feedback_assets.settings import Settings

SIGNED_KINDS = ("approve", "reject", "override")
TELL_EVERY = 10_000
_BEFORE_ALL = -(1 << 63)
Found = tuple[int, SignedHead, Copy]


def verify(
    settings: Settings,
    loop: str,
    witnesses: Sequence[Witness] | None = None,
    key: str | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> Finding:
    """Compare a ledger with itself, with its signed heads and with every witness of them.

    What it can find depends on where a copy of the heads is. A change of records that leaves the
    chain wrong is found without any. A chain that was computed anew, or cut, is found by a head
    that the writer could not change, also when the ledger's own key signed anew.

    Args:
        settings: Where the ledger is.
        loop: Whose ledger.
        witnesses: Copies of the heads; those that are set up if None.
        key: Fingerprint that the ledger's key must have; of the key in the home if None, or of
            the first head where that cannot be read.
        tell: Is told from time to time how many records were read.

    Raises:
        LedgerError: `approvers.yaml` cannot be read.
    """
    book = Notebook()
    trusted = key or _own_key(settings)
    others = witnesses_of(settings, loop) if witnesses is None else witnesses
    copies = [Copy(w, loop, trusted, book) for w in (own_copy(settings, loop), *others)]
    walk = _Walk(Ledger(settings.ledger, loop), merged(copies), book, Registry.load(settings))
    walk.go(tell)
    for copy in copies:
        walk.look_back(copy)
    _compare_copies(settings, copies, walk.size, book)
    return Finding(
        loop, walk.size, walk.newest, walk.tree.root().hex(),
        tuple(copy.seen() for copy in copies), tuple(book.problems), book.more, tuple(book.notes),
    )  # fmt: skip


class _Walk:
    """The pass over one ledger."""

    def __init__(
        self, ledger: Ledger, heads: Iterator[Found], book: Notebook, registry: Registry
    ) -> None:
        self.ledger = ledger
        self.book = book
        self.registry = registry
        self.tree = Growing()
        self.size = 0
        self.newest = GENESIS
        self._heads = heads
        self._due = next(heads, None)
        self._whole = True

    def go(self, tell: Callable[[int], None]) -> None:
        """Read every record once."""
        if self.ledger.path.exists():
            try:
                with self.ledger.connected() as con:
                    for name in missing_guards(con):
                        self.book.problem("guard", f"{self.ledger.path}: {name} was altered")
                    for row in self.ledger.rows(after=_BEFORE_ALL):
                        self._record(con, row)
                        if self.size % TELL_EVERY == 0:
                            tell(self.size)
            except LedgerError as error:
                self.book.problem("damaged", str(error), self.size + 1)
        self._behind()

    def look_back(self, copy: Copy) -> None:
        """Compare the heads of a copy that stood behind longer ones."""
        for head in copy.late:
            if head.size > self.size:
                continue  # so is the longer one before it: that is told
            try:
                root = self.ledger.root(head.size).hex()
                copy.compare(head, root, self.ledger.hash_of(head.size))
            except LedgerError:
                return  # what is wrong with the records is told

    def _record(self, con: sqlite3.Connection, row: Row) -> None:
        seq, previous, hashed = row[0], row[6], row[7]
        if seq <= self.size:
            self.book.problem("stray", f"record {seq} has no place: the first is 1", seq)
            return
        if seq > self.size + 1:
            self._gap(seq)
        elif previous != self.newest:
            self.book.problem(
                "changed",
                f"record {self.size} is not the one that record {seq} follows"
                if self.size
                else "record 1 follows another: what was before it is missing",
                max(self.size, 1),
            )
        if digest(self.ledger.loop, row) != hashed:
            self.book.problem("changed", f"record {seq} is not what its hash says", seq)
        self.size, self.newest = seq, hashed
        if row[2] in SIGNED_KINDS:
            self._signature(row)
        if self._whole:
            self._grow(con, seq, hashed)

    def _gap(self, seq: int) -> None:
        first, last = self.size + 1, seq - 1
        named = f"record {first} is" if first == last else f"records {first} to {last} are"
        self.book.problem("missing", f"{named} missing", first, last)
        self._whole = False  # heads behind it cover what is gone: they cannot be compared

    def _grow(self, con: sqlite3.Connection, seq: int, hashed: str) -> None:
        try:
            self.tree.add(leaf_of(hashed))
        except (ValueError, TypeError):
            self._whole = False  # no hash at all; it was told with the record
            return
        level = TILE_BITS
        while seq % (1 << level) == 0:
            stored = con.execute(
                "SELECT hash FROM tree WHERE level = ? AND place = ?", (level, (seq >> level) - 1)
            ).fetchone()
            if stored is None or stored[0] != self.tree.subtree(level):
                self.book.problem(
                    "tree",
                    f"the stored hash over records {seq - (1 << level) + 1} to {seq} is wrong",
                    seq - (1 << level) + 1,
                    seq,
                )
            level += TILE_BITS
        self._compare(seq, hashed)

    def _compare(self, seq: int, hashed: str) -> None:
        root = ""
        while self._due is not None and self._due[0] <= seq:
            size, head, copy = self._due
            if size == seq:
                root = root or self.tree.root().hex()
                copy.compare(head, root, hashed)
            self._due = next(self._heads, None)

    def _behind(self) -> None:
        """Heads of more records than there are: of each copy the longest one tells."""
        longest: dict[str, tuple[SignedHead, Copy]] = {}
        while self._due is not None:
            size, head, copy = self._due
            if size > self.size:
                longest[copy.name] = (head, copy)
            self._due = next(self._heads, None)
        grown = self._size_now() if longest else 0
        for head, copy in longest.values():
            if head.size > grown:
                copy.short(head, self.size)

    def _size_now(self) -> int:
        """Records may have been added, and signed, since the pass began."""
        try:
            return self.ledger.head()[0]
        except LedgerError:
            return self.size

    def _signature(self, row: Row) -> None:
        try:
            record = record_of(self.ledger.loop, row)
            details = record.body["details"]
            statement, signature = dict(details["statement"]), str(details["signature"])
            approver = self.registry.key(str(details["key"]))
        except (ValueError, KeyError, TypeError):
            wrong = "it carries no signature that can be read"
        else:
            if approver is None:
                wrong = f"its key is not in approvers.yaml ({str(details['key'])[:16]})"
            elif not statement_signed(approver.public, statement, signature):
                wrong = f"the signature is not {approver.name}'s, or not of this statement"
            elif (statement.get("loop"), statement.get("action")) != (record.loop, record.kind):
                wrong = "the signature is of another errand"
            elif approver.revoked is not None and approver.revoked <= record.time:
                wrong = f"the key of {approver.name} had been revoked"
            else:
                return
        self.book.problem("approval", f"record {row[0]}, {row[2]}: {wrong}", row[0])


def _own_key(settings: Settings) -> str | None:
    try:
        return signer(settings).fingerprint if signer_path(settings).exists() else None
    except (LedgerError, OSError):
        return None  # an auditor may read the ledger, but not its key


def _compare_copies(settings: Settings, copies: Sequence[Copy], size: int, book: Notebook) -> None:
    own, *others = copies
    if size and not own.heads:
        book.problem("head", f"none of the {size} records is covered by a signed head", 1, size)
    elif size > own.newest:
        book.notes.append(
            f"records {own.newest + 1} to {size} are not signed yet; the next decision signs them"
        )
    for copy in others:
        if copy.newest > own.newest and copy.newest > _signed_now(settings, own):
            book.problem(
                "head",
                f"{copy.name} has a head of {copy.newest} records, the ledger's own heads end at "
                f"{own.newest}: some were taken away",
            )
        elif copy.newest < own.newest:
            book.notes.append(
                f"{copy.name} has heads up to {copy.newest} of {own.newest} records only"
            )
        strange = own.keys and copy.keys - own.keys
        if strange and not any(problem.kind == "key" for problem in book.problems):
            book.problem(
                "key", f"{copy.name} has heads signed with another key than the ledger's own heads"
            )


def _signed_now(settings: Settings, own: Copy) -> int:
    """What the ledger's own heads cover by now: more may have been signed since the pass began."""
    try:
        head = last_head(settings, own.loop)
    except LedgerError:
        return own.newest
    return head.size if head else 0
