"""What the labels that are still missing may do to a metric.

Labels of one class may come weeks before another's, so a young day's metric is that of the quick
labels. The delay curves say how many labels of each group (class, or band of numbers) are still to
come: rows x (1 - share known) x labels of the group per row, which is the Cape Cod method of insurance
reserving. The missing ones are taken to be answered as well as the known ones of their group, and
each known label counts for itself and its share of them. That within a group slow labels are no
worse than quick ones is an assumption; `movement` learns from past values how far it was off.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Label
from feedback_assets.performance.intervals import t_quantile, upper_end
from feedback_assets.performance.measure import Measured, dot, measure
from feedback_assets.performance.metrics import Codes, Floats, class_codes, floats

SliceKey = tuple[str, str]
ShareAt = Callable[[float], float]
WHOLE: SliceKey = ("", "")
_ANY = ""
# Labels: fewer than half a label missing is none.
_NEGLIGIBLE = 0.5
# Plain means over rows, whose influence is the row's value less the mean.
_MEANS = frozenset({"log_loss", "brier", "accuracy", "mae", "pinball", "value"})
_DRAWS = 400
_SEED = 16


@dataclass(frozen=True)
class Arrivals:
    """How late labels come.

    Attributes:
        ages: partition key to days since its end (negative while it runs).
        shares: slice key to label group to the share of the labels that will ever come known at an age
            in days. `("", "")` is used for slices without their own; group "" for groups without.
            Groups are "0" and "1", the class names, or "0", "1", .. of the bands between `edges`.
        edges: regression: the labels that part the bands, ascending; none for a single group.
        moved: metric to the standard deviation of (mature less early value) / sqrt(1 - maturity), as
            `movement` learns it.
    """

    ages: Mapping[str, float]
    shares: Mapping[SliceKey, Mapping[str, ShareAt]]
    edges: tuple[float, ...] = ()
    moved: Mapping[str, float] = field(default_factory=dict)

    def groups(self, label: Label) -> list[str]:
        """Names of the groups, in the order of their codes."""
        if label.kind == "multiclass":
            return list(label.classes)
        if label.kind == "binary":
            return ["0", "1"]
        return [str(band) for band in range(len(self.edges) + 1)]

    def codes(self, y: Any, label: Label) -> Codes:
        """Group of each known label [n]."""
        if label.kind == "multiclass":
            return class_codes(y, label.classes)
        numbers = floats(y)
        if label.kind == "binary":
            return np.asarray(numbers == 1, dtype=np.int64)
        return np.searchsorted(np.asarray(self.edges), numbers, side="right").astype(np.int64)

    def known(self, slice_key: SliceKey, days: list[str], label: Label) -> Floats:
        """Share known by now [days, groups]; NaN for a partition or a group without a curve."""
        own = self.shares.get(slice_key, {})
        whole = self.shares.get(WHOLE, {})
        names = self.groups(label)
        curves = [own.get(g) or own.get(_ANY) or whole.get(g) or whole.get(_ANY) for g in names]
        ages = [self.ages.get(day, math.nan) for day in days]
        return np.array(
            [[c(age) if c and age == age else math.nan for c in curves] for age in ages],
            dtype=np.float64,
        ).reshape(len(ages), len(curves))


@dataclass(frozen=True)
class Missing:
    """Labels still to come, by group.

    Attributes:
        known: labels known [groups].
        missing: labels expected still to come [groups]; NaN where delays are not known.
        learned: labels that the expectation rests on [groups].
    """

    known: Floats
    missing: Floats
    learned: Floats

    @property
    def maturity(self) -> float:
        """Share of the labels that will ever come which are known; NaN when not known."""
        known, missing = float(self.known.sum()), float(self.missing.sum())
        return known / (known + missing) if known + missing > 0 else math.nan


UNSAID = Missing(np.full(1, np.nan), np.full(1, np.nan), np.full(1, np.nan))


@dataclass(frozen=True)
class Owed:
    """Answers and labels of a slice over a window, from which what its periods lack follows.

    Attributes:
        rows: answers by day [days].
        labels: known labels [days, groups].
        share: share of the labels known by now [days, groups].
        enough: labels that a rate needs.
        whole: labels per answer of all answers [groups], for slices with too few labels.
    """

    rows: Floats
    labels: Floats
    share: Floats
    enough: int
    whole: Floats | None = None

    def rate(self) -> Floats:
        """Labels that will ever come per answer [groups], from the window; NaN when not known."""
        return _over(self.labels.sum(axis=0), self._seen(slice(None)))

    def missing(self, period: slice) -> Missing:
        """Labels that the answers of some of the days are still owed.

        A group's labels per answer come from these days where they should by now have `enough` of
        them, else from the slice's window, else from all answers.
        """
        known, seen = self.labels[period].sum(axis=0), self._seen(period)
        all_known, all_seen = self.labels.sum(axis=0), self._seen(slice(None))
        wide = self.rate()
        if self.whole is not None:
            wide = np.where(all_seen * self.whole >= self.enough, wide, self.whole)
        own = seen * wide >= self.enough
        owed = (self.rows[period, None] * (1 - self.share[period])).sum(axis=0)
        rate = np.where(own, _over(known, seen), wide)
        # Nothing is owed by complete days, whatever the rate; what is not known stays so.
        missing = np.where(owed == 0, 0.0, owed * rate)
        return Missing(known, missing, np.where(own, known, np.maximum(all_known, self.enough)))

    def _seen(self, period: slice) -> Floats:
        return np.asarray((self.rows[period, None] * self.share[period]).sum(axis=0))


def _over(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(top.size, np.nan), where=bottom > 0)


def at_maturity(
    measured: Measured, missing: Missing, confidence: float, moved: float = 0.0
) -> tuple[float, float]:
    """Where the metric of these rows will be once all their labels are known.

    Three things are not known: how the missing labels' answers do (each group as its known ones do,
    give or take chance), how many of each group are missing, and what history says beside that.

    Args:
        measured: the metric on the known labels, whose `answers.group` is set.
        missing: what is still to come.
        confidence: two-sided.
        moved: see `Arrivals.moved`.

    Returns:
        Lower and upper end; NaN where delays are not known or a group has no known row to go by.
    """
    total_missing = float(missing.missing.sum())
    if not math.isfinite(total_missing) or not math.isfinite(measured.working):
        return math.nan, math.nan
    if total_missing < _NEGLIGIBLE:
        return measured.value, measured.value
    group = measured.answers.group
    if group is None:
        return math.nan, math.nan
    known = np.bincount(group, minlength=missing.known.size).astype(np.float64)
    if np.any((missing.missing > _NEGLIGIBLE) & (known == 0)):
        return math.nan, math.nan
    weights = 1 + np.divide(missing.missing, known, out=np.zeros(known.size), where=known > 0)
    weights = weights[group]
    if measured.answers.weight is not None:
        weights = weights * measured.answers.weight
    later = _later(measured, weights)
    beside = moved * math.sqrt(1 - missing.maturity)
    if later.scale == "gap":
        return _gap_range(later, confidence, beside)
    error = math.hypot(math.sqrt(_variance(later, missing, known)), beside)
    return _range(later, error, t_quantile(confidence, 10**9))


def movement(history: pd.DataFrame) -> dict[str, float]:
    """How much metrics moved while their labels came, for `Arrivals.moved`.

    Args:
        history: columns `metric`, `value` and `maturity` as first reported, and `final`, the value
            once mature. Rows with a null or full maturity at first do not count.
    """
    rows = history.dropna(subset=["value", "maturity", "final"])
    rows = rows[rows["maturity"] < 1]
    scaled = (rows["final"] - rows["value"]) ** 2 / (1 - rows["maturity"])
    return {str(k): float(np.sqrt(v)) for k, v in scaled.groupby(rows["metric"]).mean().items()}


def told(row: Mapping[str, Any]) -> str:
    """A row of the performance report in words.

    >>> told({"value": 0.81, "maturity": 0.87, "low_mature": 0.78, "high_mature": 0.8, "reason": ""})
    '0.81 on 87% of labels; 0.78 to 0.8 expected at maturity'
    """
    value, maturity = float(row["value"]), float(row["maturity"])
    low, high = float(row["low_mature"]), float(row["high_mature"])
    if math.isnan(value):
        return str(row.get("reason") or "not known")
    said = f"{value:.4g}"
    if math.isnan(maturity):
        return f"{said}; how many labels are still to come is not known"
    if maturity >= 1:
        return f"{said} on all labels"
    said += f" on {min(math.floor(maturity * 100), 99)}% of labels"
    if math.isnan(low) or math.isnan(high):
        return said
    return f"{said}; {low:.4g} to {high:.4g} expected at maturity"


def _later(measured: Measured, weights: Floats) -> Measured:
    """The same metric of the same rows, each counting `weights[n]` times."""
    if measured.metric not in _MEANS:
        return measure(measured.metric, measured.answers, weights)
    shift = dot(measured.influence, weights) / float(weights.sum())
    return replace(
        measured,
        working=measured.working + shift,
        influence=measured.influence - shift,
        weights=weights,
    )


def _variance(later: Measured, missing: Missing, known: Floats) -> float:
    """Of the mature working value: the missing answers' luck, and how many are missing."""
    group = later.answers.group
    if group is None:
        return math.nan
    size = known.size
    total = float(known.sum() + missing.missing.sum())
    n = np.maximum(known, 1)
    mean = np.bincount(group, later.influence, size) / n
    square = np.bincount(group, later.influence**2, size) / n
    spread = np.maximum(square - mean**2, 0) * n / np.maximum(n - 1, 1)
    m = missing.missing
    luck = spread * (m + m**2 / n)
    count = mean**2 * (m + m**2 / np.maximum(missing.learned, 1))
    return float((luck + count).sum()) / total**2


