"""Exact order statistics of two samples at about the cost of reading them.

Two samples of numbers are dealt into some ten thousand cells in ascending order. At the cells' ends
both distribution functions are known exactly, so inside a cell they can only lie between its ends.
That settles almost all cells: they cannot hold the largest distance, and neither function crosses
the other, so there the area between them follows from counts and sums. Only what remains (and what
an asked order statistic needs) is taken out and sorted. Sorting everything gives the same figures
at three to ten times the cost.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from feedback_assets.drift.bins import Floats

Ints = npt.NDArray[np.int64]
Chunks = Callable[[], Iterable[Floats]]
"""Gives the same finite values in chunks each time it is called."""

PIECE = 1 << 16
"""Values worked on at a time: they stay in the processor's cache."""
MAX_CELLS = 1 << 16
ROWS_PER_CELL = 16
MIN_CELLS = 1 << 13
"""So many cells by exponent are each at most one octave wide: sums over one stay accurate."""
SAMPLE = 1 << 14
TAIL = 1e-3
"""Share of the sampled different values left to the first and the last cell, always open."""
_SIGN = np.int64(np.iinfo(np.int64).max)
_LARGEST = np.finfo(np.float64).max.view(np.int64)
"""Key of the largest number."""


@dataclass(frozen=True)
class Comparison:
    """What the two samples say."""

    rows: int
    rows_ref: int
    ks: float
    """Largest distance of the distribution functions, exact."""
    wasserstein: float
    """Area between them, in the unit of the values; exact but for rounding."""
    mean: float
    mean_ref: float
    sd_ref: float
    """Standard deviation of the reference, divisor n."""
    edges: tuple[float, ...]
    """The order statistics of the reference that were asked for, ascending, without ties."""
    counts_ref: Ints
    """int64 [edges + 1]: reference values below the first edge, in [edge, next edge), beyond."""
    counts: Ints
    """The same of the current values."""


@dataclass(frozen=True)
class Grid:
    """A monotone map of numbers to cells 0 to `cells` - 1, and to a measure `y` linear in them."""

    low: float
    """Linear: where the second cell begins."""
    scale: float
    """Linear: cells per unit; 0 if the cells follow the numbers' exponents instead."""
    cells: int
    first: int = 0
    """By exponent: key of the second cell."""
    shift: int = 0
    """By exponent: bits of the key that a cell spans."""

    def place(self, x: Floats) -> tuple[Ints, Floats]:
        """Cell and measure of each value, both of shape [values]."""
        if not self.scale:
            keys = ((ordered_bits(x) >> self.shift) - self.first) + 1
            return np.clip(keys, 0, self.cells - 1, out=keys), x
        y = np.subtract(x, self.low)
        y *= self.scale
        inside = np.clip(y, -1.0, self.cells - 2)
        inside += 1.0
        return inside.astype(np.int64), y

    @property
    def unit(self) -> float:
        """Size of one `y` in the unit of the values."""
        return 1 / self.scale if self.scale else 1.0

    @cached_property
    def starts(self) -> Floats:
        """`y` at which cells 1 to `cells` - 1 begin: [cells - 1]."""
        if self.scale:
            return np.arange(self.cells - 1, dtype=np.float64)
        keys = np.arange(self.cells - 1, dtype=np.int64) + self.first
        return of_ordered_bits(np.minimum(keys, _LARGEST >> self.shift) << self.shift)


@dataclass
class Counted:
    """One sample in the cells of a grid."""

    grid: Grid
    centre: float
    counts: Ints = field(init=False)
    sums: Floats = field(init=False)
    rows: int = 0
    total: float = 0.0
    """Of the values' differences from `centre`."""
    squares: float = 0.0

    def __post_init__(self) -> None:
        """Start with nothing."""
        self.counts = np.zeros(self.grid.cells, np.int64)
        self.sums = np.zeros(self.grid.cells)

    def add(self, x: Floats) -> None:
        """Count a chunk of values."""
        cells, y = self.grid.place(x)
        self.counts += np.bincount(cells, minlength=self.grid.cells)
        self.sums += np.bincount(cells, y, self.grid.cells)
        gaps = x - self.centre
        self.rows += len(x)
        self.total += float(gaps.sum())
        self.squares += float(np.square(gaps, out=gaps).sum())

    @cached_property
    def before(self) -> Ints:
        """Values in the cells before each, once all is counted: [cells]."""
        return np.asarray(np.cumsum(self.counts) - self.counts)

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return self.centre + self.total / self.rows

    @property
    def sd(self) -> float:
        """Standard deviation of the values, divisor n."""
        gap = self.total / self.rows
        return float(np.sqrt(max(self.squares / self.rows - gap * gap, 0.0)))


