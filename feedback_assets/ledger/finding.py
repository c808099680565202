"""What a verification found, in words that say where to look."""

from dataclasses import dataclass
from typing import Literal

ProblemKind = Literal[
    "changed", "missing", "stray", "rewritten", "truncated", "head", "key", "tree", "guard",
    "approval", "damaged", "projection",
]  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it was signed.

    Attributes:
        kind: What it is.
        message: In words, with the numbers of the records and who says so.
        first: First record that is concerned; None where it is none.
        last: Last record that is concerned; None where it is only the first.
    """

    kind: ProblemKind
    message: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Seen:
    """What one copy of the signed heads showed.

    Attributes:
        name: Which copy: the ledger's own, or a witness.
        heads: How many heads of this loop it holds.
        newest: The size that its newest head signs; 0 if there is none.
    """

    name: str
    heads: int
    newest: int


@dataclass(frozen=True)
class Finding:
    """The outcome of a verification.

    Attributes:
        loop: Whose ledger.
        size: Records in it.
        hash: Hash of the newest one.
        root: Root of the Merkle tree over all of them, hexadecimal.
        copies: Every copy of the heads that was compared, the ledger's own first.
        problems: What is wrong; empty if nothing is.
        more: How many further problems were found and are not listed.
        notes: What is no proof of a wrong, but worth knowing.
    """

    loop: str
    size: int
    hash: str
    root: str
    copies: tuple[Seen, ...]
    problems: tuple[Problem, ...]
    more: int = 0
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


class Notebook:
    """Collects problems, a bounded number of each kind: a ruined ledger has millions."""

    MOST = 20

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.more = 0
        self._counts: dict[ProblemKind, int] = {}

    def problem(
        self, kind: ProblemKind, message: str, first: int | None = None, last: int | None = None
    ) -> None:
        """Note a problem."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] > self.MOST:
            self.more += 1
        else:
            self.problems.append(Problem(kind, message, first, last))
