"""An answer as people read it: one shape for the terminal, the web page and Markdown."""

from dataclasses import dataclass, field

from markupsafe import Markup


class Code(str):
    """A digest, a file or a command: shown in letters of one width."""

    __slots__ = ()


@dataclass(frozen=True)
class Reply:
    """One question with its answer; the first line is the answer, the others explain it."""

    question: str
    lines: tuple[str, ...]
    tone: str = ""
    """`good` or `bad` where the answer is either."""

    @property
    def told(self) -> tuple[str, ...]:
        """The lines that say something."""
        return tuple(line for line in self.lines if line)


@dataclass(frozen=True)
class Sheet:
    """A table of texts; `numbers` are the columns that stand to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A plot: a PNG, or SVG that was made here; only pages show it."""

    name: str
    png: bytes = b""
    svg: Markup = field(default_factory=Markup)


@dataclass(frozen=True)
class Section:
    """A part of an answer: words, then facts by name, then pictures, then a table."""

    title: str
    note: str = ""
    words: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    sheet: Sheet | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing below the title."""
        held = self.words or self.facts or self.pictures
        return not held and (self.sheet is None or not self.sheet.rows)


@dataclass(frozen=True)
class Document:
    """An answer to one question of an auditor.

    Attributes:
        eyebrow: What it is about.
        title: The answer in one line.
        state: One word for the mark below the title; empty shows none.
        tone: `good`, `bad` or nothing: the colour of the mark.
        replies: The questions in short.
        sections: The long answer.
        footer: How to read it, and what to ask next.
    """

    eyebrow: str
    title: str
    state: str = ""
    tone: str = ""
    replies: tuple[Reply, ...] = ()
    sections: tuple[Section, ...] = ()
    footer: tuple[str, ...] = ()

    @property
    def filled(self) -> tuple[Section, ...]:
        """The sections that say something."""
        return tuple(section for section in self.sections if not section.empty)
