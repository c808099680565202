"""Texts as points: tf-idf of words and word pairs, hashed into a fixed width."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

Singles = npt.NDArray[np.float32]

CHUNK = 4_096
"""Texts read at once: a bound on memory."""


@dataclass(frozen=True)
class Words:
    """How much the words that fall into each column tell."""

    weights: Singles
    """Inverse document frequency by column [width]."""

    @property
    def width(self) -> int:
        """Columns, the last of which says that a text has no words."""
        return len(self.weights) + 1

    @classmethod
    def fit(cls, texts: pd.Series, width: int) -> Self:
        """Learn the weights from texts in the model's normal form (`normal_text`)."""
        columns = max(width, 2) - 1
        hashed = _hasher(columns).transform(texts)
        documents = np.asarray((hashed != 0).sum(axis=0)).ravel()
        weights = np.log((1 + len(texts)) / (1 + documents)) + 1
        return cls(weights.astype(np.float32))

    def transform(self, texts: pd.Series) -> Singles:
        """Points of length 1 [n, width]."""
        found = np.zeros((len(texts), self.width), dtype=np.float32)
        hasher = _hasher(len(self.weights))
        for at in range(0, len(texts), CHUNK):
            part = hasher.transform(texts.iloc[at : at + CHUNK]).toarray() * self.weights
            length = np.sqrt((part * part).sum(axis=1, keepdims=True))
            found[at : at + CHUNK, :-1] = np.divide(
                part, length, out=np.zeros_like(part), where=length > 0
            )
            found[at : at + CHUNK, -1] = length[:, 0] == 0
        return found


def _hasher(columns: int) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        n_features=columns,
        lowercase=False,
        token_pattern=r"[^ ]+",  # noqa: S106
        ngram_range=(1, 2),
        norm=None,
        dtype=np.float32,
    )
