"""Rounds of an inbox that is ended in some way, and what is to be found after each."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets_tests.chaos.forks import Forks
from feedback_assets_tests.chaos.inbox_load import LOOP, Load
from feedback_assets_tests.chaos.inbox_notes import Told, Verdict, judge, rows_of

MODULE = "feedback_assets_tests.chaos.inbox_load"
LONGEST_MOMENT = 0.03
"""Longer than a commit, so that each instant of one is met."""
RUN = f"{MODULE}:run"


@dataclass
class Count:
    """Sums over rounds."""

    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    unknown: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, verdict: Verdict, before: int = 0) -> None:
        """One more round; `before` rows were acknowledged, and counted, in earlier ones."""
        self.rounds += 1
        self.acknowledged += verdict.acknowledged - before
        self.lost += verdict.lost
        self.doubled += verdict.doubled
        self.altered += verdict.altered
        self.unknown += verdict.unknown

    @property
    def faults(self) -> int:
        return self.lost + self.doubled + self.altered + self.unknown

    def told(self) -> dict[str, Any]:
        return {
            "rounds": self.rounds,
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "doubled": self.doubled,
            "altered": self.altered,
            **self.seen,
        }


@dataclass
class Home:
    """A home whose inbox lives through several processes."""

    forks: Forks
    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    lives: int = 0
    _before: int = 0
    _said: int = 0

    @property
    def notes(self) -> Path:
        return self.root / "notes"

    @property
    def errors(self) -> Path:
        return self.root / "errors"

    def load(self, **options: Any) -> Load:
        """What the next process is to do."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.lives += 1
        told = {"home": str(self.root / "home"), "notes": str(self.notes), "life": self.lives}
        return Load(**{**told, **self.options, **options})

    def begin(self, **options: Any) -> int:
        """Begin a process and wait until its clients do; its id."""
        pid = self.start(**options)
        wait_until(self.began, "the inbox does not open")
        return pid

    def start(self, **options: Any) -> int:
        """Begin a process; its id."""
        load = self.load(**options)
        self._before = self.notes.stat().st_size if self.notes.exists() else 0
        self._said = self.errors.stat().st_size if self.errors.exists() else 0
        return self.forks.begin(RUN, self.errors, load.told())

    def began(self) -> bool:
        """Whether the clients of the process begun last are at work."""
        if not self.notes.exists():
            return False
        with self.notes.open("rb") as file:
            file.seek(self._before)
            return b"began\n" in file.read()

    def work(self, lines: int, chance: random.Random) -> None:
        """Let the clients write about so many lines of notes more, then go on for a moment."""
        size = self.notes.stat().st_size if self.notes.exists() else 0
        wait_until(
            lambda: self.notes.exists() and self.notes.stat().st_size >= size + 20 * lines,
            "the clients do not go on",
        )
        time.sleep(chance.uniform(0.0, LONGEST_MOMENT))

    def finish(self) -> None:
        """Let every client send again what was not answered, and end."""
        pid = self.begin(appends=40, clients=64, mutant="")
        code = self.forks.wait(pid)
        assert code == 0, self.errors.read_text()
        assert not self.told.unanswered

    def said(self) -> str:
        """What the processes wrote to their standard error since the last was begun."""
        if not self.errors.exists():
            return ""
        with self.errors.open("rb") as file:
            file.seek(self._said)
            return file.read().decode()

    @property
    def told(self) -> Told:
        return Told.read(self.notes)

    def verdict(self) -> Verdict:
        reader = open_reader(self.load().settings)
        rows = rows_of(reader, LOOP) if reader else []
        if reader:
            reader.close()
        return judge(self.told, rows, LOOP)


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Look again until it is so.

    Raises:
        AssertionError: It is not within so many seconds.
    """
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.002)
