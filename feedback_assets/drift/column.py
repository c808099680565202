"""The verdict on one column."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from feedback_assets.config.schema import Drift
from feedback_assets.drift import words
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.bins import NOT_FINITE, UNSEEN, Counts, Floats
from feedback_assets.drift.materiality import (
    Evidence,
    epsilon_of,
    presence_evidence,
    sd_of,
    value_evidence,
)
from feedback_assets.drift.profile import ReferenceColumn, Role
from feedback_assets.drift.statistics import (
    gather,
    js_distance,
    ks,
    null_share,
    outside_share,
    psi,
    psi_cells,
    wasserstein_normed,
)

ColumnStatus = Literal["stable", "immaterial", "drift", "insufficient", "broken"]


@dataclass(frozen=True)
class ColumnStatistics:
    """Figures of one column; NaN where one cannot be known. They are shown, they never decide."""

    psi: float
    """On tenths of the reference or its 20 largest categories, with null and outside."""
    ks: float
    """Over the ordered value cells; NaN for categories."""
    js: float
    """On the cells of the PSI, base 2."""
    wasserstein: float
    """In standard deviations of the reference; NaN for categories."""
    null_share: float
    """Of all rows; null or not a finite number."""
    null_share_ref: float
    """The same of the reference."""
    unseen_share: float
    """Of the values: categories that the reference never had; NaN for others."""
    out_of_range_share: float
    """Of the values: below or above all of the reference; NaN for categories."""


@dataclass(frozen=True)
class ColumnVerdict:
    """What is claimed of one column."""

    name: str
    role: Role
    kind: str
    status: ColumnStatus
    change: str
    """What moved most, in words with numbers."""
    statistics: ColumnStatistics
    g: float
    """Log-likelihood ratio of homogeneity, values and presence together."""
    p_value: float
    """Of the divergence being within the margin, before correction; 1 if not tested."""
    p_changed: float
    """Of nothing having changed at all, before correction; 1 if not tested."""
    size_sd: float
    """The divergence as a shift of a normal distribution, in standard deviations."""
    margin_sd: float
    """How large that may be without mattering: the configured margin or the learned one."""
    rows: int
    rows_ref: int
    counts: tuple[int, ...]
    """Current rows by cell of the reference's bins; days merge by addition."""
    ignored: bool = False
    """Shown, but never decides."""

    @property
    def size(self) -> str:
        """The size of the change in words."""
        return f"like a shift of {self.size_sd:.2f} sd, immaterial up to {self.margin_sd:.2f} sd"

    @property
    def reason(self) -> str:
        """Why the status is what it is, in plain words with numbers."""
        if self.status == "stable":
            return "no change beyond chance"
        if self.status == "drift":
            return f"{self.change} (psi {self.statistics.psi:.2f}, p {words.p(self.p_value)})"
        if self.status == "immaterial":
            return f"{self.change}: {self.size}"
        return self.change


def column_verdict(
    reference: ReferenceColumn, current: Tally, drift: Drift, columns: int = 1
) -> ColumnVerdict:
    """Verdict on one column.

    The values and having a value at all are tested apart, so that a margin learned from values
    that swing from day to day does not hide nulls; the smaller p-value is doubled.

    Args:
        reference: The column in the reference.
        current: Its current values, counted with the reference's bins; groups are added up.
        drift: The policy.
        columns: Columns judged together: each then gets its share of `drift.alpha`.

    Raises:
        ValueError: `current` was counted with other bins.
    """
    whole = current.total()
    counts, sums, bins = whole.counts[0], whole.sums[0], reference.bins
    if len(counts) != bins.size:
        raise ValueError(
            f"column {reference.name!r} was counted into {len(counts)} cells, the reference has "
            f"{bins.size}: count it with the reference's bins"
        )
    evidence = [f(reference.counts, counts, bins) for f in (value_evidence, presence_evidence)]
    learned = [reference.margin, reference.presence_margin] if drift.learn_margin else [0.0, 0.0]
    epsilons = [max(epsilon_of(drift.margin_sd), eps) for eps in learned]
    excess = [_excess(e, eps) for e, eps in zip(evidence, epsilons, strict=True)]
    worst = int(np.argmax(excess))
    verdict = ColumnVerdict(
        name=reference.name,
        role=reference.role,
        kind=bins.kind,
        status="stable",
        change=_change(reference, counts, sums, [e > 0 for e in excess], worst),
        statistics=_statistics(reference, counts, sums),
        g=float(sum(e.g for e in evidence)),
        p_value=_either(evidence, epsilons),
        p_changed=_either(evidence, [0.0, 0.0]),
        size_sd=sd_of(evidence[worst].divergence),
        margin_sd=sd_of(epsilons[worst]),
        rows=int(counts.sum()),
        rows_ref=reference.rows,
        counts=tuple(counts.tolist()),
        ignored=reference.name in drift.ignore,
    )
    return _judged(verdict, reference, counts, drift, drift.alpha / max(columns, 1))


