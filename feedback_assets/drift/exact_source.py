"""Raw columns in batches, from Parquet files or from memory, as the exact statistics read them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from feedback_assets.drift import values as raw
from feedback_assets.drift.bins import Floats, Kind

BATCH = 1 << 17
"""Rows read at a time."""
MAX_KEPT = 20_000_000
"""Values of a column kept in memory; a longer column is read again for each of three passes."""
MAX_CATEGORIES = 1_000_000
"""Different categories counted; beyond, a column's exact figures are not known."""


class Batches(Protocol):
    """A table that can be read column by column, as often as needed."""

    @property
    def rows(self) -> int:
        """Rows of the table."""

    def column(self, name: str, encoded: bool) -> Iterator[Any]:
        """Arrow arrays of one column; dictionary-encoded where that is wanted and cheap."""


@dataclass(frozen=True)
class ParquetFiles:
    """One table in Parquet files; a file without the column has nulls there."""

    files: Sequence[Any]
    """Paths, or open binary files."""

    @cached_property
    def rows(self) -> int:
        """Rows of all files."""
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(file).num_rows for file in self.files)

    def column(self, name: str, encoded: bool) -> Iterator[Any]:
        """See `Batches`. Only the pages of this column are read, a batch at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for file in self.files:
            parquet = pq.ParquetFile(file, read_dictionary=[name] if encoded else None)
            if name not in parquet.schema_arrow.names:
                yield pa.nulls(parquet.metadata.num_rows)
                continue
            for batch in parquet.iter_batches(BATCH, columns=[name], use_threads=False):
                yield batch.column(0)


@dataclass(frozen=True)
class Frame:
    """A table in memory: column name to [rows] values, a DataFrame for one; NaN is null."""

    columns: Any

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return max((len(self.columns[name]) for name in self.columns), default=0)

    def column(self, name: str, encoded: bool) -> Iterator[Any]:  # noqa: ARG002
        """See `Batches`."""
        import pyarrow as pa

        values = np.asarray(self.columns[name])
        for start in range(0, len(values), BATCH):
            piece = values[start : start + BATCH]
            if piece.dtype.kind in "fiub":
                yield pa.array(piece, from_pandas=True)
            else:
                yield pa.array(raw.texts(piece), pa.string())


@dataclass
class Numbers:
    """The finite numbers of one column, and how many rows hold none.

    They are kept in `buffer` if they fit, so that one column after the other uses the same memory.
    """

    table: Batches
    name: str
    kind: Kind
    buffer: Floats = field(repr=False)
    """Of the table's rows, but at most `MAX_KEPT`."""
    null: int = 0
    not_finite: int = 0
    finite: int = 0

    def __post_init__(self) -> None:
        """Read the column once."""
        for numbers in self._batches(count=True):
            start, self.finite = self.finite, self.finite + len(numbers)
            if self.kept:
                self.buffer[start : self.finite] = numbers

    @property
    def kept(self) -> bool:
        """Whether the buffer holds all values."""
        return self.finite <= len(self.buffer)

    @property
    def without(self) -> list[int]:
        """Rows without a finite number: null, then not finite (text: empty)."""
        return [self.null, self.not_finite]

    def chunks(self) -> Iterable[Floats]:
        """All finite numbers, in the order of the rows; the same at each call."""
        return [self.buffer[: self.finite]] if self.kept else self._batches(count=False)

    def _batches(self, count: bool) -> Iterator[Floats]:
        for array in self.table.column(self.name, encoded=False):
            numbers = _lengths(array) if self.kind == "text" else _numbers(array)
            used = numbers[_usable(numbers, self.kind)]
            if count:
                self.null += array.null_count
                self.not_finite += len(numbers) - len(used)
            yield used


def buffer_for(table: Batches) -> Floats:
    """Memory for one column of a table; none of it is touched before it is filled."""
    return np.empty(min(table.rows, MAX_KEPT))


def count_values(table: Batches, name: str) -> dict[str | None, int] | None:
    """Rows by category, null under None; None beyond `MAX_CATEGORIES`."""
    counted: Counter[str | None] = Counter()
    for array in table.column(name, encoded=True):
        known = array if hasattr(array, "dictionary") else array.dictionary_encode()
        codes = known.indices.drop_null().to_numpy(zero_copy_only=False)
        names = known.dictionary.to_pylist()
        for value, n in zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True):
            if n:
                counted[raw.text(value)] += n
        if known.indices.null_count:
            counted[None] += known.indices.null_count
        if len(counted) > MAX_CATEGORIES:
            return None
    return dict(counted)


def _usable(numbers: Floats, kind: Kind) -> Any:
    """Which numbers count as values; everything as a slice where that is all of them."""
    usable = numbers > 0 if kind == "text" else np.isfinite(numbers)
    return slice(None) if usable.all() else usable


def _numbers(array: Any) -> Floats:
    """Numbers that are not null; what cannot be read as one becomes infinite."""
    import pyarrow as pa

    present = array.drop_null() if array.null_count else array
    try:
        floats = present.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return raw.numeric(present.to_pylist())[0]
    return np.asarray(floats.to_numpy(zero_copy_only=False), np.float64)


def _lengths(array: Any) -> Floats:
    """Lengths in characters without the blanks around, of texts that are not null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = array.drop_null().cast(pa.string())
    lengths = pc.utf8_length(pc.utf8_trim_whitespace(texts))
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.float64)
