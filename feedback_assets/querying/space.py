"""Rows as points, so that near means alike: learned once from the training rows, kept with the model.

A number is measured from the median in robust standard deviations, far values on a logarithmic
scale so that one huge value does not drown the rest; null has a column of its own. A category is
one of the frequent ones or another; a text is its words by tf-idf, hashed into a bounded width.
Every feature weighs about the same: two rows that have nothing in common in it are at a squared
distance of about 2. One last column counts what no training row had (a null, another category),
and alone takes a row as far from the others as all features together.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.querying.textspace import Words
from feedback_assets.training.features import FeatureSpec

Singles = npt.NDArray[np.float32]

MOST_ROWS = 50_000
"""Rows that it learns from at most."""
CATEGORIES = 24
"""Frequent values of a categorical feature that have a column each."""
LINEAR = 4.0
"""Robust standard deviations up to which a number is taken as it is."""
TEXT_WIDTH = 256
"""Columns for all texts together."""


@dataclass(frozen=True)
class FeatureSpace:
    """What a loop's features look like in training rows; pure data."""

    spec: FeatureSpec
    numbers: Mapping[str, tuple[float, float]]
    """Numeric feature to centre and scale."""
    categories: Mapping[str, tuple[str, ...]]
    """Categorical feature to its frequent values; null is the empty one."""
    words: Mapping[str, Words]
    """Text feature to the weight of its words."""
    complete: frozenset[str] = frozenset()
    """Numeric features without a null in training, categorical ones without another value."""

    @classmethod
    def fit(cls, config: Config, rows: pd.DataFrame) -> Self:
        """Learn from training rows.

        Args:
            config: the loop; the features that the model reads count.
            rows: at least these features [n].

        Raises:
            TrainingError: a column is missing, or a numeric one holds something else.
        """
        spec = FeatureSpec.of(config)
        step = max(1, -(-len(rows) // MOST_ROWS))
        seen = spec.prepare(rows.iloc[::step])
        width = TEXT_WIDTH // max(1, len(spec.of_kind("text")))
        numeric, categorical = spec.of_kind("numeric"), spec.of_kind("categorical")
        whole = {name for name in numeric if len(seen) and not seen[name].isna().any()}
        few = {name for name in categorical if 0 < seen[name].nunique() <= CATEGORIES}
        return cls(
            spec,
            {name: _centre_and_scale(seen[name]) for name in numeric},
            {name: _frequent(seen[name]) for name in categorical},
            {name: Words.fit(seen[name], width) for name in spec.of_kind("text")},
            frozenset(whole | few),
        )

    @property
    def width(self) -> int:
        """Columns of the space."""
        return (
            1
            + 2 * len(self.numbers)
            + sum(len(values) + 1 for values in self.categories.values())
            + sum(words.width for words in self.words.values())
        )

    def transform(self, frame: pd.DataFrame) -> Singles:
        """The rows as points [n, width], finite.

        Raises:
            TrainingError: a column is missing, or a numeric one holds something else.
        """
        inputs = self.spec.prepare(frame)
        found = np.zeros((len(inputs), self.width), dtype=np.float32)
        new = np.zeros(len(inputs), dtype=np.float32)
        at = 0
        for name, (centre, scale) in self.numbers.items():
            found[:, at : at + 2] = _number(inputs[name].to_numpy(), centre, scale)
            new += found[:, at + 1] * (name in self.complete)
            at += 2
        for name, values in self.categories.items():
            codes = pd.Index(values, dtype=object).get_indexer(pd.Index(inputs[name]))
            found[np.arange(len(inputs)), at + np.where(codes < 0, len(values), codes)] = 1
            new += (codes < 0) & (name in self.complete)
            at += len(values) + 1
        for name, words in self.words.items():
            found[:, at : at + words.width] = words.transform(inputs[name])
            at += words.width
        found[:, -1] = new * np.sqrt(2 * len(self.spec.features))
        return found

    def to_bytes(self) -> bytes:
        """A file of arrays (npz) without any code; the same space gives the same bytes."""
        return packed(self.facts(), self.arrays())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of `to_bytes`."""
        return cls.of(*unpacked(content))

    def facts(self) -> dict[str, Any]:
        """What is not an array, as JSON takes it."""
        return {
            "spec": self.spec.to_json(),
            "numbers": [[name, *two] for name, two in self.numbers.items()],
            "categories": [[name, list(values)] for name, values in self.categories.items()],
            "words": list(self.words),
            "complete": sorted(self.complete),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights of words, by `words_<number of the feature>`."""
        return {f"words_{i}": words.weights for i, words in enumerate(self.words.values())}

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """From `facts` and `arrays`."""
        return cls(
            FeatureSpec.from_json(facts["spec"]),
            {name: (centre, scale) for name, centre, scale in facts["numbers"]},
            {name: tuple(values) for name, values in facts["categories"]},
            {name: Words(arrays[f"words_{i}"]) for i, name in enumerate(facts["words"])},
            frozenset(facts["complete"]),
        )


def packed(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Facts (JSON) and arrays in one npz file, whose entries bear no time."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, facts=np.frombuffer(text, np.uint8), **dict(arrays))
    return buffer.getvalue()


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse of `packed`; nothing in the file is run."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(arrays.pop("facts").tobytes()), arrays


def _centre_and_scale(column: pd.Series) -> tuple[float, float]:
    values = column.to_numpy(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    spread = (high - low) / 3.29  # of a normal distribution: its standard deviation
    if spread <= 0:
        with np.errstate(over="ignore", invalid="ignore"):
            spread = float(values.std())
    return float(middle), float(spread) if np.isfinite(spread) and spread > 0 else 1.0


def _number(values: npt.NDArray[np.float32], centre: float, scale: float) -> Singles:
    null = np.isnan(values)
    gap = np.where(null, 0.0, (values.astype(np.float64) - centre) / scale)
    size = np.abs(gap)
    far = LINEAR + np.log1p(np.maximum(size - LINEAR, 0.0))
    return np.stack([np.sign(gap) * np.where(size > LINEAR, far, size), null], axis=1)


def _frequent(column: pd.Series) -> tuple[str, ...]:
    counts = column.value_counts()
    ordered: Sequence[str] = sorted(counts.index, key=lambda value: (-counts[value], value))
    return tuple(str(value) for value in ordered[:CATEGORIES])
