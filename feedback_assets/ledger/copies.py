"""Copies of a ledger's signed heads, read in order and compared with its Merkle tree."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from feedback_assets.errors import LedgerError
from feedback_assets.ledger.finding import Notebook, Seen
from feedback_assets.ledger.heads import SignedHead, heads_path, read_heads
from feedback_assets.ledger.keys import fingerprint
from feedback_assets.ledger.witnesses import file_lines, git_lines
from feedback_assets.settings import Settings


@dataclass(frozen=True)
class Witness:
    """Where heads are kept besides.

    Attributes:
        name: As messages name it.
        lines: Lines with a head each; of other loops, or of a log, they may be as well.
    """

    name: str
    lines: Iterable[str]


def own_copy(settings: Settings, loop: str) -> Witness:
    """The heads beside the ledger itself."""
    path = heads_path(settings, loop)
    return Witness("the ledger's own heads", file_lines(path) if path.exists() else ())


def witnesses_of(settings: Settings, loop: str) -> list[Witness]:
    """The witnesses that are set up."""
    found = []
    if settings.witness is not None:
        begun = settings.witness.expanduser().exists() or heads_path(settings, loop).exists()
        lines: Iterable[str] = file_lines(settings.witness) if begun else ()
        found.append(Witness(f"witness {settings.witness}", lines))
    if settings.witness_git is not None:
        committed = _committed(settings.witness_git, loop)
        found.append(Witness(f"witness {settings.witness_git}", committed))
    return found


class Copy:
    """One copy of the heads, compared while the ledger is walked through."""

    def __init__(self, witness: Witness, loop: str, trusted: str | None, book: Notebook) -> None:
        self.name = witness.name
        self.loop = loop
        self.trusted = trusted
        self.heads = 0
        self.newest = 0
        self.keys: set[bytes] = set()
        self.late: list[SignedHead] = []
        """Heads that stand behind longer ones, as in logs that were put together."""
        self._lines = witness.lines
        self._book = book
        self._agreed = 0
        self._wrong = False

    def ordered(self) -> Iterator[tuple[int, SignedHead, "Copy"]]:
        """Its genuine heads of the loop in growing order; what is wrong with others is noted."""
        try:
            for number, head in read_heads(iter(self._lines)):
                if head is None:
                    self._book.notes.append(f"{self.name}, line {number}: no signed head")
                elif head.loop == self.loop and self._genuine(number, head):
                    self.heads += 1
                    if head.size < self.newest:
                        self.late.append(head)
                    else:
                        self.newest = head.size
                        yield head.size, head, self
        except LedgerError as error:
            self._book.problem("head", str(error))

    def compare(self, head: SignedHead, root: str, hashed: str) -> None:
        """Compare a head with the ledger at its size; only the first difference is noted."""
        if (head.root, head.hash) == (root, hashed):
            self._agreed = head.size if not self._wrong else self._agreed
        elif not self._wrong:
            self._wrong = True
            first = self._agreed + 1 if self._agreed < head.size else 1
            self._book.problem(
                "rewritten",
                f"{_span(first, head.size)} not what was signed on "
                f"{head.time:%Y-%m-%d %H:%M:%S} ({self.name})",
                first,
                head.size,
            )

    def short(self, head: SignedHead, size: int) -> None:
        """Note that a head covers more records than there are."""
        self._wrong = True
        first, there = self._agreed + 1, size - self._agreed
        what = (
            f"of records {first} to {head.size} only {there} are there, if they are the same"
            if there
            else f"{_span(first, head.size)} gone"
        )
        self._book.problem(
            "truncated",
            f"{what}; signed on {head.time:%Y-%m-%d %H:%M:%S} ({self.name})",
            first,
            head.size,
        )

    def seen(self) -> Seen:
        """What it held."""
        return Seen(self.name, self.heads, self.newest)

    def _genuine(self, number: int, head: SignedHead) -> bool:
        if not head.genuine:
            self._book.problem(
                "head", f"{self.name}, line {number}: the signature is not of this head"
            )
            return False
        key = fingerprint(head.key)
        self.trusted = self.trusted or key
        if key != self.trusted and head.key not in self.keys:
            self._book.problem(
                "key",
                f"{self.name}, line {number}: signed with key {key[:16]}, "
                f"the ledger's is {self.trusted[:16]}",
            )
        self.keys.add(head.key)
        return True


def merged(copies: Sequence[Copy]) -> Iterator[tuple[int, SignedHead, Copy]]:
    """The heads of all copies, shorter ones first, without holding them all."""
    return heapq.merge(*(copy.ordered() for copy in copies), key=lambda found: found[0])


def _span(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"


def _committed(repository: Path, loop: str) -> Iterator[str]:
    """Asked for when it is compared: what fails then is told as a problem."""
    yield from git_lines(repository, loop)
