"""The cells into which a column's values are counted.

A cell for everything that can happen to a value: besides the reference's own quantiles or
categories there are cells for what lies below and above its range, for categories it never had,
for null, and for what is not a finite number. Nothing falls outside the count, so nothing that
moves there goes unseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

Kind = Literal["numeric", "categorical", "text"]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NULL = "null"
EMPTY = "empty"
NOT_FINITE = "not a finite number"
OTHER = "other known categories"
UNSEEN = "unseen categories"
PRESENCE: dict[str, tuple[str, ...]] = {
    "numeric": (NULL, NOT_FINITE),
    "categorical": (NULL,),
    "text": (NULL, EMPTY),
}


@dataclass(frozen=True)
class ColumnBins:
    """The cells of one column: first its values, then the ways of having no value.

    Cells by kind, in order:
        numeric: below, one per edge interval, above | null, not a finite number
        text: the same on the length in characters, | null, empty
        categorical: one per named category, other known, unseen | null
    """

    kind: Kind
    edges: tuple[float, ...] = ()
    """Numeric and text: interval i is [edges[i], edges[i+1]); strictly increasing."""
    categories: tuple[str, ...] = ()
    """Categorical: those with a cell of their own, most frequent first."""
    others: tuple[str, ...] = ()
    """Categorical: known to the reference, counted together."""
    open_ended: bool = False
    """Categorical: more values than are remembered, so an unknown one counts as other."""

    @property
    def values(self) -> int:
        """Number of cells that hold values; the cells after them mean "no value"."""
        if self.kind == "categorical":
            return len(self.categories) + 2
        return len(self.edges) + 1

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.values + len(PRESENCE[self.kind])

    @property
    def ordered(self) -> bool:
        """Whether neighbouring value cells are alike."""
        return self.kind != "categorical"

    @property
    def null(self) -> int:
        """Index of the null cell."""
        return self.values

    @cached_property
    def outside(self) -> tuple[int, ...]:
        """Value cells that the reference's values do not reach: below and above, or unseen."""
        return (0, self.values - 1) if self.ordered else (self.values - 1,)

    @cached_property
    def index(self) -> dict[Any, int]:
        """Categorical: the cell of every known category."""
        known: dict[Any, int] = dict.fromkeys(self.others, len(self.categories))
        known.update({category: i for i, category in enumerate(self.categories)})
        known[None] = self.null
        return known

    @property
    def unknown(self) -> int:
        """Categorical: the cell of a category that is not in `index`."""
        return len(self.categories) + (0 if self.open_ended else 1)

    def label(self, cell: int) -> str:
        """Name of a cell for people, at most about 50 characters."""
        if cell >= self.values:
            return PRESENCE[self.kind][cell - self.values]
        if not self.ordered:
            named = (*(short(c) for c in self.categories), OTHER, UNSEEN)
            return named[cell]
        unit = "length " if self.kind == "text" else ""
        if cell == 0:
            return f"{unit}below {self.edges[0]:.4g}"
        if cell == self.values - 1:
            return f"{unit}above {np.nextafter(self.edges[-1], -np.inf):.4g}"
        low, high = self.edges[cell - 1], self.edges[cell]
        if high == np.nextafter(low, np.inf):
            return f"{unit}{low:.4g}"
        return f"{unit}{low:.4g} to {high:.4g}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; `from_dict` gives it back exactly."""
        return {
            "kind": self.kind,
            "edges": list(self.edges),
            "categories": list(self.categories),
            "others": list(self.others),
            "open_ended": self.open_ended,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(
            kind=data["kind"],
            edges=tuple(float(e) for e in data["edges"]),
            categories=tuple(data["categories"]),
            others=tuple(data["others"]),
            open_ended=bool(data["open_ended"]),
        )


def short(text: str, length: int = 40) -> str:
    """A value as it may stand in a sentence: printable, cut at `length` characters."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= length else clean[: length - 1] + "…"
