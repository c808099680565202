"""Evidence, family decision and figures of many hypotheses over the days that are asked for."""

from collections.abc import Sequence

import numpy as np

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.bets import RECENT
from feedback_assets.drift.binning import Tally
from feedback_assets.drift.bins import Floats
from feedback_assets.drift.column import (
    ColumnStatistics,
    ColumnStatus,
    ColumnVerdict,
    change_of,
    fault,
    impact_of,
    sizes,
    statistics_of,
)
from feedback_assets.drift.ebh import e_bh
from feedback_assets.drift.eprocess import evidence, first_day, once, stakes
from feedback_assets.drift.family import Hypothesis, Processes, alike, processes
from feedback_assets.drift.profile import WHOLE


class Bench:
    """All that the wanted days have in common, worked out once; then `columns` of each."""

    def __init__(
        self,
        family: Sequence[Hypothesis],
        days: list[str],
        drift: Drift,
        positions: list[int],
        low: int,
        alone: bool = False,
        skipped: int = 0,
    ) -> None:
        self.family, self.days, self.drift, self.positions = family, days, drift, positions
        self.low, self.alone, self.skipped = low, alone, skipped
        self.log_e = np.full((2, len(family), len(positions)), np.nan)
        self.since: dict[tuple[int, int], tuple[int, bool]] = {}
        for group in alike(family):
            made = processes([family[k] for k in group], low, positions[-1] + 1)
            self.log_e[:, group] = self._evidence(made)
            if not alone:
                self._date(group, made)
        self.figures: dict[int, tuple[list[ColumnStatistics], Floats, Floats, Floats]] = {}
        for name in dict.fromkeys(h.reference.name for h in family):
            self._figure([k for k, h in enumerate(family) if h.reference.name == name])

    def columns(self, i: int) -> list[ColumnVerdict]:
        """The verdicts of the i-th wanted day, all of them judged together."""
        here = [k for k, h in enumerate(self.family) if self._shown(h, i)]
        said = {k: self._unclaimed(self.family[k], i) for k in here}
        said |= {k: self._broken(self.family[k], i, len(here)) for k in here if not said[k][1]}
        # What is broken as a whole is broken in its slices, and no drift there.
        faults = {self.family[k].reference.name: said[k] for k in here if said[k][0] == "broken"}
        said |= {k: faults.get(self.family[k].reference.name, said[k]) for k in here}
        judged = [k for k in here if not said[k][1]]
        counted = [k for k in judged if not self._ignored(k)]
        for group in (counted, *([k] for k in judged if self._ignored(k))):
            material, changed = (e_bh(self.log_e[q, group, i], self.drift.alpha) for q in (0, 1))
            for k, much, some in zip(group, material, changed, strict=True):
                said[k] = ("drift" if much else "immaterial" if some else "stable", "")
        return [self._verdict(k, i, *said[k]) for k in here]

    def _evidence(self, made: Processes) -> Floats:
        """Logarithms of e of both questions: [2, hypotheses, wanted]."""
        if self.alone:
            return np.stack([once(g[:, 0], made.shares)[:, None] for g in made.growth])
        window, low = self.drift.window_days, self.skipped + self.low
        at = [self.skipped + position for position in self.positions]
        return np.stack([evidence(g, made.shares, low, at, window) for g in made.growth])

    def _date(self, group: Sequence[int], made: Processes) -> None:
        """Date what may turn out a change: e-BH rejects nothing with e below 1 / alpha."""
        bar = -np.log(self.drift.alpha)
        for place, k in enumerate(group):
            for i, position in enumerate(self.positions):
                question = 0 if self.log_e[0, k, i] >= bar else 1
                if self.log_e[question, k, i] < bar:
                    continue
                start = max(0, position - self.drift.window_days + 1)
                grown = made.growth[question][place, start - self.low : position + 1 - self.low]
                earlier = self.skipped + start
                if earlier > 0:
                    grown = grown.copy()
                    grown[:RECENT, -1] = 0.0
                rows = self.family[k].rows[start : position + 1]
                found = first_day(grown, made.shares[place], rows, earlier)
                self.since[k, i] = start + found, earlier > 0 and found == 0

    def _figure(self, same: list[int]) -> None:
        """Figures of one column in all its slices, on every wanted day."""
        held, days = [self.family[k] for k in same], len(self.positions)
        now = Tally(
            np.concatenate([h.tally.counts[self.positions] for h in held]),
            np.concatenate([h.tally.sums[self.positions] for h in held]),
        )
        then = Tally(
            np.repeat([h.reference.counts for h in held], days, axis=0),
            np.repeat([h.reference.sums for h in held], days, axis=0),
        )
        bins, cells = held[0].reference.bins, held[0].cells
        margins = np.repeat([h.margins for h in held], days, axis=0)
        figures = statistics_of(bins, cells, then, now)
        size, margin, _ = sizes(bins, cells, then.counts, now.counts, margins)
        impact = impact_of(held[0].whole, then.counts, now.counts)
        for i, k in enumerate(same):
            at = slice(i * days, (i + 1) * days)
            self.figures[k] = (figures[at], size[at], margin[at], impact[at])

    def _shown(self, h: Hypothesis, i: int) -> bool:
        """Answers and labels of which there is not a single row are not there yet."""
        position = self.positions[i]
        return h.reference.role == "feature" or bool(h.tally.counts[position].any())

    def _ignored(self, k: int) -> bool:
        return self.family[k].reference.name in self.drift.ignore

    def _unclaimed(self, h: Hypothesis, i: int) -> tuple[ColumnStatus, str]:
        """Why nothing can be claimed, if so."""
        position, least = self.positions[i], self.drift.min_rows
        rows = int(h.tally.counts[position].sum())
        held = int(h.rows[max(0, position - self.drift.window_days + 1) : position + 1].sum())
        if h.reference.rows < least:
            missing = least - h.reference.rows
            return (
                "insufficient",
                f"{h.reference.rows:,} rows in the reference, {missing:,} more needed",
            )
        if not rows:
            return "insufficient", "no rows"
        if not h.rows[position]:
            return "insufficient", f"{rows:,} rows, shown only: more of this day are to come"
        if held < least:
            return "insufficient", f"{held:,} rows, {least - held:,} more needed"
        return "stable", ""

    def _broken(self, h: Hypothesis, i: int, family: int) -> tuple[ColumnStatus, str]:
        # One day of a slice has few rows, and a constant may be all it can hold.
        if h.slice != WHOLE:
            return "stable", ""
        position = self.positions[i]
        looks = self.skipped + position
        spent = 1.0 if self.alone else float(stakes(looks, looks + 1)[0])
        found = fault(h.reference, h.tally.counts[position], self.drift.alpha * spent / family)
        return ("broken", found) if found else ("stable", "")

    def _verdict(self, k: int, i: int, status: ColumnStatus, change: str) -> ColumnVerdict:
        h, position = self.family[k], self.positions[i]
        figures, size, margin, impact = self.figures[k]
        claimed = status not in ("insufficient", "broken")
        size_sd, margin_sd, since, before = float(size[i]), float(margin[i]), None, False
        if status in ("drift", "immaterial"):
            start, before = self.since.get((k, i), (position, False))
            since = None if self.alone else self.days[start]
            counts = h.counts[start : position + 1].sum(axis=0)
            sums = h.tally.sums[start : position + 1][h.rows[start : position + 1] > 0].sum(axis=0)
            sized, margins, part = sizes(
                h.reference.bins,
                h.cells,
                h.reference.counts[None],
                counts[None],
                np.array([h.margins]),
            )
            size_sd, margin_sd = float(sized[0]), float(margins[0])
            change = change_of(h.reference, counts, sums, int(part[0]))
        return ColumnVerdict(
            name=h.reference.name,
            role=h.reference.role,
            kind=h.reference.bins.kind,
            slice=h.slice,
            status=status,
            change=change,
            statistics=figures[i],
            evidence=float(self.log_e[0, k, i]) if claimed else float("nan"),
            evidence_changed=float(self.log_e[1, k, i]) if claimed else float("nan"),
            since=since,
            before=before,
            weight=self.drift.weights.get(h.reference.name, 1.0),
            impact=float(impact[i]),
            size_sd=size_sd,
            margin_sd=margin_sd,
            rows=int(h.tally.counts[position].sum()),
            rows_ref=h.reference.rows,
            counts=tuple(h.tally.counts[position].tolist()),
            ignored=self._ignored(k),
        )
