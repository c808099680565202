"""Concept drift: do arrived labels cost the model more (or less) than its scores let expect?

A calibrated score says what a row will cost on average. The excess, loss minus expected loss, has
mean zero on whatever rows come, as long as the relation of label and features stays what it was:
a change of the features alone does not move it. Excesses are clipped, dealt into even cells and
counted by day, so the test needs counts alone, and the order of a day's rows cannot matter.

The test bets on the excess (betting e-process; Waudby-Smith and Ramdas 2024, JRSS B 86; Shin,
Ramdas and Rinaldo 2023 for the unknown start). The null says that every row's mean excess, given
the past, lies within `margin` of the reference's. For a bet b in (0, 1) the product of
1 + b (excess - centre - margin) / (largest such loss) over all rows has mean at most one under it,
whenever one looks; so has the mean of that over bets, sides and start days.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from feedback_assets.config.judgement import Drift
from feedback_assets.drift.bins import Counts, Floats
from feedback_assets.drift.detectors import Opinion, second_opinions

CELLS = 201
"""Cells of even width for the clipped excess."""
CLIP = 0.999
"""Share of the reference's excesses that are not clipped."""
BETS = tuple((2.0 ** -np.arange(1, 11)).tolist())
"""Stakes as shares of what one may lose: one of them is near any size of change."""
MIN_DAYS = 5
"""Days from which the spread between days is learned."""

ConceptStatus = Literal["stable", "immaterial", "drift", "insufficient"]