@dataclass(frozen=True)
class Held:
    """The values of the open cells, in order."""

    x: Floats
    """Different values, ascending."""
    times: Ints
    """How often each occurs."""
    skipped: Ints
    """[cells]: values that lie before each cell and are not held."""

    @cached_property
    def up_to(self) -> Ints:
        """Held values up to each of `x`, with a leading 0: [x + 1]."""
        return np.append(0, np.cumsum(self.times))

    def before(self, x: Floats, cells: Ints, reached: npt.NDArray[np.bool_]) -> Ints:
        """How many values of the whole sample lie below each `x`, or, where reached, up to it."""
        below = np.searchsorted(self.x, x, side="left")
        up_to = np.searchsorted(self.x, x, side="right")
        return self.up_to[np.where(reached, up_to, below)] + self.skipped[cells]


def compare(reference: Chunks, current: Chunks, ranks: Sequence[float] = ()) -> Comparison | None:
    """Compare two samples of finite numbers; None if one of them is empty.

    Args:
        reference: Its values in chunks; called three times.
        current: As `reference`.
        ranks: Shares (0 to 1) of the reference whose order statistics become `edges`. A value
            that several of them share is followed by an edge just above it, so that it gets a
            cell of its own; the last edge lies just above the last of them.
    """
    samples = [_sample(chunks) for chunks in (reference, current)]
    if not (samples[0][1] and samples[1][1]):
        return None
    grid = _grid(samples[0][0], samples[1][0], samples[0][1] + samples[1][1])
    centre = float(np.median(samples[0][0]))
    with np.errstate(over="ignore", invalid="ignore"):
        ref, cur = (_counted(chunks, grid, centre) for chunks in (reference, current))
        wanted = np.array([round(share * (ref.rows - 1)) for share in ranks], np.int64)
        is_open = _unsettled(ref, cur)
        is_open[np.searchsorted(np.cumsum(ref.counts), wanted, side="right")] = True
        typical = _typical(grid, np.concatenate([values for values, _ in samples]))
        held_ref, held = (
            _hold(chunks, side, is_open, typical)
            for chunks, side in ((reference, ref), (current, cur))
        )
        ks, area = _distances(ref, cur, held_ref, held, is_open)
    edges, reached = _edges(held_ref, ref, wanted)
    at = grid.place(edges)[0]
    return Comparison(
        rows=cur.rows,
        rows_ref=ref.rows,
        ks=ks,
        wasserstein=area,
        mean=cur.mean,
        mean_ref=ref.mean,
        sd_ref=ref.sd,
        edges=tuple(np.where(reached, np.nextafter(edges, np.inf), edges).tolist()),
        counts_ref=np.diff(held_ref.before(edges, at, reached), prepend=0, append=ref.rows),
        counts=np.diff(held.before(edges, at, reached), prepend=0, append=cur.rows),
    )


def ordered_bits(x: Floats) -> Ints:
    """The numbers' bits as integers of the same order; neighbours in one are so in the other."""
    bits = (x + 0.0).view(np.int64)  # -0.0 becomes 0.0
    return np.where(bits < 0, bits ^ _SIGN, bits)


def of_ordered_bits(keys: Ints) -> Floats:
    """The numbers whose `ordered_bits` these are."""
    return np.where(keys < 0, keys ^ _SIGN, keys).view(np.float64)


