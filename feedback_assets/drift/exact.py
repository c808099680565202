"""Exact drift statistics on raw values, on demand: what the counts of the verdict only bound.

The verdict comes from counts and needs no raw rows. These figures are for whoever wants the
textbook number: one column at a time is read in batches into a reused buffer, and compared at
about the cost of reading it (see `exact_order`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from feedback_assets.drift import statistics as s
from feedback_assets.drift.binning import count_categories
from feedback_assets.drift.bins import ColumnBins, Counts, Kind
from feedback_assets.drift.exact_order import compare
from feedback_assets.drift.exact_source import (
    MAX_CATEGORIES,
    Batches,
    Frame,
    Numbers,
    ParquetFiles,
    buffer_for,
    count_values,
)

__all__ = ["Batches", "ExactStatistics", "Frame", "ParquetFiles", "exact_statistics"]

TENTHS = tuple(np.linspace(0, 1, s.PSI_BINS + 1).tolist())
NAN = float("nan")


@dataclass(frozen=True)
class ExactStatistics:
    """Figures of one column; NaN where one is not defined or not known (`reason` says why)."""

    kind: Kind
    rows: int
    rows_ref: int
    null_share: float
    """Of all rows: null, or no finite number (text: empty)."""
    null_share_ref: float
    psi: float = NAN
    """On exact tenths of the reference, beyond its range, and null; categories: the 20 largest,
    the rest, unseen and null."""
    js: float = NAN
    """Jensen-Shannon distance, base 2: on the same tenths; categories: on every one, and null."""
    hellinger: float = NAN
    """Hellinger distance on the cells of `js`."""
    g: float = NAN
    """Log-likelihood ratio of homogeneity on the cells of `js`."""
    chi2: float = NAN
    """Pearson's chi-square of homogeneity on the cells of `js`."""
    ks: float = NAN
    """Kolmogorov-Smirnov distance of the finite values; NaN for categories."""
    ks_p: float = NAN
    """Its two-sided p-value by Kolmogorov's limit."""
    wasserstein: float = NAN
    """First Wasserstein distance, in the column's unit (text: characters)."""
    wasserstein_sd: float = NAN
    """The same in standard deviations of the reference (divisor n)."""
    mean: float = NAN
    mean_ref: float = NAN
    sd_ref: float = NAN
    outside_share: float = NAN
    """Of the values: beyond the reference's range, or categories that it never had."""
    edges: tuple[float, ...] = ()
    """Numeric and text: the tenths; the last edge lies just above the largest value."""
    counts: tuple[int, ...] = ()
    """Numeric and text: rows below, in each tenth, above | null, not finite (text: empty)."""
    counts_ref: tuple[int, ...] = ()
    reason: str = ""


def exact_statistics(
    reference: Batches, current: Batches, kinds: Mapping[str, Kind]
) -> dict[str, ExactStatistics]:
    """Exact statistics of every column in `kinds`, in that order.

    Memory: 8 bytes a row and side (two buffers for all columns), up to `MAX_KEPT` rows; beyond
    that the columns are read three times instead of once. Numbers are taken as float64.

    Args:
        reference: `ParquetFiles([...])` or `Frame(...)`.
        current: As `reference`.
        kinds: Columns to take, and what each holds.
    """
    buffers = buffer_for(reference), buffer_for(current)
    found = {}
    for name, kind in kinds.items():
        if kind == "categorical":
            found[name] = _categories(reference, current, name)
        else:
            ref, cur = (
                Numbers(table, name, kind, buffer)
                for table, buffer in zip((reference, current), buffers, strict=True)
            )
            found[name] = _numeric(ref, cur, kind)
    return found


def _numeric(ref: Numbers, cur: Numbers, kind: Kind) -> ExactStatistics:
    from scipy.special import kolmogorov

    compared = compare(ref.chunks, cur.chunks, TENTHS)
    inside_ref = [ref.finite] if compared is None else compared.counts_ref
    inside = [cur.finite] if compared is None else compared.counts
    cells_ref, cells = (
        np.array([*values, *side.without], np.int64)
        for values, side in ((inside_ref, ref), (inside, cur))
    )
    values = len(inside)
    found = ExactStatistics(
        kind=kind,
        rows=int(cells.sum()),
        rows_ref=int(cells_ref.sum()),
        null_share=float(s.shares(cells)[values:].sum()),
        null_share_ref=float(s.shares(cells_ref)[values:].sum()),
        psi=float(s.psi(cells_ref, cells)),
        counts=tuple(cells.tolist()),
        counts_ref=tuple(cells_ref.tolist()),
    )
    found = _with_homogeneity(found, cells_ref, cells)
    if compared is None:
        empty = "the reference" if not ref.finite else "the current rows"
        return replace(found, reason=f"{empty} hold no value")
    n, m = compared.rows_ref, compared.rows
    return replace(
        found,
        ks=compared.ks,
        ks_p=float(kolmogorov(compared.ks * np.sqrt(n * m / (n + m)))),
        wasserstein=compared.wasserstein,
        wasserstein_sd=compared.wasserstein / compared.sd_ref if compared.sd_ref > 0 else NAN,
        mean=compared.mean,
        mean_ref=compared.mean_ref,
        sd_ref=compared.sd_ref,
        outside_share=float(s.shares(inside)[[0, -1]].sum()),
        edges=compared.edges,
    )


def _categories(reference: Batches, current: Batches, name: str) -> ExactStatistics:
    ref, cur = (count_values(table, name) for table in (reference, current))
    if ref is None or cur is None:
        return ExactStatistics(
            "categorical", current.rows, reference.rows, NAN, NAN,
            reason=f"more than {MAX_CATEGORIES:,} different values: it is no categorical column",
        )  # fmt: skip
    every = list(dict.fromkeys([*ref, *cur]))
    cells_ref, cells = (np.array([side.get(v, 0) for v in every], np.int64) for side in (ref, cur))
    rows_ref, rows = int(cells_ref.sum()), int(cells.sum())
    unseen = sum(n for value, n in cur.items() if value is not None and value not in ref)
    values = rows - cur.get(None, 0)
    found = ExactStatistics(
        kind="categorical",
        rows=rows,
        rows_ref=rows_ref,
        null_share=cur.get(None, 0) / rows if rows else NAN,
        null_share_ref=ref.get(None, 0) / rows_ref if rows_ref else NAN,
        psi=_category_psi(ref, cur),
        outside_share=unseen / values if values else NAN,
        reason="" if rows and rows_ref else "no rows",
    )
    return _with_homogeneity(found, cells_ref, cells)


def _category_psi(ref: Mapping[str | None, int], cur: Mapping[str | None, int]) -> float:
    known = [value for value in ref if value is not None]
    ranked = sorted(known, key=lambda value: (-ref[value], value))
    bins = ColumnBins("categorical", categories=tuple(ranked))
    counts_ref, counts = (count_categories(side, bins) for side in (ref, cur))
    cells = s.psi_cells(counts_ref, bins)
    return float(s.psi(s.gather(counts_ref, cells), s.gather(counts, cells)))


def _with_homogeneity(found: ExactStatistics, ref: Counts, cur: Counts) -> ExactStatistics:
    return replace(
        found,
        js=float(s.js_distance(ref, cur)),
        hellinger=float(s.hellinger(ref, cur)),
        g=float(s.g_statistic(ref, cur)),
        chi2=float(s.chi2_statistic(ref, cur)),
    )
