"""Who said what of which item, as codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Votes:
    """Answers of several people about several items [n]; one person may answer an item again."""

    item: Codes
    """Position in `items` [n]."""
    annotator: Codes
    """Position in `annotators` [n]."""
    value: Codes
    """Position in `classes` [n]."""
    items: npt.NDArray[Any]
    """Names, in order of first appearance [i]."""
    annotators: npt.NDArray[Any]
    """Names, sorted [a]."""
    classes: npt.NDArray[Any]
    """The answers that are possible [k]."""

    @classmethod
    def of(
        cls,
        items: Sequence[Any] | pd.Series,
        annotators: Sequence[Any] | pd.Series,
        values: Sequence[Any] | pd.Series,
        classes: Sequence[Any] = (),
    ) -> Self:
        """Code three columns [n].

        Args:
            items: What was asked about.
            annotators: Who answered.
            values: What was answered.
            classes: Every possible answer; those that were given, sorted, if empty.

        Raises:
            ValueError: A null, or an answer that is none of the classes; it is named.

        >>> votes = Votes.of(["a", "a", "b"], ["x", "y", "x"], ["1", "0", "1"])
        >>> votes.value.tolist(), votes.classes.tolist()
        ([1, 0, 1], ['0', '1'])
        """
        item, item_names = pd.factorize(pd.Series(items, dtype=object))
        annotator, annotator_names = pd.factorize(pd.Series(annotators, dtype=object), sort=True)
        given = pd.Series(values, dtype=object)
        if classes:
            names = np.array(list(classes), dtype=object)
            value = pd.Index(names).get_indexer(pd.Index(given))
        else:
            value, found = pd.factorize(given, sort=True)
            names = np.asarray(found, dtype=object)
        for column, codes in (("item", item), ("annotator", annotator), ("value", value)):
            if len(codes) and codes.min() < 0:
                at = int(codes.argmin())
                told = f"{given.iloc[at]!r}, not one of {', '.join(map(str, names))}"
                raise ValueError(
                    f"answer {at}: {column} is {told if column == 'value' else 'null'}"
                )
        return cls(
            item.astype(np.int64),
            annotator.astype(np.int64),
            value.astype(np.int64),
            np.asarray(item_names, dtype=object),
            np.asarray(annotator_names, dtype=object),
            names,
        )

    @property
    def per_item(self) -> Codes:
        """Answers of each item [i]."""
        return np.bincount(self.item, minlength=len(self.items)).astype(np.int64)

    def counts(self) -> npt.NDArray[np.float64]:
        """Answers by item and class [i, k]."""
        width = len(self.classes)
        flat = np.bincount(self.item * width + self.value, minlength=len(self.items) * width)
        return flat.reshape(len(self.items), width).astype(np.float64)
