"""The verdict on one column of one slice, and the figures that are shown with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from feedback_assets.drift import words
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.bins import NOT_FINITE, UNSEEN, ColumnBins, Counts, Floats, short
from feedback_assets.drift.materiality import (
    presence_difference,
    value_difference,
)
from feedback_assets.drift.profile import ReferenceColumn, Role, SliceKey
from feedback_assets.drift.statistics import (
    chi2_statistic,
    g_statistic,
    gather,
    hellinger,
    js_distance,
    ks,
    null_share,
    outside_share,
    psi,
    psi_cells,
    shares,
    wasserstein_normed,
)

ColumnStatus = Literal["stable", "immaterial", "drift", "insufficient", "broken"]


@dataclass(frozen=True)
class ColumnStatistics:
    """Figures of the judged day; NaN where one cannot be known. They are shown, never decide."""

    psi: float
    """On tenths of the reference or its 20 largest categories, with null and outside."""
    ks: float
    """Over the ordered value cells; NaN for categories."""
    js: float
    """Jensen-Shannon distance on the cells of the PSI, base 2."""
    hellinger: float
    """On the cells of the PSI."""
    wasserstein: float
    """In standard deviations of the reference; NaN for categories."""
    g: float
    """Log-likelihood ratio of homogeneity on the cells of the PSI."""
    chi2: float
    """Pearson's chi-square of homogeneity on the cells of the PSI."""
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
    """What is claimed of one column, in all rows or in one slice of them."""

    name: str
    role: Role
    kind: str
    slice: SliceKey
    """Segment and value; two empty texts for all rows."""
    status: ColumnStatus
    change: str
    """What moved most, in words with numbers; why nothing is claimed; empty if stable."""
    statistics: ColumnStatistics
    evidence: float
    """ln e of "a change beyond the margin has happened"; NaN if nothing is claimed."""
    evidence_changed: float
    """ln e of "a change of any size has happened"; NaN if nothing is claimed."""
    since: str | None
    """Partition since about when, if something changed."""
    before: bool
    """Whether `since` is only as far as was looked back."""
    weight: float
    """How much the column's drift counts in the policy."""
    impact: float
    """Change of the loss per row that the column's move predicts; NaN if not known."""
    size_sd: float
    """The divergence as a shift of a normal distribution, in standard deviations."""
    margin_sd: float
    """How large that may be without mattering: the configured margin or the learned one."""
    rows: int
    """Rows of the judged day."""
    rows_ref: int
    counts: tuple[int, ...]
    """The judged day's rows by cell of the reference's bins; days merge by addition."""
    ignored: bool = False
    """Shown, but never decides."""

    @property
    def label(self) -> str:
        """The column's name, and where."""
        return self.name if self.slice == ("", "") else f"{self.name} where {self.where}"

    @property
    def where(self) -> str:
        """The slice in words: "origin = EWR"; empty for all rows."""
        segment, value = self.slice
        return f"{segment} = {short(value)}" if segment else ""

    @property
    def size(self) -> str:
        """The size of the change in words."""
        return f"like a shift of {self.size_sd:.2f} sd, immaterial up to {self.margin_sd:.2f} sd"

    @property
    def reason(self) -> str:
        """Why the status is what it is, in plain words with numbers."""
        if self.status == "stable":
            return "no change beyond chance"
        if self.status == "immaterial":
            return f"change immaterial: {self.change}, {self.size}"
        if self.status == "drift":
            since = f" since about {self.since}" if self.since else ""
            since += " or before" if self.since and self.before else ""
            told = f"{self.change}; e = {words.e_value(self.evidence)}"
            return f"material change{since} ({told})"
        return self.change


def statistics_of(
    bins: ColumnBins, coarse: Counts, ref: Tally, cur: Tally
) -> list[ColumnStatistics]:
    """The figures of several groups (days, slices) of one column.

    Args:
        bins: The column's cells.
        coarse: [cells] the coarse cell of each cell, as `psi_cells` gives it.
        ref: What each group is compared with: as many groups.
        cur: The groups.
    """
    n, a, b = bins.values, gather(ref.counts, coarse), gather(cur.counts, coarse)
    outside, nan = outside_share(cur.counts, bins), np.full(len(cur.counts), np.nan)
    moved = nan
    if bins.ordered:
        sides = (ref.counts, ref.sums, cur.counts, cur.sums)
        with np.errstate(all="ignore"):
            moved = wasserstein_normed(*(side[:, :n] for side in sides))
    found: Mapping[str, Floats] = {
        "psi": psi(a, b),
        "ks": ks(ref.counts[:, :n], cur.counts[:, :n]) if bins.ordered else nan,
        "js": js_distance(a, b),
        "hellinger": hellinger(a, b),
        "wasserstein": moved,
        "g": g_statistic(a, b),
        "chi2": chi2_statistic(a, b),
        "null_share": null_share(cur.counts, bins),
        "null_share_ref": null_share(ref.counts, bins),
        "unseen_share": nan if bins.ordered else outside,
        "out_of_range_share": outside if bins.ordered else nan,
    }
    names = [f.name for f in fields(ColumnStatistics)]
    rows = np.stack([found[name] for name in names], axis=1).tolist()
    return [ColumnStatistics(*row) for row in rows]


