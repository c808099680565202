"""The hypotheses that are judged together: every column of every slice, with their counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.bets import Sample, growth
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.bins import Counts, Floats
from feedback_assets.drift.column import coarse_cells
from feedback_assets.drift.materiality import epsilon_of, presence_cells
from feedback_assets.drift.profile import WHOLE, ReferenceColumn, ReferenceProfile, SliceKey
from feedback_assets.drift.statistics import gather

TOGETHER = 48
"""Hypotheses whose bets are in memory at once."""


@dataclass(frozen=True)
class Hypothesis:
    """One column in one slice."""

    slice: SliceKey
    reference: ReferenceColumn
    whole: ReferenceColumn
    """The same column in all rows."""
    tally: Tally
    """One group a day."""
    counts: Counts
    """[days, cells] that may serve as evidence: 0 on days that may not."""
    margins: tuple[float, float]
    """Divergence that is immaterial, of the values and of the presence, nats."""

    @cached_property
    def cells(self) -> Counts:
        """[cells] the coarse cell of each."""
        return coarse_cells(self.whole)

    @cached_property
    def rows(self) -> Floats:
        """[days] rows that may serve as evidence."""
        return self.counts.sum(axis=1).astype(np.float64)


def hypotheses(
    profile: ReferenceProfile,
    stretch: Mapping[SliceKey, Mapping[str, Tally]],
    drift: Drift,
    matured: Mapping[str, Sequence[int]] | None = None,
) -> list[Hypothesis]:
    """Every column that was counted, of all rows first, then of each slice of the profile.

    Args:
        profile: The reference.
        stretch: Slice → column → its tally, one group a day.
        drift: `margin_sd` and `learn_margin` are read.
        matured: Column → positions that may serve as evidence; all of them if absent.

    Raises:
        ValueError: A tally was counted with other bins.
    """
    found = []
    for key in (WHOLE, *profile.segments):
        known = profile.columns if key == WHOLE else profile.segments[key]
        tallies = stretch.get(key, {})
        for name, reference in known.items():
            if name not in tallies:
                continue
            tally = tallies[name]
            counts = _checked(reference, tally).counts
            if matured is not None and name in matured:
                allowed = np.zeros(len(counts), np.int64)
                allowed[[p for p in matured[name] if p < len(counts)]] = 1
                counts = counts * allowed[:, None]
            found.append(
                Hypothesis(
                    key,
                    reference,
                    profile.columns[name],
                    tally,
                    counts,
                    margins(reference, profile.columns[name], drift),
                )
            )
    return found


def margins(
    reference: ReferenceColumn, whole: ReferenceColumn, drift: Drift
) -> tuple[float, float]:
    """Immaterial divergence of values and presence: as configured, or as learned if that is more.

    A slice learns from its own days, and is never held to be steadier than all rows together: days
    that move everything move it too, though it may have too few rows to show it.
    """
    least = epsilon_of(drift.margin_sd)
    if not drift.learn_margin:
        return least, least
    return (
        max(least, reference.margin, whole.margin),
        max(least, reference.presence_margin, whole.presence_margin),
    )


@dataclass(frozen=True)
class Processes:
    """The e-processes of some hypotheses: the bets' growth, of both questions."""

    growth: tuple[Floats, Floats]
    """[hypotheses, days, bets] for "beyond the margin" and "at all"."""
    shares: Floats
    """[hypotheses, bets]."""


def processes(group: Sequence[Hypothesis], low: int, high: int) -> Processes:
    """Bets on positions `low` to `high` of hypotheses of one kind (all ordered, or none)."""
    sample = _sample(group, low, high)
    values, presence = np.array([h.margins for h in group]).T
    much, shares = growth(sample, values, presence)
    some, _ = growth(sample, np.zeros(len(group)), np.zeros(len(group)))
    return Processes((much, some), shares)


def alike(family: Sequence[Hypothesis]) -> list[list[int]]:
    """Indices of hypotheses whose cells line up, in groups that fit in memory."""
    groups = []
    for ordered in (True, False):
        same = [i for i, h in enumerate(family) if h.reference.bins.ordered == ordered]
        groups += [same[i : i + TOGETHER] for i in range(0, len(same), TOGETHER)]
    return groups


def _sample(group: Sequence[Hypothesis], low: int, high: int) -> Sample:
    parts: list[list[Floats]] = [[], [], [], [], []]
    for h in group:
        bins, n = h.reference.bins, h.reference.bins.values
        cells, ways = h.cells[:n], presence_cells(bins)
        there = np.ones(n, np.int64)
        if not bins.ordered:
            there[len(bins.categories) :] = [
                bool(bins.others) or bins.open_ended,
                not bins.open_ended,
            ]
        possible = gather(there, cells) > 0
        days = h.counts[low:high]
        made = (
            gather(h.reference.counts[:n], cells), gather(days[:, :n], cells),
            possible.astype(np.float64), gather(h.reference.counts, ways), gather(days, ways),
        )  # fmt: skip
        for part, array in zip(parts, made, strict=True):
            part.append(array)
    return Sample(group[0].reference.bins.ordered, *(np.stack(part) for part in parts))


def _checked(reference: ReferenceColumn, tally: Tally) -> Tally:
    if tally.counts.shape[1] != reference.bins.size:
        raise ValueError(
            f"column {reference.name!r} was counted into {tally.counts.shape[1]} cells, the "
            f"reference has {reference.bins.size}: count it with the reference's bins"
        )
    return tally
