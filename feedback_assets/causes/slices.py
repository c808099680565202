"""Slices of rows on which the model is worse than elsewhere, found by search with error control.

Every cell of every feature and every pair of cells of two features is a slice (SliceLine, Sagadeeva
& Boehm 2021, and DivExplorer, Pastor et al. 2021, search the same lattice). A slice's statistic is
its summed excess loss in standard deviations of what a random set of as many rows would have. What
is reported must exceed the largest statistic of the whole search on all but a share
1 - `confidence` of random permutations of the loss (Westfall & Young 1993): so the chance of any
false slice is at most that share, whatever the dependence between slices.

After a slice is found its rows are set to the mean of the others, so that the next one is not its
shadow. The effect's interval uses the permutations' critical value and so holds for all slices at
once: having looked for the worst one does not make it too good; a slice whose own spread is so
wide that this interval reaches zero is not reported. Assumption: rows are exchangeable
if the model is equally good everywhere; losses that depend on each other within a day and
features that are constant on a day break it.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from feedback_assets.causes.cells import Cells, cut
from feedback_assets.causes.findings import Finding
from feedback_assets.causes.rows import Rows

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WeakSlice:
    """Rows that meet one or two conditions, and how much worse the model is on them."""

    conditions: tuple[tuple[str, str], ...]
    """(column, what its values are), as in ("temp", "over 9.1")."""
    rows: int
    share: float
    """Of all rows."""
    mean: float
    """Mean loss in the slice."""
    rest: float
    """Mean loss of the other rows."""
    low: float
    """Lower end of the interval of mean - rest, valid for all slices at once."""
    high: float
    """Upper end."""
    chance: float
    """Share of permutations of the loss in which some slice looks as weak."""
    metric: str = "loss"

    @property
    def effect(self) -> float:
        """How much larger the mean loss is than elsewhere."""
        return self.mean - self.rest

    @property
    def subject(self) -> str:
        """The conditions in words: "origin = EWR and temp over 9.1"."""
        return " and ".join(f"{column} {what}" for column, what in self.conditions)

    @property
    def text(self) -> str:
        """The slice, its size and how much worse it is, in plain words."""
        return (
            f"{self.metric} {self.mean:.4g} where {self.subject} ({self.rows:,} rows, "
            f"{self.share:.0%}), {self.rest:.4g} elsewhere: {self.effect:.3g} more "
            f"({self.low:.3g} to {self.high:.3g})"
        )

    def finding(self, partition_key: str) -> Finding:
        """The slice as a row of `findings`; the value is the effect."""
        return Finding(
            partition_key, "weak_slice", self.subject, self.text,
            self.effect, self.low, self.high, -float(np.log(self.chance)),
        )  # fmt: skip


def weak_slices(
    rows: Rows,
    confidence: float = 0.95,
    *,
    min_rows: int = 30,
    permutations: int = 200,
    limit: int = 5,
    max_rows: int = 20_000,
    seed: int = 7,
) -> list[WeakSlice]:
    """Slices with a larger loss than a permutation of the loss would give, weakest first.

    Args:
        rows: Labelled rows.
        confidence: 1 - the chance of any false slice.
        min_rows: Smaller slices are not searched; nor is the rest of such a slice.
        permutations: Of the loss. At least 1 / (1 - confidence) are needed for any finding.
        limit: Slices at most.
        max_rows: More rows than this are sampled (seeded).
        seed: Of the sample and the permutations.

    Returns:
        Slices in the order found, each with the rows of the earlier ones evened out; empty when
        there is nothing to find, too few rows, or no spread in the loss.
    """
    kept = rows.sampled(max_rows, seed)
    if len(kept) < 2 * min_rows or not np.ptp(kept.loss) > 0:
        return []
    lattice = _lattice(cut(kept.features), len(kept), min_rows)
    if not lattice.sizes.size:
        return []
    largest = _largest_by_chance(lattice, kept.loss, permutations, seed)
    level = np.quantile(np.append(largest, np.inf), confidence, method="inverted_cdf")
    loss = kept.loss.copy()
    found: list[WeakSlice] = []
    for _ in range(limit):
        scores = lattice.scores(lattice.sums(loss), loss)
        best = int(np.argmax(scores))
        if not scores[best] > level:
            break
        inside = lattice.members(best)
        chance = float((1 + np.sum(largest >= scores[best])) / (permutations + 1))
        told = _described(lattice.conditions(best), kept, inside, float(level), chance)
        # evening out a slice that overlaps one found before can make that one weak again
        if told.low > 0 and told.subject not in {earlier.subject for earlier in found}:
            found.append(told)
        loss[inside] += loss[~inside].mean() - loss[inside].mean()
        if not np.ptp(loss) > 0:
            break
    return found


@dataclass(frozen=True)
class _Lattice:
    """All slices with enough rows: `groups` of codes, and which codes of each are slices."""

    cells: list[Cells]
    rows: int
    pairs: list[tuple[int, int]]
    """Two columns' positions, or one's twice for its single cells."""
    wide: list[int]
    """Number of codes of each group."""
    supported: npt.NDArray[np.int64] = field(repr=False)
    """Positions, in the groups' codes laid end to end, of the slices."""
    sizes: Floats = field(repr=False)
    """Rows of each slice."""

    def codes(self, group: int) -> Codes:
        """The group's code of each row [n]."""
        return _group_codes(self.cells, self.pairs[group])

    def sums(self, loss: Floats) -> Floats:
        """Summed loss of each slice."""
        each = [
            np.bincount(self.codes(g), loss, minlength=wide) for g, wide in enumerate(self.wide)
        ]
        return np.asarray(np.concatenate(each)[self.supported], np.float64)

    def scores(self, sums: Floats, loss: Floats) -> Floats:
        """Excess of each slice's sum in standard deviations of a random set of as many rows."""
        n = self.rows
        sd = np.sqrt(loss.var() * self.sizes * (n - self.sizes) / (n - 1))
        return np.asarray((sums - self.sizes * loss.mean()) / np.maximum(sd, 1e-300))

    def place(self, which: int) -> tuple[int, int]:
        """(group, code) of a slice."""
        starts = np.concatenate([[0], np.cumsum(self.wide)])
        at = int(self.supported[which])
        group = int(np.searchsorted(starts, at, side="right")) - 1
        return group, at - int(starts[group])

    def members(self, which: int) -> npt.NDArray[np.bool_]:
        """Which rows are in a slice [n]."""
        group, code = self.place(which)
        return np.asarray(self.codes(group) == code)

    def conditions(self, which: int) -> tuple[tuple[str, str], ...]:
        """The slice's conditions."""
        group, code = self.place(which)
        first, second = (self.cells[i] for i in self.pairs[group])
        if first is second:
            return ((first.name, first.labels[code]),)
        one, two = divmod(code, len(second.labels))
        return ((first.name, first.labels[one]), (second.name, second.labels[two]))


