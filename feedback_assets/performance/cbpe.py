"""What a classifier's metrics will be, told by its calibrated scores before labels are known.

Confidence-based performance estimation: under calibrated probabilities the expected confusion
matrix and the expected ROC curve follow from the answers alone. Every metric here is a function of
a few sums over rows, linear in the unknown labels; their expectations give the estimate, and
draws of the labels, of the calibrator and of the days' own effects give its interval.
It cannot see the label change its meaning (concept drift): then the calibration itself is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from feedback_assets.config.judgement import ReportMetric
from feedback_assets.config.schema import LabelKind
from feedback_assets.performance.calibration import REPLICATES, Curve
from feedback_assets.performance.days import DaySpread
from feedback_assets.performance.intervals import UNKNOWN, Interval
from feedback_assets.performance.metrics import Codes, Floats, losses, mass_bins

Singles = npt.NDArray[np.float32]

DRAWS = 384
"""Draws of labels, calibrator and days behind an interval."""
DRAWN_ROWS = 256
"""Rows whose labels are drawn, evenly spread over the scores; the noise of more is scaled down."""
MOST_ROWS = 20_000
"""Rows that stand for a larger period, likewise spread: a bound on time and memory."""

_LOG_LOSS, _BRIER, _HIT, _VALUE, _SAID, _RANK, _ONE, _BINS = range(8)
_MOST_UNDEFINED = 0.1
_NOTHING = 1e-12
_RANGE: Mapping[ReportMetric, tuple[float, float]] = {
    "log_loss": (0, np.inf),
    "brier": (0, 2),
    "roc_auc": (0, 1),
    "accuracy": (0, 1),
    "f1": (0, 1),
    "ece": (0, 1),
    "value": (-np.inf, np.inf),
}


@dataclass(frozen=True)
class Unlabelled:
    """Scored rows without labels."""

    kind: LabelKind
    scores: Floats
    """The model's probabilities [n, K], finite; binary: of 0, then of 1."""
    answer: Codes
    """Position of the answer given [n]; -1 if none."""
    day: Codes
    """Number of the day 0..D-1 [n]."""
    value: Floats | None = None
    """What each answer is worth if the truth were each class [n, K]."""
    version: Codes | None = None
    """Position of the model that answered [n]; None if there is one only."""

    def take(self, rows: Codes) -> "Unlabelled":
        """Some rows."""
        value = None if self.value is None else self.value[rows]
        version = None if self.version is None else self.version[rows]
        return Unlabelled(
            self.kind, self.scores[rows], self.answer[rows], self.day[rows], value, version
        )

    def by(self, version: int) -> Codes:
        """Positions of the rows that one model answered."""
        if self.version is None:
            return np.arange(len(self.day))
        return np.flatnonzero(self.version == version)

    def spread(self, most: int) -> Codes:
        """At most so many positions, evenly spread over the ordered scores."""
        if len(self.day) <= most:
            return np.arange(len(self.day))
        key = self.scores[:, 1] if self.kind == "binary" else self.scores.max(axis=1)
        order = np.lexsort((self.answer, self.day, key))
        return order[(2 * np.arange(most) + 1) * len(order) // (2 * most)]


@dataclass(frozen=True)
class Calibrated:
    """What is known of one model's scores."""

    curves: Sequence[Curve]
    """One calibrator (binary) or one for each class."""
    spreads: Sequence[DaySpread]
    """The days' effects on the log-odds, likewise."""


def expected_metrics(
    answers: Unlabelled, models: Sequence[Calibrated], confidence: float
) -> dict[ReportMetric, Interval]:
    """Every classifier metric with the interval in which the realised one is expected.

    Args:
        answers: the rows; none gives UNKNOWN.
        models: those that answered, by their position.
        confidence: two-sided.
    """
    if not len(answers.day):
        return dict.fromkeys(_RANGE, UNKNOWN)
    total = len(answers.day)
    rows = answers.take(answers.spread(MOST_ROWS))
    sums = _Sums.of(rows)
    p = probabilities(rows, models)
    whole = np.stack([p[c] @ sums.table[c] for c in range(len(p))]) / len(rows.day)
    drawn = rows.spread(DRAWN_ROWS)
    some, few = sums.table[:, drawn].astype(np.float32), rows.take(drawn)
    noise = _draws(few, models, p[:, drawn], some, total)
    point = sums.metrics(whole[None])
    around = sums.metrics(whole[None] + noise)
    return {
        name: _interval(name, float(point[name][0]), around[name], confidence) for name in _RANGE
    }


def probabilities(answers: Unlabelled, models: Sequence[Calibrated]) -> Floats:
    """Calibrated probabilities of every class [K, n]; they add up to 1."""
    found = np.empty(answers.scores.T.shape)
    for version, model in enumerate(models):
        if (mine := answers.by(version)).size:
            found[:, mine] = _likely(answers.take(mine), model.curves)
    return found


def _likely(answers: Unlabelled, curves: Sequence[Curve]) -> Floats:
    if answers.kind == "binary":
        positive = curves[0](answers.scores[:, 1])
        return np.stack([1 - positive, positive])
    p = np.stack([curve(answers.scores[:, c]) for c, curve in enumerate(curves)])
    total = p.sum(axis=0)
    return np.where(total > _NOTHING, p / np.maximum(total, _NOTHING), 1 / len(p))


def _replicated(answers: Unlabelled, curves: Sequence[Curve]) -> Floats:
    if answers.kind == "binary":
        positive = curves[0].replicated(answers.scores[:, 1])
        return np.stack([1 - positive, positive])
    return np.stack([curve.replicated(answers.scores[:, c]) for c, curve in enumerate(curves)])


def _perhaps(rows: Unlabelled, model: Calibrated, rng: np.random.Generator) -> Singles:
    """Probabilities [K, DRAWS, n] under the doubts about the calibrator and the days."""
    likely = _replicated(rows, model.curves).astype(np.float32)[:, np.arange(DRAWS) % REPLICATES]
    for position, spread in enumerate(model.spreads):
        if spread.variance:
            effect = spread.draw(rng, DRAWS, int(rows.day.max()) + 1)
            odds = np.exp(effect).astype(np.float32)[:, rows.day]
            likely[1 if rows.kind == "binary" else position] *= odds
    likely /= np.maximum(likely.sum(axis=0), _NOTHING)
    return likely


def _draws(
    rows: Unlabelled, models: Sequence[Calibrated], p: Floats, table: Singles, total: int
) -> Floats:
    """Deviations of the mean sums [DRAWS, K, d] from their expectation, for `total` rows."""
    rng = np.random.default_rng(0)
    classes, count = p.shape
    likely = np.empty((classes, DRAWS, count), dtype=np.float32)
    for version, model in enumerate(models):
        if (mine := rows.by(version)).size:
            likely[:, :, mine] = _perhaps(rows.take(mine), model, rng)
    # Labels of n rows drawn for N: what they add to the expectation shrinks by sqrt(n / N); what
    # the calibrator and the day add is common to all rows and does not.
    share = np.float32(np.sqrt(count / total))
    uniform = rng.random((DRAWS, count), dtype=np.float32)
    below = np.zeros((DRAWS, count), dtype=np.float32)
    found = np.empty((DRAWS, classes, table.shape[2]))
    for c, chance in enumerate(likely):
        truth = (uniform >= below) & (uniform < below + chance)
        below += chance
        apart = (1 - share) * chance + share * truth - p[c].astype(np.float32)
        found[:, c] = apart @ table[c] / count
    return found


@dataclass(frozen=True)
class _Sums:
    """What each row adds to the sums behind the metrics, if its truth is a class."""

    kind: LabelKind
    table: Floats
    """[K, n, d]"""
    said: Floats
    """Share of rows with an answer, and with each class as the answer [1 + K]."""
    stated: Floats
    """Mean over all rows of the stated probability in each calibration bin [b]."""
    rows: int
    valued: bool

    @classmethod
    def of(cls, rows: Unlabelled) -> "_Sums":
        count, classes = rows.scores.shape
        given = rows.answer >= 0
        bins, stated, counted = _calibration_bins(rows)
        table = np.zeros((classes, count, _BINS + stated.size))
        for c in range(classes):
            truth = np.full(count, float(c))
            scores = rows.scores[:, 1] if rows.kind == "binary" else rows.scores
            table[c, :, _LOG_LOSS] = losses(rows.kind, "log_loss", truth, scores)
            table[c, :, _BRIER] = losses(rows.kind, "brier", truth, scores)
            table[c, :, _HIT] = rows.answer == c
            table[c, :, _SAID] = given
            table[c, :, _RANK] = _middle_ranks(rows.scores[:, c]) / count
            table[c, :, _ONE] = 1
            table[c, np.flatnonzero(counted == c), _BINS + bins[counted == c]] = 1
            if rows.value is not None:
                table[c, :, _VALUE] = np.where(given, np.nan_to_num(rows.value[:, c]), 0)
        said = [given.mean(), *(np.mean(rows.answer == c) for c in range(classes))]
        valued = rows.value is not None and bool(np.isfinite(rows.value[given]).all())
        return cls(rows.kind, table, np.array(said), stated, count, valued)

    def metrics(self, mean: Floats) -> dict[ReportMetric, Floats]:
        """The metrics [B] of mean sums [B, K, d]; NaN where undefined."""
        both, given = mean.sum(axis=1), float(self.said[0])
        unknown = np.full(len(mean), np.nan)
        some = slice(1, None) if self.kind == "binary" else slice(None)
        return {
            "log_loss": both[:, _LOG_LOSS],
            "brier": both[:, _BRIER],
            "roc_auc": self._auc(mean[:, some]),
            "accuracy": both[:, _HIT] / given if given else unknown,
            "f1": self._f1(mean[:, some], self.said[1:][some]),
            "ece": np.abs(both[:, _BINS:] - self.stated).sum(axis=1),
            "value": both[:, _VALUE] / given if given and self.valued else unknown,
        }

    def _auc(self, mean: Floats) -> Floats:
        share, rank = mean[..., _ONE], mean[..., _RANK]
        seen = (share * self.rows >= 0.5) & ((1 - share) * self.rows >= 0.5)
        over = np.where(seen, share * (1 - share), np.nan)
        return _mean((rank - share**2 / 2 - share / (2 * self.rows)) / over)

    def _f1(self, mean: Floats, said: Floats) -> Floats:
        there = mean[..., _SAID]
        seen = (said > 0) | (there * self.rows >= 0.5)
        return _mean(2 * mean[..., _HIT] / np.where(seen, there + said, np.nan))


def _calibration_bins(rows: Unlabelled) -> tuple[Codes, Floats, Codes]:
    """Equal-mass bin of each row [n], stated probability by bin [b], class that counts [n]."""
    counted = np.ones(len(rows.day), dtype=np.int64)
    if rows.kind == "multiclass":
        counted = rows.scores.argmax(axis=1).astype(np.int64)
    stated = rows.scores[np.arange(len(counted)), counted]
    ordered = np.sort(stated)
    starts = mass_bins(ordered)
    bins = np.searchsorted(ordered[starts], stated, side="right") - 1
    return bins, np.bincount(bins, weights=stated) / len(counted), counted


def _middle_ranks(score: Floats) -> Floats:
    """Ranks 1..n, ties their mean."""
    ordered = np.sort(score)
    below = np.searchsorted(ordered, score, side="left")
    up_to = np.searchsorted(ordered, score, side="right")
    return np.asarray((below + up_to + 1) / 2, dtype=np.float64)


def _mean(values: Floats) -> Floats:
    """Over the last axis, of what is defined."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _interval(name: ReportMetric, value: float, draws: Floats, confidence: float) -> Interval:
    """The draws' spread to either side of the value."""
    known = draws[np.isfinite(draws)]
    if not np.isfinite(value) or known.size < (1 - _MOST_UNDEFINED) * draws.size:
        return UNKNOWN
    if name == "ece":  # chance alone makes it positive, so the plug-in is no expectation
        value = float(known.mean())
    apart = known - known.mean()
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    down, up = (np.sqrt(2 * np.mean(np.minimum(s * apart, 0) ** 2)) for s in (1, -1))
    least, most = _RANGE[name]
    return Interval(value, max(value - z * float(down), least), min(value + z * float(up), most))
