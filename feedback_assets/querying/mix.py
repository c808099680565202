"""Which rows people are asked about: a mix of strategies, and a share drawn evenly from all rows.

How chances come about is told in `chances`; here rows are drawn with them.
"""

from dataclasses import dataclass

import numpy as np

from feedback_assets.config.review import Review
from feedback_assets.querying.candidates import Candidates as Candidates
from feedback_assets.querying.candidates import Floats, Ints
from feedback_assets.querying.chances import Inclusion as Inclusion
from feedback_assets.querying.chances import inclusion as inclusion
from feedback_assets.querying.chances import inclusion_in_order
from feedback_assets.querying.design import draw, evenly
from feedback_assets.querying.duplicates import representatives
from feedback_assets.querying.reasons import in_words


@dataclass(frozen=True)
class Chosen:
    """m rows to ask about, first the one with the highest priority."""

    positions: Ints
    """In the candidates [m], each once."""
    strategy: np.ndarray
    """A strategy of `review.mix`, or `audit` [m]."""
    reason: np.ndarray
    """Why the row is asked, in words [m]."""
    probability: Floats
    """Chance with which the row came in by any way [m]."""
    priority: Floats
    """Larger is asked earlier [m], 0 to 1: by lot, so that the part of a batch that people get
    done is a fair part of it and no chance changes."""


def choose(review: Review, pool: Candidates, size: int, seed: int) -> Chosen:
    """Draw the rows to ask about; the same rows in any order, size and seed give the same draw.

    Args:
        review: `mix`, `audit_share` and `duplicate_distance` are read.
        pool: n candidates.
        size: questions; min(size, n) rows are drawn.
        seed: of the draw; 0 or more.
    """
    order = pool.order()
    rows = pool.take(order)
    plan = inclusion_in_order(review, rows, size)
    rng = np.random.default_rng(seed)
    at, strategy = _drawn(plan, min(max(size, 0), len(rows)), rng)
    priority = rng.random(at.size)
    first = np.argsort(-priority, kind="stable")
    at, strategy, priority = at[first], strategy[first], priority[first]
    reason = in_words(rows, plan.layout, at, strategy)
    return Chosen(order[at], strategy, reason, plan.probability[at], priority)


def _drawn(plan: Inclusion, asked: int, rng: np.random.Generator) -> tuple[Ints, np.ndarray]:
    """Rows drawn [m] and what each is drawn for [m]."""
    by_strategy = _strategic(plan, rng)
    left = np.setdiff1d(np.arange(plan.probability.size), by_strategy)
    audited = left[evenly(left.size, asked - by_strategy.size, rng)]
    strategy = _for_which(plan, by_strategy, rng)
    strategy[_marked(plan.audit, by_strategy.size, rng)] = "audit"
    audits = np.full(audited.size, "audit", dtype=object)
    return np.concatenate([by_strategy, audited]), np.concatenate([strategy, audits])


def _strategic(plan: Inclusion, rng: np.random.Generator) -> Ints:
    """Rows drawn by strategies: groups along the path of clusters, then one row of each group."""
    if not plan.questions:
        return np.empty(0, dtype=np.int64)
    rows = np.flatnonzero(plan.layout.open)
    rows = rows[np.argsort(plan.layout.group[rows], kind="stable")]
    group, chance = plan.layout.group[rows], plan.strategic[rows]
    first = representatives(group)
    path = np.lexsort([rng.random(first.size), plan.layout.cluster[rows][first]])
    drawn = path[draw(np.add.reduceat(chance, first)[path], rng)]
    ends = np.cumsum(chance)
    before, after = first[drawn], np.append(first, rows.size)[drawn + 1] - 1
    low = ends[before] - chance[before]
    lots = low + rng.random(drawn.size) * (ends[after] - low)
    return np.sort(rows[np.clip(np.searchsorted(ends, lots, side="right"), before, after)])


def _for_which(plan: Inclusion, at: Ints, rng: np.random.Generator) -> np.ndarray:
    """The strategy of each drawn row, by lot in proportion to what each gave it [m]."""
    if not at.size:
        return np.empty(0, dtype=object)
    names = np.array(list(plan.strategies), dtype=object)
    ends = np.cumsum([plan.strategies[name][at] for name in names], axis=0)
    which = (ends <= rng.random(at.size) * ends[-1]).sum(axis=0)
    return names[np.minimum(which, names.size - 1)]


def _marked(audit: float, drawn: int, rng: np.random.Generator) -> Ints:
    """Drawn rows that the audit takes too, each with the chance `audit`."""
    return evenly(drawn, int(audit * drawn + rng.random()), rng)