def _judged(
    verdict: ColumnVerdict, reference: ReferenceColumn, counts: Counts, drift: Drift, alpha: float
) -> ColumnVerdict:
    if min(verdict.rows, verdict.rows_ref) < drift.min_rows:
        few = (
            f"{verdict.rows:,} rows, {verdict.rows_ref:,} in the reference: nothing is claimed "
            f"below {drift.min_rows:,}"
        )
        return replace(verdict, status="insufficient", change=few, p_value=1.0, p_changed=1.0)
    fault = _fault(reference, counts, alpha)
    if fault:
        return replace(verdict, status="broken", change=fault)
    if verdict.p_value <= alpha:
        return replace(verdict, status="drift")
    return replace(verdict, status="immaterial" if verdict.p_changed <= alpha else "stable")


def _fault(reference: ReferenceColumn, counts: Counts, alpha: float) -> str:
    """What is broken: no values, or one and the same, where the reference's days never were so."""
    bins, n, rows = reference.bins, reference.bins.values, int(counts.sum())
    fewest = reference.fewest_cells
    occupied = int(np.count_nonzero(counts[:n]))
    had_values = bool(reference.counts[:n].any())
    if occupied == 0:
        cell = n + int(np.argmax(counts[n:]))
        if not had_values or fewest == 0 or not _surprising(reference, counts, rows, alpha):
            return ""
        return f"all {rows:,} rows are {bins.label(cell)}"
    if _mostly_unreadable(reference, counts):
        return f"{words.share(counts[n + 1] / rows)} of the rows are {NOT_FINITE}"
    varied = np.count_nonzero(reference.counts[:n]) > 1 and (fewest is None or fewest > 1)
    if occupied > 1 or not varied or not _surprising(reference, counts, rows, alpha):
        return ""
    cell = int(np.argmax(counts[:n]))
    if bins.ordered and cell in bins.outside:
        return ""
    if cell in bins.outside:
        return f"all values are {UNSEEN}"
    return f"constant: every value is {bins.label(cell)}"


def _mostly_unreadable(reference: ReferenceColumn, counts: Counts) -> bool:
    """Whether most rows hold something that is not a number, unlike in the reference."""
    if reference.bins.kind != "numeric":
        return False
    cell = reference.bins.null + 1
    return bool(counts[cell] * 2 > counts.sum() and reference.counts[cell] * 2 <= reference.rows)


def _surprising(reference: ReferenceColumn, counts: Counts, rows: int, alpha: float) -> bool:
    """Whether so many rows in these cells alone had at most the chance `alpha`."""
    inside = reference.counts[counts > 0].sum()
    chance = (inside + 0.5) / (reference.rows + 1)
    return bool(rows * math.log(chance) <= math.log(alpha))


def _excess(evidence: Evidence, epsilon: float) -> float:
    if not evidence.degrees:
        return -math.inf
    return evidence.n_eff * (evidence.divergence - epsilon)


def _either(evidence: list[Evidence], epsilons: list[float]) -> float:
    """Bonferroni over the parts that can be compared."""
    tested = [e.p_value(eps) for e, eps in zip(evidence, epsilons, strict=True) if e.degrees]
    return min(1.0, len(tested) * min(tested)) if tested else 1.0


def _change(
    reference: ReferenceColumn, counts: Counts, sums: Floats, beyond: list[bool], worst: int
) -> str:
    told = [
        words.value_change(reference, counts, sums),
        words.presence_change(reference, counts),
    ]
    both = all(beyond)
    return ", ".join(told) if both else told[worst]


def _statistics(reference: ReferenceColumn, counts: Counts, sums: Floats) -> ColumnStatistics:
    bins, n, ref = reference.bins, reference.bins.values, reference.counts
    cells = psi_cells(ref, bins)
    coarse_ref, coarse = gather(ref, cells), gather(counts, cells)
    outside, nan = outside_share(counts, bins), math.nan
    return ColumnStatistics(
        psi=psi(coarse_ref, coarse),
        ks=ks(ref[:n], counts[:n]) if bins.ordered else nan,
        js=js_distance(coarse_ref, coarse),
        wasserstein=(
            wasserstein_normed(ref[:n], reference.sums[:n], counts[:n], sums[:n])
            if bins.ordered
            else nan
        ),
        null_share=null_share(counts, bins),
        null_share_ref=null_share(ref, bins),
        unseen_share=nan if bins.ordered else outside,
        out_of_range_share=outside if bins.ordered else nan,
    )