@dataclass(frozen=True)
class ConceptReference:
    """The excess loss of the rows that the score was calibrated on, as counts."""

    middle: float
    """Excess that the middle cell stands for, in the loss's unit."""
    half_width: float
    """Excesses further than this from `middle` are clipped."""
    counts: tuple[int, ...]
    """Reference rows by cell."""
    loss: float
    """Mean loss of the reference."""
    noise: float
    """How far the reference's mean excess may be off, by its size."""
    margin: float
    """How far the mean excess may move without mattering; `noise` included."""
    days: int = 0
    """Days that the margin was learned from; 0 if it was not."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; `from_dict` gives it back exactly."""
        return {**asdict(self), "counts": list(self.counts)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(**{**data, "counts": tuple(data["counts"])})

    @property
    def values(self) -> Floats:
        """The excess that each cell stands for: [cells]."""
        return _values(self.middle, self.half_width)

    @property
    def centre(self) -> float:
        """Mean excess."""
        return float(np.average(self.values, weights=self.counts))

    @property
    def sd(self) -> float:
        """Standard deviation of one row's excess."""
        gaps = np.square(self.values - self.centre)
        return math.sqrt(float(np.average(gaps, weights=self.counts)))


@dataclass(frozen=True)
class ConceptVerdict:
    """What is claimed on one day."""

    status: ConceptStatus
    evidence: float
    """ln of the e-value of a material change."""
    evidence_changed: float
    """ln of the e-value of any change."""
    since: str | None
    """The day from which the change is most likely; None unless status is drift or immaterial."""
    excess: float
    """Mean excess loss per row since then (else of all days), above the reference's."""
    low: float
    """Lower end of its interval at confidence 1 - alpha."""
    high: float
    margin: float
    """How large that may be without mattering."""
    rows: int
    """Labelled rows that this mean is of."""
    opinions: tuple[Opinion, ...] = ()
    """ADWIN and Page-Hinkley on the same days: shown, they never decide."""
    reason: str = ""
    """In plain words with numbers."""


def concept_reference(
    loss: npt.ArrayLike, expected: npt.ArrayLike, drift: Drift, days: Any = None
) -> ConceptReference | None:
    """The excess loss of rows that the champion was not fitted on; None below `drift.min_rows`.

    The margin is `drift.margin_sd` standard deviations of a row's excess, or what the reference's
    own days differ by beyond chance where that is more, plus what the reference's size leaves
    unknown of its mean.

    Args:
        loss: [rows] realised loss.
        expected: [rows] expected loss under the calibrated score.
        drift: `alpha`, `margin_sd`, `learn_margin`, `min_rows` and `window_days` are read.
        days: [rows] partition of each row (any values), to learn how much days differ.
    """
    gaps, known = _excess(loss, expected)
    if len(gaps) < drift.min_rows:
        return None
    middle = float(np.median(gaps))
    half_width = float(np.quantile(np.abs(gaps - middle), CLIP)) or 1.0
    cells = _cells(gaps, middle, half_width)
    clipped = _values(middle, half_width)[cells]
    sd = float(clipped.std())
    noise = _normal(1 - drift.alpha / 2) * sd / math.sqrt(len(gaps))
    margin, learned_from = drift.margin_sd * sd, 0
    if days is not None and drift.learn_margin:
        spread, learned_from = _between_days(clipped, np.asarray(days, object)[known], sd)
        margin = max(margin, _normal(1 - drift.alpha / (2 * drift.window_days)) * spread)
    return ConceptReference(
        middle=middle,
        half_width=half_width,
        counts=tuple(np.bincount(cells, minlength=CELLS).tolist()),
        loss=float(np.asarray(loss, np.float64)[known].mean()),
        noise=noise,
        margin=margin + noise,
        days=learned_from,
    )


def concept_counts(
    reference: ConceptReference,
    loss: npt.ArrayLike,
    expected: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    n_groups: int = 1,
) -> Counts:
    """Rows by cell of the excess loss; rows without a loss or an expectation are left out.

    Args:
        reference: Gives the cells.
        loss: [rows] realised loss, NaN where no label is there.
        expected: [rows] expected loss under the calibrated score.
        groups: [rows] day number of each row, 0 to n_groups - 1; all 0 if absent.
        n_groups: Number of days.

    Returns:
        int64 [n_groups, cells]; days merge by addition.
    """
    gaps, known = _excess(loss, expected)
    cells = _cells(gaps, reference.middle, reference.half_width)
    if groups is not None:
        cells += np.asarray(groups, np.int64)[known] * CELLS
    counts = np.bincount(cells, minlength=n_groups * CELLS)
    return counts.reshape(n_groups, CELLS).astype(np.int64, copy=False)


def concept_verdicts(
    reference: ConceptReference,
    counts: Counts,
    days: Sequence[str],
    drift: Drift,
    wanted: Sequence[int] | None = None,
    opinions: bool = True,
) -> dict[str, ConceptVerdict]:
    """Verdict on each wanted day, from the mature days up to it.

    A day enters when its labels are mature, once: labels that come early are not like those that
    come late, and what was counted must not count again.

    Args:
        reference: The champion's.
        counts: int64 [days, cells] of `concept_counts`, oldest first, since the champion came.
        days: [days] partition keys.
        drift: `alpha`, `min_rows` and `window_days` are read.
        wanted: Positions to judge; the last alone if absent.
        opinions: Ask ADWIN and Page-Hinkley too.
    """
    asked = [len(days) - 1] if wanted is None else list(wanted)
    table = np.asarray(counts, np.float64)
    material, changed = (
        table @ _log_factors(reference, margin) for margin in (reference.margin, reference.noise)
    )
    found = {}
    for position in asked:
        window = slice(max(0, position + 1 - drift.window_days), position + 1)
        starts = np.minimum(np.arange(len(days))[window], drift.window_days)
        evidence, since = _mixed(material[window], starts)
        any_evidence, any_since = _mixed(changed[window], starts)
        stretch, keys = counts[window], days[window]
        if int(stretch.sum()) < drift.min_rows:
            found[days[position]] = _too_few(reference, int(stretch.sum()), drift)
            continue
        needed = math.log(1 / drift.alpha)
        status: ConceptStatus = "stable"
        if evidence >= needed:
            status = "drift"
        elif any_evidence >= needed:
            status, since = "immaterial", any_since
        told = _told(reference, stretch[0 if status == "stable" else since :], drift)
        began = None if status == "stable" else keys[since]
        found[days[position]] = ConceptVerdict(
            status=status,
            evidence=evidence,
            evidence_changed=any_evidence,
            since=began,
            **told,
            margin=reference.margin,
            opinions=second_opinions(reference, stretch, keys, drift) if opinions else (),
            reason=_words(reference, status, evidence, began, told["excess"], told["rows"]),
        )
    return found


def _excess(loss: npt.ArrayLike, expected: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Excess of the rows that have one, and which rows these are."""
    gaps = np.asarray(loss, np.float64) - np.asarray(expected, np.float64)
    known = np.isfinite(gaps)
    return gaps[known], known


def _values(middle: float, half_width: float) -> Floats:
    return np.linspace(middle - half_width, middle + half_width, CELLS)


def _cells(gaps: Floats, middle: float, half_width: float) -> npt.NDArray[np.int64]:
    half = CELLS // 2
    steps = np.rint((gaps - middle) * (half / half_width))
    return np.clip(steps, -half, half).astype(np.int64) + half


def _between_days(clipped: Floats, days: Any, sd: float) -> tuple[float, int]:
    """Standard deviation of the days' means beyond chance, and from how many days."""
    _, day = np.unique(days.astype(str), return_inverse=True)
    rows = np.bincount(day)
    means = np.bincount(day, clipped) / rows
    full = rows >= np.median(rows) / 4
    if full.sum() < MIN_DAYS:
        return 0.0, 0
    beyond = means[full].var(ddof=1) - float(np.mean(sd**2 / rows[full]))
    return math.sqrt(max(beyond, 0.0)), int(full.sum())


def _log_factors(reference: ConceptReference, margin: float) -> Floats:
    """Ln of what each bet earns on a row in each cell: [cells, sides and bets]."""
    gaps = reference.values - reference.centre
    worst = float(np.abs(gaps).max()) + margin
    earned = np.stack([gaps - margin, -gaps - margin]) / worst
    logs = np.log1p(earned[:, None, :] * np.asarray(BETS)[None, :, None])
    return np.asarray(logs.reshape(-1, CELLS).T)


def _mixed(growth: Floats, starts: npt.NDArray[np.int64]) -> tuple[float, int]:
    """Ln of the e-value over all start days, and the likeliest one.

    Args:
        growth: [days, bets] ln of what each bet earned on each day.
        starts: [days] how late each day is as a start: it weighs 1 / ((start + 1)(start + 2)).
    """
    since = np.cumsum(growth[::-1], axis=0)[::-1]
    each = _log_sum(since, axis=1) - math.log(growth.shape[1])
    weights = 1 / ((starts + 1.0) * (starts + 2.0))
    weighed = np.log(weights) + each
    cash = math.log(max(1 - float(weights.sum()), 1e-300))
    return float(np.logaddexp(_log_sum(weighed, axis=0), cash)), int(np.argmax(weighed))


def _log_sum(logs: Floats, axis: int) -> Floats:
    highest = logs.max(axis=axis, keepdims=True)
    total = np.log(np.exp(logs - highest).sum(axis=axis)) + highest.squeeze(axis)
    return np.asarray(total, np.float64)


def _told(reference: ConceptReference, stretch: Counts, drift: Drift) -> dict[str, Any]:
    """Size of the change: mean excess above the reference's, its interval, and of how many rows."""
    cells = stretch.sum(axis=0)
    rows = int(cells.sum())
    mean = float(np.average(reference.values, weights=cells))
    sd = math.sqrt(float(np.average(np.square(reference.values - mean), weights=cells)))
    excess = mean - reference.centre
    half = _normal(1 - drift.alpha / 2) * math.sqrt(
        sd**2 / rows + reference.sd**2 / sum(reference.counts)
    )
    return {"excess": excess, "low": excess - half, "high": excess + half, "rows": rows}


def _too_few(reference: ConceptReference, rows: int, drift: Drift) -> ConceptVerdict:
    nan = math.nan
    reason = f"{rows:,} mature labels, {drift.min_rows - rows:,} more needed"
    return ConceptVerdict(
        "insufficient", 0.0, 0.0, None, nan, nan, nan, reference.margin, rows, reason=reason
    )


def _words(
    reference: ConceptReference,
    status: ConceptStatus,
    evidence: float,
    since: str | None,
    excess: float,
    rows: int,
) -> str:
    if status == "stable":
        return f"the loss is what the scores let expect: no change beyond chance ({rows:,} labels)"
    share = f" ({abs(excess) / reference.loss:.0%})" if reference.loss > 0 else ""
    moved = f"{abs(excess):.3g}{share} {'higher' if excess > 0 else 'lower'}"
    size = f"the loss per row is {moved} than the scores let expect since about {since}"
    if status == "immaterial":
        return f"change immaterial: {size}, immaterial up to {reference.margin:.3g}"
    power = evidence / math.log(10)
    e = f"{math.exp(evidence):.3g}" if power < 6 else f"1e{power:.0f}"
    return f"{size} ({rows:,} labels; e = {e})"


def _normal(level: float) -> float:
    return NormalDist().inv_cdf(level)