def _lattice(cells: list[Cells], rows: int, min_rows: int) -> _Lattice:
    """Single cells first, then pairs, so that of equal slices the simpler one is found."""
    singles = [(i, i) for i in range(len(cells))]
    pairs = singles + [(i, j) for i in range(len(cells)) for j in range(i + 1, len(cells))]
    wide = [len(cells[i].labels) * (len(cells[j].labels) if i != j else 1) for i, j in pairs]
    counts = [
        np.bincount(_group_codes(cells, pair), minlength=w)
        for pair, w in zip(pairs, wide, strict=True)
    ]
    sizes = np.concatenate(counts) if counts else np.empty(0)
    supported = np.flatnonzero((sizes >= min_rows) & (rows - sizes >= min_rows))
    return _Lattice(cells, rows, pairs, wide, supported, sizes[supported].astype(np.float64))


def _group_codes(cells: list[Cells], pair: tuple[int, int]) -> Codes:
    first, second = (cells[i] for i in pair)
    if first is second:
        return first.codes
    return first.codes * len(second.labels) + second.codes


def _largest_by_chance(lattice: _Lattice, loss: Floats, permutations: int, seed: int) -> Floats:
    """Largest score of the whole search in each permutation of the loss [permutations].

    In single precision, whose error is far below the difference of two permutations.
    """
    rng = np.random.default_rng(seed)
    shuffled = np.tile((loss - loss.mean()).astype(np.float32), (permutations, 1))
    shuffled = np.ascontiguousarray(rng.permuted(shuffled, axis=1).T)
    n = lattice.rows
    sums = _all_sums(lattice, shuffled)[lattice.supported]
    sd = np.sqrt(loss.var() * lattice.sizes * (n - lattice.sizes) / (n - 1))
    return np.asarray((sums / sd[:, None]).max(axis=0), np.float64)


def _all_sums(lattice: _Lattice, losses: Singles) -> Singles:
    """Summed losses [codes, permutations] of every code of every group.

    One matrix product for each cell of each column: its rows' losses against all cells of the
    columns after it.
    """
    widths = [len(c.labels) for c in lattice.cells]
    first = np.concatenate([[0], np.cumsum(widths)])
    member = np.zeros((int(first[-1]), lattice.rows), np.float32)
    for start, cells in zip(first, lattice.cells, strict=False):
        member[start + cells.codes, np.arange(lattice.rows)] = 1
    starts = dict(zip(lattice.pairs, np.cumsum([0, *lattice.wide]), strict=False))
    sums = np.zeros((sum(lattice.wide), losses.shape[1]), np.float32)
    sums[: first[-1]] = member @ losses
    for i, cells in enumerate(lattice.cells[:-1]):
        for a in range(widths[i]):
            inside = np.flatnonzero(cells.codes == a)
            block = member[first[i + 1] :, inside] @ losses[inside]
            for j in range(i + 1, len(widths)):
                at = starts[i, j] + a * widths[j]
                sums[at : at + widths[j]] = block[first[j] - first[i + 1] :][: widths[j]]
    return sums


def _described(
    conditions: tuple[tuple[str, str], ...],
    rows: Rows,
    inside: npt.NDArray[np.bool_],
    level: float,
    chance: float,
) -> WeakSlice:
    """The slice on the rows' own losses; its interval has the permutations' critical value."""
    own, others = rows.loss[inside], rows.loss[~inside]
    error = float(np.sqrt(own.var(ddof=1) / own.size + others.var(ddof=1) / others.size))
    effect = float(own.mean() - others.mean())
    return WeakSlice(
        conditions, own.size, own.size / len(rows), float(own.mean()), float(others.mean()),
        effect - level * error, effect + level * error, chance, rows.metric,
    )  # fmt: skip
