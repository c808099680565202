"""Features cut into a few named cells, so that slices of rows can be counted and told in words."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

QUANTILES = 5
"""Cells of equal mass into which a number is cut."""
CATEGORIES = 12
"""Categories that get a cell of their own, most frequent first."""
MISSING = "missing"


@dataclass(frozen=True)
class Cells:
    """One column's cells."""

    name: str
    codes: Codes
    """Cell of each row [n], 0 .. len(labels) - 1."""
    labels: tuple[str, ...]
    """What each cell means, as in "= EWR", "over 9.1", "missing"."""


def cut(features: Mapping[str, npt.NDArray[np.generic]]) -> list[Cells]:
    """Each column's cells; columns in which all rows share one cell are left out."""
    cells = [
        _numbers(name, values.astype(np.float64))
        if values.dtype.kind == "f"
        else _words(name, values)
        for name, values in features.items()
    ]
    return [c for c in cells if len(c.labels) > 1]


def _numbers(name: str, values: Floats) -> Cells:
    known = values[np.isfinite(values)]
    if not known.size:
        return Cells(name, np.zeros(values.size, np.int64), (MISSING,))
    distinct = np.unique(known)
    if distinct.size <= QUANTILES:
        codes = np.searchsorted(distinct, values).astype(np.int64)
        labels = [f"= {v:.4g}" for v in distinct]
    else:
        wanted = np.quantile(known, np.arange(1, QUANTILES) / QUANTILES, method="lower")
        edges = np.unique(wanted)
        edges = edges[edges < distinct[-1]]
        # Most rows share the largest value: the others are one cell.
        edges = edges if edges.size else distinct[-2:-1]
        codes = np.searchsorted(edges, values, side="left").astype(np.int64)
        ends = [f"{e:.4g}" for e in edges]
        middle = [f"over {a} up to {b}" for a, b in itertools.pairwise(ends)]
        labels = [f"up to {ends[0]}", *middle, f"over {ends[-1]}"]
    return _with_missing(name, codes, labels, ~np.isfinite(values))


def _words(name: str, values: npt.NDArray[np.generic]) -> Cells:
    import pandas as pd

    codes, found = pd.factorize(values, use_na_sentinel=True)
    counts = np.bincount(codes[codes >= 0], minlength=len(found))
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(found), np.int64)
    rank[order] = np.arange(len(found))
    kept = min(len(found), CATEGORIES)
    cell = np.minimum(rank[codes], kept) if len(found) else np.zeros(values.size, np.int64)
    labels = [f"= {found[i]}" for i in order[:kept]]
    if len(found) > kept:
        labels.append(f"none of its {kept} most frequent values")
    return _with_missing(name, cell, labels, codes < 0)


def _with_missing(
    name: str, codes: Codes, labels: list[str], missing: npt.NDArray[np.bool_]
) -> Cells:
    if missing.any():
        codes = np.where(missing, len(labels), codes)
        labels = [*labels, MISSING]
    return Cells(name, codes, tuple(labels))
