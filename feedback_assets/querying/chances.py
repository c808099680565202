"""The chance of every row to be asked about, before anything is drawn.

Of the questions, `audit_share` is an even draw from all rows. The others are one draw of fixed size,
with a chance s for each row that adds up what every strategy gives it, near duplicates counting
as one row of which at most one is drawn. Then the audit takes as many of the rows left as it is
due, evenly, each with a chance r, and marks the rows already drawn with the same chance: so every
row is an audit row with the chance r, the number of questions is exact, and a row comes into the
batch with the chance s + (1 - s) r by whatever way. No chance is below r: weights of 1 / chance are
at most 1 / `audit_share` times the usual one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feedback_assets.config.review import Review
from feedback_assets.querying.candidates import Candidates, Floats
from feedback_assets.querying.clusters import cluster
from feedback_assets.querying.design import capped
from feedback_assets.querying.duplicates import near_duplicates, representatives
from feedback_assets.querying.strategies import COPIES, Layout, masses

MAX_CLUSTERS = 256
"""Parts that space is divided into at most."""


@dataclass(frozen=True)
class Inclusion:
    """The chance of each of n rows, before anything is drawn."""

    probability: Floats
    """To come into the batch by any way [n], in (0, 1]; they sum to the number of questions."""
    strategies: Mapping[str, Floats]
    """By strategy: to be drawn for it [n]."""
    audit: float
    """To be drawn by the audit, the same for every row."""
    questions: int
    """Rows that will be drawn by strategies."""
    layout: Layout

    @property
    def strategic(self) -> Floats:
        """To be drawn for any strategy [n]."""
        return np.sum(list(self.strategies.values()), axis=0) + np.zeros(self.probability.size)


def inclusion(review: Review, pool: Candidates, size: int) -> Inclusion:
    """The chance of every row of the pool to be asked about.

    Args:
        review: `mix`, `audit_share` and `duplicate_distance` are read.
        pool: n candidates.
        size: questions; at most n are asked.
    """
    order = pool.order()
    found = inclusion_in_order(review, pool.take(order), size)
    back = np.argsort(order)
    layout = found.layout
    return Inclusion(
        found.probability[back],
        {name: chance[back] for name, chance in found.strategies.items()},
        found.audit,
        found.questions,
        Layout(layout.open[back], layout.group[back], layout.share[back], layout.cluster[back]),
    )


def inclusion_in_order(review: Review, pool: Candidates, size: int) -> Inclusion:
    """`inclusion` of a pool that is already in the order of its ids."""
    n = len(pool)
    asked = min(max(size, 0), n)
    questions = asked - min(asked, int(np.ceil(review.audit_share * asked - 1e-9)))
    layout = _layout(pool, review.duplicate_distance, questions)
    questions = min(questions, int(layout.group.max(initial=-1)) + 1)
    strategies = _by_strategy(review, pool, layout, questions)
    # Parts of a certain row's chance may add up to a rounding more than 1.
    drawn = np.minimum(np.sum(list(strategies.values()), axis=0) + np.zeros(n), 1.0)
    audit = (asked - questions) / (n - questions) if n > questions else 0.0
    either = np.minimum(drawn + (1 - drawn) * audit, 1.0)
    return Inclusion(either, strategies, audit, questions, layout)


def _layout(pool: Candidates, distance: float, questions: int) -> Layout:
    n = len(pool)
    open_ = np.ones(n, dtype=bool)
    if pool.audit_only is not None:
        open_ = ~np.asarray(pool.audit_only, dtype=bool)
    group, code = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    share = np.zeros(n)
    space = pool.space[open_]
    group[open_] = near_duplicates(space, distance)
    share[open_] = np.bincount(group[open_])[group[open_]] ** -COPIES
    first = space[representatives(group[open_])]
    code[open_] = cluster(first, min(questions, MAX_CLUSTERS)).code[group[open_]]
    return Layout(open_, group, share, code)


def _by_strategy(
    review: Review, pool: Candidates, layout: Layout, questions: int
) -> dict[str, Floats]:
    """Each strategy's part of each row's chance [n]; all together sum to `questions`."""
    if not questions:
        return {}
    wanted = {str(name): masses(name, pool, layout) for name in review.mix}
    shares = {str(name): share for name, share in review.mix.items() if wanted[name].any()}
    whole = sum(shares.values())
    part = {
        name: capped(_of_groups(wanted[name], layout), questions * share / whole)
        for name, share in shares.items()
    }
    part = _filled(part, int(layout.group.max()) + 1, questions)
    together = np.sum(list(part.values()), axis=0)
    ratio = _ratio(capped(together, questions), together)
    wanted["random"] = masses("random", pool, layout)
    return {name: _of_rows(wanted[name], part[name] * ratio, layout) for name in part}


def _filled(part: Mapping[str, Floats], groups: int, questions: int) -> dict[str, Floats]:
    """Where strategies want fewer rows than there are questions, the others are drawn evenly."""
    together = np.sum([np.zeros(groups), *part.values()], axis=0)
    short = questions - int((together > 0).sum())
    if short <= 0:
        return dict(part)
    others = capped((together == 0).astype(np.float64), short)
    return {**part, "random": part.get("random", 0.0) + others}


def _of_groups(mass: Floats, layout: Layout) -> Floats:
    """How much each group is wanted [groups]: like few of its rows, however many they are."""
    open_ = layout.open
    sums = np.bincount(layout.group[open_], weights=(mass * layout.share)[open_])
    return np.asarray(sums, dtype=np.float64)


def _of_rows(mass: Floats, chance: Floats, layout: Layout) -> Floats:
    """The chance of each group, divided among its rows by their mass [n]."""
    found = np.zeros(mass.size)
    open_ = layout.open
    group, mine = layout.group[open_], mass[open_]
    whole = np.asarray(np.bincount(group, weights=mine), dtype=np.float64)[group]
    found[open_] = chance[group] * _ratio(mine, whole)
    return found


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(part.size), where=whole > 0)
