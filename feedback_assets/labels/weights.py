"""What a row weighs in training: trust, confidence, maturity, its chance to be asked, fairness.

A weight is a product of factors that SQL tells of each row; then all are scaled to a mean of 1 and
cut at `pool.max_weight`. Sums are of whole millionths, so that no order of rows changes a digit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.judges import AUTOMATIC, by_people_sql, proven_source_sql
from feedback_assets.labels.patterns import fits_sql
from feedback_assets.labels.reweigh import attributes, cell_sql, fair_factors
from feedback_assets.sqltext import literal, number

UNIT = 1e6
"""Weights are counted in millionths."""


@dataclass(frozen=True)
class Scale:
    """From a row's product of factors to its training weight.

    Attributes:
        even: Every row weighs the same: exactly 1.
        factor: What makes the mean 1 once the largest are cut.
        most: Where they are cut.
        fair: Factor of each cell of protected values and label (`cell_sql`).
        cut: Share of train rows that are cut.
        effective: Kish's effective number of train rows: the rows of equal weight that would
            tell as much.
    """

    even: bool
    factor: float = 1.0
    most: float = 1.0
    fair: Mapping[str, float] | None = None
    cut: float = 0.0
    effective: float = 0.0

    def sql(self, config: Config) -> str:
        """Portable SQL over a row of the pool with `fa_weight`: its training weight."""
        if self.even:
            return "1e0"
        product = "fa_weight"
        if self.fair:
            whens = " ".join(f"WHEN {literal(c)} THEN {number(f)}" for c, f in self.fair.items())
            product = f"fa_weight * (CASE {cell_sql(config)} {whens} ELSE 1e0 END)"
        return f"LEAST(ROUND({product} * {number(self.factor)}, 6), {number(self.most)})"


def trust_sql(config: Config, alias: str) -> str:
    """Portable SQL: how far the one who said the label is trusted, 0 to 1.

    Of several patterns that fit the smallest weight counts; automatic labels have their own too.
    """
    source, principal = f"{alias}.label_source", f"{alias}.label_principal"
    who = [proven_source_sql(source, principal), principal]
    told = sorted(config.trust.weights.items(), key=lambda item: (item[1], item[0]))
    whens = " ".join(f"WHEN {fits_sql(who, [name])} THEN {number(w)}" for name, w in told)
    default = number(config.trust.default)
    base = f"CASE {whens} ELSE {default} END" if whens else default
    if config.review.automatic is None:
        return base
    own = number(config.review.automatic.weight)
    return f"{base} * CASE WHEN {source} = '{AUTOMATIC}' THEN {own} ELSE 1e0 END"


def confidence_sql(alias: str) -> str:
    """Portable SQL: how sure the one who said it was; sure where nothing is told."""
    return f"COALESCE({alias}.label_confidence, 1e0)"


def asked_sql(alias: str, power: float, mean: float) -> str:
    """Portable SQL: a power of the inverse chance to be asked, 1 on the mean of rows that were.

    Args:
        alias: Of a relation with `label_source`, `label_principal` and `asked_probability`.
        power: `pool.asked_power`.
        mean: Mean of that power over the train rows that were asked for.
    """
    asked = by_people_sql(f"{alias}.label_source", f"{alias}.label_principal")
    return (
        f"CASE WHEN {asked} AND {alias}.asked_probability > 0 "
        f"THEN POWER({alias}.asked_probability, {number(-power)}) / {number(mean)} ELSE 1e0 END"
    )


def counts_sql(config: Config, outcomes: str) -> str:
    """SQL of the train rows by their product of factors: columns `units`, `cell`, `n`.

    Args:
        config: The loop.
        outcomes: Common table expressions up to `outcomes` (`Sifting.outcomes`).
    """
    cell = cell_sql(config) if attributes(config) else "''"
    return f"""
{outcomes}
SELECT CAST(ROUND(fa_weight * {number(UNIT)}) AS BIGINT) AS units, {cell} AS cell, COUNT(*) AS n
FROM outcomes WHERE fa_outcome = 'train' GROUP BY 1, 2 ORDER BY 1, 2
""".strip()


def scale_of(counts: pd.DataFrame, config: Config) -> Scale:
    """How weights are scaled and cut.

    Args:
        counts: Columns `units` (millionths), `cell`, `n` of the train rows, in their order.
        config: The loop.

    >>> from types import SimpleNamespace as N
    >>> from feedback_assets.config.pool import Pool
    >>> loop = N(pool=Pool(), gate=N(fairness=None), label=N(kind="binary"))
    >>> scale_of(pd.DataFrame({"units": [500_000, 1_000_000], "cell": "", "n": [10, 10]}), loop).factor
    1.3333333333333333
    """
    counts = counts[counts["units"] > 0]
    n = counts["n"].to_numpy(np.float64)
    raw = counts["units"].to_numpy(np.float64) / UNIT
    fair = fair_factors(counts) if attributes(config) else {}
    if fair:
        raw = raw * counts["cell"].map(fair).fillna(1.0).to_numpy(np.float64)
    if not raw.size or np.ptp(raw) <= 1e-9 * raw.max():
        return Scale(even=True, effective=float(n.sum()))
    factor = _factor(raw, n, config.pool.max_weight)
    weight = np.minimum(np.round(raw * factor, 6), config.pool.max_weight)
    total = float(n @ weight)
    return Scale(
        even=False,
        factor=factor,
        most=config.pool.max_weight,
        fair=fair or None,
        cut=float(n[raw * factor >= config.pool.max_weight].sum() / n.sum()),
        effective=total**2 / float(n @ weight**2),
    )


def _factor(raw: np.ndarray, n: np.ndarray, most: float) -> float:
    """The factor f with mean of min(raw * f, most) = 1: the largest are cut one by one."""
    order = np.argsort(raw, kind="stable")[::-1]
    raw, n = raw[order], n[order]
    rows = n.sum()
    # With the k largest cut, the others share what is left of the rows' sum.
    cut = np.concatenate([[0.0], np.cumsum(n)[:-1]])
    left = np.cumsum((raw * n)[::-1])[::-1]
    factors = (rows - most * cut) / left
    fits = (factors > 0) & (raw * factors <= most * (1 + 1e-12))
    found = np.flatnonzero(fits)
    # With a limit of 1 all that can be is that every row weighs 1.
    return float(factors[found[0]]) if found.size else float(most / raw.min())