def _range(later: Measured, error: float, reach: float) -> tuple[float, float]:
    value = later.working
    if later.scale == "ratio" and value > 0:
        stretch = math.exp(reach * error / value)
        low, high = value / stretch, value * stretch
    else:
        low, high = value - reach * error, value + reach * error
    if later.scale in {"positive", "gap", "share"}:
        low = max(low, 0.0)
    if later.scale in {"gap", "share"}:
        high = min(high, 1.0)
    ends = sorted([later.finish(low), later.finish(high)])
    return ends[0], ends[1]


def _gap_range(later: Measured, confidence: float, beside: float) -> tuple[float, float]:
    """ECE at maturity: each bin's missing rows come at random, which turns gaps of either sign.

    As the interval's (`intervals`), the lower end takes away all that chance may add.
    """
    if later.gaps is None or later.bins is None:
        return math.nan, math.nan
    extra = later.weights - 1
    variance = np.add.reduceat(later.gaps**2 * extra * (1 + extra), later.bins)
    sums = np.add.reduceat(later.gaps * later.weights, later.bins)
    noise = _normals(sums.size) * np.sqrt(variance)
    total, tail = float(later.weights.sum()), (1 + confidence) / 2
    low = later.working - upper_end(np.abs(noise).sum(axis=1), tail) / total
    high = upper_end(np.abs(sums + noise).sum(axis=1), tail) / total
    reach = t_quantile(confidence, 10**9) * beside
    return max(low - reach, 0.0), min(high + reach, 1.0)


@functools.lru_cache(maxsize=64)
def _normals(bins: int) -> Floats:
    """Standard normal draws [draws, bins], always the same."""
    return np.random.default_rng([_SEED, bins]).standard_normal((_DRAWS, bins))
