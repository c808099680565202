"""How the rows of a source become rows of a table, as data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from feedback_assets.capture.convert import Fault, Kind
from feedback_assets.capture.files import SourceFile
from feedback_assets.capture.readers import Opened
from feedback_assets.config.grain import Grain


@dataclass(frozen=True)
class Field:
    """One column of the source and what it becomes before the table's columns are made of it."""

    name: str
    column: str | None
    kind: Kind
    required: bool = False
    """Rows of a file without this column go to quarantine."""


@dataclass(frozen=True)
class Plan:
    """How the rows of a source become rows of a table."""

    fields: tuple[Field, ...]
    columns: tuple[tuple[str, str, str], ...]
    """Name, DuckDB type and SQL over the fields; `source_file` and `partition_key` are added."""
    faults: tuple[Fault, ...]
    """Over the fields."""
    contract: tuple[Fault, ...]
    """Over the columns."""
    key: str
    """The column that may be there once in a partition."""
    duplicate: str
    """The words for a row that repeats a key."""
    time: str
    """The column that decides the partition."""
    time_column: str | None
    """The source's column it comes from; the file's last change when None."""
    grain: Grain
    blank: str = "FALSE"
    """SQL over the fields: the row says nothing and is only counted."""

    @property
    def wanted(self) -> list[str]:
        """The source's columns that are read."""
        return list(dict.fromkeys(field.column for field in self.fields if field.column))


class Waiting(Protocol):
    """Rows that the service has taken, as relations in the tables' own columns."""

    def opened(self, partitions: Sequence[str]) -> Iterator[Opened]:
        """Each stream of the rows of some partitions, one at a time."""
        ...


@dataclass(frozen=True)
class Kept:
    """Rows of earlier commits whose source is gone, because the table has taken them."""

    good: str | None = None
    """A relation with the table's columns; None when there is none."""
    bad: str | None = None
    """A relation with the columns of its quarantine."""


@dataclass(frozen=True)
class OwnRows:
    """Rows that come in the tables' own columns: imported logs, the service's, and kept ones."""

    plan: Plan
    files: Sequence[SourceFile] = ()
    waiting: Waiting | None = None
    kept: Kept = Kept()
