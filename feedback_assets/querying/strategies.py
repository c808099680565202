"""How much each strategy wants each row.

A strategy gives every row a mass, and chances are later proportional to it: a row that is wanted
twice as much is twice as likely to be drawn, and hardly any is out of reach. Masses that fall too
steeply would ask for the same kind of row again and again, and leave weights that training cannot use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from feedback_assets.config.review import Strategy
from feedback_assets.querying.candidates import Bools, Candidates, Floats, Ints
from feedback_assets.querying.scores import density, entropy, least_confidence, margin

SHARPNESS = 2.0
"""Power of a score that makes its mass. Replays (`benchmarks/labels.py`) with the default mix at 2 were
never worse than random labels beyond noise; between 1 and 2 nothing beyond noise was seen."""
COVERAGE = 0.5
"""Power of a cluster's size by which its rows are wanted less: 0 asks evenly of rows, 1 of clusters."""
COPIES = 0.5
"""Power of a group's size by which each of its near duplicates counts less: 1 makes a group one row,
which asks too little where features are coarse and equal rows have different labels."""
FAR = 0.999
"""A row farther from the training rows than this share of them is to each other lies outside."""
QUANTILES = 4
"""Parts that a numeric segment is cut into."""


@dataclass(frozen=True)
class Layout:
    """How the rows that strategies may choose lie in space; the others have mass 0."""

    open: Bools
    """Rows that strategies may choose [n]."""
    group: Ints
    """Group of near duplicates [n]; -1 where not open."""
    share: Floats
    """Part of a row that each row of the group counts as [n]; 0 where not open."""
    cluster: Ints
    """Cluster of the group [n]; -1 where not open."""


def masses(strategy: Strategy, pool: Candidates, layout: Layout) -> Floats:
    """How much a strategy wants each row [n], at least 0; all 0 where it has nothing to say."""
    wanted = _WANTED[strategy](pool, layout)
    known = np.isfinite(wanted) & layout.open
    usual = float(wanted[known].mean()) if known.any() else 0.0
    filled = np.where(known, wanted, usual)  # a row without a score is wanted like a usual one
    return np.where(layout.open, np.maximum(filled, 0.0), 0.0)


def outside(pool: Candidates) -> Bools:
    """Rows farther from the training rows than nearly all of them are from each other [n]."""
    if pool.novelty is None:
        return np.zeros(len(pool), dtype=bool)
    return np.asarray(np.nan_to_num(pool.novelty) >= FAR, dtype=bool)


def strata(values: pd.Series) -> tuple[Ints, np.ndarray]:
    """The stratum of each row [n] and each stratum's value in words; numbers are cut into parts."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > 2 * QUANTILES:
        values = pd.qcut(values, QUANTILES, duplicates="drop")
    code, known = pd.factorize(values.astype(object), use_na_sentinel=False)
    words = np.array(["missing" if pd.isna(v) else str(v) for v in known], dtype=object)
    return code.astype(np.int64), words


def _uncertain(score: Callable[[Floats], Floats]) -> Callable[[Candidates, Layout], Floats]:
    def wanted(pool: Candidates, _layout: Layout) -> Floats:
        if pool.probabilities is None:
            return np.zeros(len(pool))
        return np.asarray(score(pool.probabilities) ** SHARPNESS, dtype=np.float64)

    return wanted


def _committee(pool: Candidates, _layout: Layout) -> Floats:
    if pool.disagreement is None:
        return np.zeros(len(pool))
    return np.asarray(pool.disagreement, dtype=np.float64)


def _dense(pool: Candidates, layout: Layout) -> Floats:
    found = np.zeros(len(pool))
    found[layout.open] = density(pool.space[layout.open])
    if pool.probabilities is not None:
        return found * entropy(pool.probabilities) ** SHARPNESS
    return found if pool.disagreement is None else found * _committee(pool, layout)


def _diverse(_pool: Candidates, layout: Layout) -> Floats:
    return _covering(layout.open, layout)


def _drifted(pool: Candidates, layout: Layout) -> Floats:
    there = outside(pool)
    if pool.drifted is not None:
        there = there | np.asarray(pool.drifted, dtype=bool)
    return _covering(there & layout.open, layout)


def _covering(rows: Bools, layout: Layout) -> Floats:
    """Rows of small clusters are wanted more, so that every part of space is asked about."""
    found = np.zeros(len(rows))
    if rows.any():
        code = layout.cluster[rows]
        sizes = np.bincount(code, weights=layout.share[rows])
        found[rows] = sizes[code] ** -COVERAGE
    return found


def _stratified(pool: Candidates, layout: Layout) -> Floats:
    found = np.zeros(len(pool))
    if pool.segments is None or not layout.open.any():
        return found
    for name in pool.segments.columns:
        code = strata(pool.segments[name][layout.open])[0]
        found[layout.open] += 1 / np.bincount(code, weights=layout.share[layout.open])[code]
    return found


def _random(_pool: Candidates, layout: Layout) -> Floats:
    return layout.open.astype(np.float64)


_WANTED: Mapping[Strategy, Callable[[Candidates, Layout], Floats]] = {
    "entropy": _uncertain(entropy),
    "margin": _uncertain(margin),
    "least_confidence": _uncertain(least_confidence),
    "committee": _committee,
    "density": _dense,
    "diversity": _diverse,
    "stratified": _stratified,
    "drifted": _drifted,
    "random": _random,
}
