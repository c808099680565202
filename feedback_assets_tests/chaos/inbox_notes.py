"""What clients of the inbox sent and were told, in a file that outlives their process."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feedback_assets.capture.inbox.records import Entry, InboxReader, Outcome, Stream

START_US = 1_704_067_200_000_000
END_US = 1 << 62
STREAMS: tuple[Stream, ...] = ("predictions", "feedback")
Row = tuple[int, str, str]
"""Sequence number, key and body."""


def entry_of(key: str, loop: str) -> Entry:
    """The entry that a key always stands for, whoever sends it however often."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    body = json.dumps({"id": key, "number": number, "text": "x" * (number % 300)}).encode()
    return Entry(
        stream="predictions" if number % 2 else "feedback",
        loop=loop,
        key=key,
        time_us=START_US + number * 1_000,
        body=body,
        digest=hashlib.sha256(body).digest()[:16],
    )


class Notes:
    """What clients say and hear, line by line.

    Args:
        write: Takes whole lines; what it has taken must outlive a killed process.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._put = write

    def began(self) -> None:
        self._write(["began"])

    def sent(self, keys: Iterable[str]) -> None:
        self._write(f"sent {key}" for key in keys)

    def answered(self, keys: Sequence[str], outcomes: Sequence[Outcome]) -> None:
        self._write(
            f"{outcome.state} {key} {outcome.seq}"
            for key, outcome in zip(keys, outcomes, strict=True)
        )

    def refused(self, keys: Iterable[str]) -> None:
        self._write(f"refused {key}" for key in keys)

    def full(self, keys: Iterable[str]) -> None:
        self._write(f"full {key}" for key in keys)

    def _write(self, lines: Iterable[str]) -> None:
        self._put("".join(f"{line}\n" for line in lines))


@contextmanager
def notes_in(path: Path) -> Iterator[Notes]:
    """Notes in a file; each write is one system call, so that a killed process leaves whole lines."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield Notes(lambda lines: os.write(handle, lines.encode()))
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Told:
    """All that the notes say."""

    sent: set[str]
    refused: set[str]
    acknowledged: dict[str, int]
    """Key to the sequence number that the first answer named."""
    moved: int
    """Answers that named another number for the same key, or the same one for two keys."""
    states: Counter[str]

    @classmethod
    def read(cls, path: Path) -> "Told":
        """From a file of notes; none there is an empty one."""
        return cls.of(path.read_text().splitlines() if path.exists() else [])

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Told":
        sent: set[str] = set()
        refused: set[str] = set()
        acknowledged: dict[str, int] = {}
        holders: dict[int, str] = {}
        states: Counter[str] = Counter()
        moved = 0
        for line in lines:
            state, *rest = line.split(" ")
            states[state] += 1
            if state == "sent":
                sent.add(rest[0])
            elif state == "refused":
                refused.add(rest[0])
            elif state in ("stored", "repeated"):
                key, seq = rest[0], int(rest[1])
                again = acknowledged.setdefault(key, seq) != seq
                moved += again or holders.setdefault(seq, key) != key
        return cls(sent, refused, acknowledged, moved, states)

    @property
    def unanswered(self) -> list[str]:
        """Keys that were sent and never acknowledged; clients send them again."""
        return sorted(self.sent - self.acknowledged.keys())


class Tail:
    """Counts the states in a file of notes that still grows, reading each line once."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0
        self._states: Counter[str] = Counter()

    def count(self, state: str) -> int:
        """How many lines say so by now."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._at += len(whole)
            self._states.update(line.split(b" ")[0].decode() for line in whole.splitlines())
        return self._states[state]


@dataclass(frozen=True)
class Verdict:
    """Acknowledged rows against those that are stored."""

    acknowledged: int
    stored: int
    lost: int
    doubled: int
    altered: int
    """Stored with another body or under another sequence number than was said."""
    unknown: int
    """Stored, but never sent."""

    @property
    def exactly_once(self) -> bool:
        return not (self.lost or self.doubled or self.altered or self.unknown)


def judge(told: Told, rows: Sequence[Row], loop: str) -> Verdict:
    """Compare what clients were told with the rows that are there."""
    keys = Counter(key for _, key, _ in rows)
    seqs = Counter(seq for seq, _, _ in rows)
    wrong = sum(
        body.encode() != entry_of(key, loop).body or told.acknowledged.get(key, seq) != seq
        for seq, key, body in rows
    )
    return Verdict(
        acknowledged=len(told.acknowledged),
        stored=len(rows),
        lost=len(told.acknowledged.keys() - keys.keys()),
        doubled=sum(n - 1 for n in keys.values()) + sum(n - 1 for n in seqs.values()),
        altered=wrong + told.moved,
        unknown=len(keys.keys() - told.sent),
    )


def rows_of(reader: InboxReader, loop: str) -> list[Row]:
    """Every row there is, as another process reads it."""
    head = reader.head()
    rows: list[Row] = []
    for stream in STREAMS:
        for batch in reader.batches(stream, loop, 0, END_US, head):
            columns = (batch.column(name).to_pylist() for name in ("seq", "key", "body"))
            rows.extend(zip(*columns, strict=True))
    return rows