def _sample(chunks: Chunks) -> tuple[Floats, int]:
    """Values evenly over the whole, about `SAMPLE` of them, and how many there are."""
    parts, rows = [np.zeros(0)], 0
    for chunk in chunks():
        rows += len(chunk)
        parts.append(chunk[:: max(1, len(chunk) // 1_024)].copy())
    values = np.concatenate(parts)
    return values[:: max(1, len(values) // SAMPLE)], rows


def _grid(reference: Floats, current: Floats, rows: int) -> Grid:
    """Cells of even width, or by exponent where those hold skewed values better."""
    cells = int(min(max(rows // ROWS_PER_CELL, MIN_CELLS), MAX_CELLS))
    sides = [np.unique(side) for side in (reference, current)]
    ends = np.quantile([*(np.quantile(side, [TAIL, 1 - TAIL]) for side in sides)], [0, 1])
    low, high = float(ends[0]), float(ends[1])
    first, last = (int(key) for key in ordered_bits(np.array([low, high])))
    shift = max(0, ((last - first) // (cells - 3)).bit_length())
    by_exponent = Grid(low, 0.0, cells, first >> shift, shift)
    with np.errstate(over="ignore", divide="ignore"):
        scale = float(np.float64(cells - 2) / (high - low))
    if not (np.isfinite(scale) and scale > 0):
        return by_exponent
    even = Grid(low, scale, cells)
    distinct = np.unique(np.concatenate(sides))
    with np.errstate(over="ignore"):
        worse = _crowding(even, distinct) > 1.25 * _crowding(by_exponent, distinct)
    return by_exponent if worse else even


def _crowding(grid: Grid, distinct: Floats) -> int:
    """Pairs of different values that share a cell, about."""
    counts = np.bincount(grid.place(distinct)[0], minlength=grid.cells)
    return int(counts @ counts)


def _counted(chunks: Chunks, grid: Grid, centre: float) -> Counted:
    counted = Counted(grid, centre)
    for x in _pieces(chunks):
        counted.add(x)
    return counted


def _pieces(chunks: Chunks) -> Iterator[Floats]:
    """The same values in pieces that fit the processor's cache."""
    for chunk in chunks():
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


def _unsettled(ref: Counted, cur: Counted) -> npt.NDArray[np.bool_]:
    """Cells that must be looked into: [cells].

    The distance of the distribution functions is counted in units of 1 / (n m), as integers.
    """
    n, m = ref.rows, cur.rows
    start, start_ref = cur.before * n, ref.before * m
    end, end_ref = start + cur.counts * n, start_ref + ref.counts * m
    highest = np.abs(end - end_ref).max()
    both = (ref.counts > 0) & (cur.counts > 0)
    higher = both & (np.maximum(end - start_ref, end_ref - start) > highest)
    crossing = (start_ref < end) & (start < end_ref)
    is_open = np.asarray(higher | crossing)
    is_open[[0, -1]] = True
    return is_open


def _typical(grid: Grid, sample: Floats) -> Floats:
    """The most frequent sampled value of each cell, NaN without one: [cells]."""
    values, times = np.unique(sample, return_counts=True)
    values = values[np.argsort(times, kind="stable")]
    typical = np.full(grid.cells, np.nan)
    typical[grid.place(values)[0]] = values  # the last one stays
    return typical


def _hold(
    chunks: Chunks, counted: Counted, is_open: npt.NDArray[np.bool_], typical: Floats
) -> Held:
    """The values of the open cells; those that are typical of theirs need no sorting."""
    sizes = np.where(is_open, counted.counts, 0)
    others, filled = np.empty(int(sizes.sum())), 0
    known = np.zeros(counted.grid.cells, np.int64)
    for piece in _pieces(chunks):
        cells = counted.grid.place(piece)[0]
        chosen = is_open[cells]
        x, cells = piece[chosen], cells[chosen]
        same = typical[cells] == x
        known += np.bincount(cells[same], minlength=len(known))
        rest = x[~same]
        others[filled : filled + len(rest)] = rest
        filled += len(rest)
    others = others[:filled]
    others.sort()
    first = np.flatnonzero(np.diff(others, prepend=np.nan) != 0)
    at = np.flatnonzero(known)
    x = np.concatenate([others[first], typical[at]])
    times = np.concatenate([np.diff(first, append=filled), known[at]])
    order = np.argsort(x, kind="stable")  # timsort: a merge of the two
    return Held(x[order], times[order], counted.before - (np.cumsum(sizes) - sizes))


def _distances(
    ref: Counted, cur: Counted, held_ref: Held, held: Held, is_open: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """The largest distance of the distribution functions and the area between them.

    Distances are integers, in units of 1 / (n m).
    """
    n, m, grid = ref.rows, cur.rows, ref.grid
    start = cur.before * n - ref.before * m
    ks = int(np.abs(start).max())
    settled = _settled_area(ref, cur, start, ~is_open)
    x = np.concatenate([held_ref.x, held.x])
    if not len(x):
        return ks / (n * m), settled / (n * m) * grid.unit
    order = np.argsort(x, kind="stable")
    x = x[order]
    jumps = np.concatenate([held_ref.times * -m, held.times * n])[order]
    cells, y = grid.place(x)
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    level = np.cumsum(jumps)
    level += np.repeat(start[cells[first]] - (level - jumps)[first], np.diff(first, append=len(x)))
    last_of_ties = np.append(np.diff(x) > 0, True)
    ks = max(ks, int(np.abs(level[last_of_ties]).max()))
    begins = np.append(y[0], grid.starts)[cells[first]]
    ends = np.append(grid.starts, y[-1])
    following = np.append(y[1:], y[-1])
    last = np.append(first[1:] - 1, len(x) - 1)
    following[last] = ends[cells[last]]
    inside = np.abs(level) * (following - y)
    leading = np.abs(start[cells[first]]) * (y[first] - begins)
    area = float(inside.sum() + leading.sum()) + settled
    return ks / (n * m), area / (n * m) * grid.unit


def _settled_area(ref: Counted, cur: Counted, start: Ints, settled: npt.NDArray[np.bool_]) -> float:
    """Area between the functions over cells in which they do not cross."""
    starts = ref.grid.starts
    at = np.flatnonzero(settled)  # never the first or the last
    begin, end = starts[at - 1], starts[at]
    area = start[at] * (end - begin)
    for side, weight in ((cur, ref.rows), (ref, -cur.rows)):
        area += weight * (side.counts[at] * end - side.sums[at])
    return float(np.abs(area).sum())


def _edges(held: Held, counted: Counted, wanted: Ints) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Ascending order statistics, and which of them mean "just above the value"."""
    cells = np.searchsorted(np.cumsum(counted.counts), wanted, side="right")
    at = np.searchsorted(held.up_to, wanted - held.skipped[cells], side="right") - 1
    values, times = np.unique(held.x[at], return_counts=True)
    heavy = times > 1
    starts = values[heavy | (np.arange(len(values)) < len(values) - 1)]
    heavy[-1:] = True
    edges = np.concatenate([starts, values[heavy]])
    reached = np.arange(len(edges)) >= len(starts)
    order = np.argsort(edges, kind="stable")
    return edges[order], reached[order]