def coarse_cells(reference: ReferenceColumn) -> Counts:
    """The coarse cells of a column: int64 [cells], values first."""
    return psi_cells(reference.counts, reference.bins)


def sizes(
    bins: ColumnBins, coarse: Counts, ref: Counts, cur: Counts, margins: Floats
) -> tuple[Floats, Floats, Counts]:
    """Size and margin in standard deviations, and which part is further beyond its margin.

    Args:
        bins: The column's cells.
        coarse: [cells] the coarse cell of each cell.
        ref: [groups, cells] what each group is compared with.
        cur: [groups, cells].
        margins: [groups, 2] of the values and of the presence, nats.

    Returns:
        [groups] each; the part is 0 for the values, 1 for the presence, 2 for both.
    """
    parts = [
        value_difference(ref, cur, bins, cells=coarse),
        presence_difference(ref, cur, bins),
    ]
    found = np.stack([part.divergence for part in parts], axis=1)
    weight = np.stack([np.where(part.degrees > 0, part.n_eff, 0.0) for part in parts], axis=1)
    beyond = np.where(weight > 0, weight * (found - margins), -np.inf)
    worst = np.argmax(beyond, axis=1)
    at = (np.arange(len(worst)), worst)
    size, margin = (np.sqrt(2 * np.maximum(side[at], 0.0)) for side in (found, margins))
    return size, margin, np.where((beyond > 0).all(axis=1), 2, worst)


def change_of(reference: ReferenceColumn, counts: Counts, sums: Floats, part: int) -> str:
    """What moved, in words: the values (part 0), the presence (1), or both (2)."""
    told = [
        words.value_change(reference, counts, sums),
        words.presence_change(reference, counts),
    ]
    return ", ".join(told) if part == 2 else told[part]


def impact_of(whole: ReferenceColumn, ref: Counts, cur: Counts) -> Floats:
    """Change of the mean expected loss that these groups' mix of cells predicts: [groups].

    The mean expected loss of a cell is that of the reference's rows in it; a cell without any
    (unseen, out of range) is taken as the average row. What the move does to rows within a cell,
    or through other columns that moved along, is not in it.

    Args:
        whole: The column in the reference of all rows: what a cell costs.
        ref: [groups, cells] what each group is compared with.
        cur: [groups, cells].
    """
    if whole.losses is None or whole.loss_rows is None or not whole.loss_rows.any():
        return np.full(len(cur), np.nan)
    average = whole.losses.sum() / whole.loss_rows.sum()
    known = whole.loss_rows > 0
    cost = np.where(known, whole.losses / np.maximum(whole.loss_rows, 1), average)
    return (shares(cur) - shares(ref)) @ cost


def fault(reference: ReferenceColumn, counts: Counts, chance: float) -> str:
    """What is broken: no values, or one and the same, where the reference's days never were so.

    Args:
        reference: The column in the reference.
        counts: [cells] of the judged day.
        chance: How likely such a day may be at most before it is called broken.
    """
    bins, n, rows = reference.bins, reference.bins.values, int(counts.sum())
    fewest = reference.fewest_cells
    occupied = int(np.count_nonzero(counts[:n]))
    had_values = bool(reference.counts[:n].any())
    if occupied == 0:
        cell = n + int(np.argmax(counts[n:]))
        if not had_values or fewest == 0 or not _surprising(reference, counts, rows, chance):
            return ""
        return f"all {rows:,} rows are {bins.label(cell)}"
    if _mostly_unreadable(reference, counts):
        return f"{words.share(counts[n + 1] / rows)} of the rows are {NOT_FINITE}"
    varied = np.count_nonzero(reference.counts[:n]) > 1 and (fewest is None or fewest > 1)
    if occupied > 1 or not varied or not _surprising(reference, counts, rows, chance):
        return ""
    return _constant(bins, int(np.argmax(counts[:n])))


def _constant(bins: ColumnBins, cell: int) -> str:
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


def _surprising(reference: ReferenceColumn, counts: Counts, rows: int, chance: float) -> bool:
    """Whether so many rows in these cells alone had at most the chance given."""
    inside = reference.counts[counts > 0].sum()
    likely = (inside + 0.5) / (reference.rows + 1)
    return bool(rows * math.log(likely) <= math.log(chance))
