"""The rows that people could be asked about, and what is known of each."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]


FAR = 1e6
"""Coordinates beyond are cut, so that squares of distances stay finite."""


@dataclass(frozen=True)
class Candidates:
    """Rows that could be asked about; every array is in the order of `ids`."""

    ids: np.ndarray
    """Unique texts [n]."""
    space: Singles
    """Features as `FeatureSpace.transform` gives them [n, d]."""
    probabilities: Floats | None = None
    """By class [n, k], two columns for a binary label; None for regression."""
    segments: pd.DataFrame | None = None
    """The columns that `stratified` covers [n]."""
    drifted: Bools | None = None
    """Whether the row lies in a drifted region [n]."""
    drifted_why: np.ndarray | None = None
    """What has drifted there, in words [n]."""
    disagreement: Floats | None = None
    """Of a committee of models [n] (`Committee.disagreement`)."""
    novelty: Floats | None = None
    """Share of training rows that lie nearer to their like [n] (`Novelty.score`)."""
    audit_only: Bools | None = None
    """Rows that only the audit draw may choose, as their label is known [n]."""

    def __post_init__(self) -> None:
        n = len(self.ids)
        for name in (
            "space", "probabilities", "segments", "drifted", "drifted_why", "disagreement",
            "novelty", "audit_only",
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise ValueError(f"candidates: {name} has {len(value)} rows, ids has {n}")
        if len(np.unique(np.asarray(self.ids, dtype=str))) != n:
            raise ValueError("candidates: an id stands there twice")

    def __len__(self) -> int:
        return len(self.ids)

    def order(self) -> Ints:
        """Positions in the order of the ids, so that nothing depends on how rows came [n]."""
        return np.argsort(np.asarray(self.ids, dtype=str), kind="stable").astype(np.int64)

    def take(self, at: Ints) -> Self:
        """The rows at these positions, in this order."""
        return type(self)(
            ids=np.asarray(self.ids)[at],
            space=np.clip(np.nan_to_num(np.asarray(self.space, np.float32)[at]), -FAR, FAR),
            probabilities=_at(self.probabilities, at),
            segments=None
            if self.segments is None
            else self.segments.iloc[at].reset_index(drop=True),
            drifted=_at(self.drifted, at),
            drifted_why=_at(self.drifted_why, at),
            disagreement=_at(self.disagreement, at),
            novelty=_at(self.novelty, at),
            audit_only=_at(self.audit_only, at),
        )


def _at(values: np.ndarray | None, at: Ints) -> np.ndarray | None:
    return None if values is None else np.asarray(values)[at]
