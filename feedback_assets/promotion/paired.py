"""Champion and candidate on the same rows, row after row, as evidence that may be looked at any time.

The difference of a row is the champion's loss less the candidate's, so a gain is positive. Three
bets run on it (`promotion/betting.py`): that the candidate is *better* (than nothing, or than
`gate.min_improvement`), that it is *safe* (not worse by `decide.margin` of the champion's loss), that
it is *worse*. A loss counts at most `cap`, else no number of rows could prove anything.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config, Metric
from feedback_assets.errors import GateError
from feedback_assets.performance.metrics import Floats, losses
from feedback_assets.promotion.betting import (
    day_capital,
    lower_ends,
    nulls_around,
    row_bets,
    row_capital,
)
from feedback_assets.promotion.scores import is_scored, usable_labels

# Gains that the bets are tuned for, in units of `decide.prior_gain`, and their share of the capital.
# Betting on 2.45 of them is as good as a hurdle that an equal candidate's posterior mean clears with
# probability 1/20; the others find what is smaller with more rows and what is larger with fewer.
_TUNED: Mapping[float, float] = {0.5: 0.1, 1.0: 0.15, 2.5: 0.375, 5.0: 0.375}
_POINTS = 200
_ROW_METRICS: frozenset[Metric] = frozenset({"log_loss", "brier", "accuracy", "mae", "rmse"})


@dataclass(frozen=True)
class Point:
    """The evidence as it stood after some labels."""

    labels: int
    gain: float
    lower: float
    upper: float
    log_better: float
    log_safe: float
    log_worse: float


@dataclass(frozen=True)
class Paired:
    """What the rows labelled so far say of candidate against champion.

    Attributes:
        metric: Whose losses of a row are compared; rmse stands for squared errors.
        unit: What was bet on.
        labels: Labelled rows.
        days: Closed days that were bet on; 0 where rows are.
        champion_loss: Mean loss of a row.
        candidate_loss: Likewise.
        gain: Mean difference, positive where the candidate is better; NaN without rows.
        error: Its standard error, by days where they are bet on; NaN where it is not known.
        lower: Lower end of the gain's time-uniform interval: with probability 1 - alpha it never
            exceeds the true gain, however often one looks.
        upper: Likewise from above.
        log_better: Logarithm of the e-value against "gains at most what is asked for".
        log_safe: Against "worse by the margin or more".
        log_worse: Against "not worse".
        cap: Largest loss of a row.
        scale: The champion's expected loss, known before these rows.
        points: At most 200 moments on the way, the last of them now.
    """

    metric: Metric
    unit: Literal["row", "day"]
    labels: int
    days: int
    champion_loss: float
    candidate_loss: float
    gain: float
    error: float
    lower: float
    upper: float
    log_better: float
    log_safe: float
    log_worse: float
    cap: float
    scale: float
    points: tuple[Point, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; NaN becomes null."""
        found = {k: _known(v) for k, v in asdict(self).items() if k != "points"}
        points = [{k: _known(v) for k, v in asdict(point).items()} for point in self.points]
        return {**found, "points": points}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        points = tuple(Point(**_numbers(point)) for point in found.get("points", ()))
        return cls(**{**_numbers(found), "points": points})


def paired_metric(config: Config) -> Metric:
    """The metric whose loss every row has: the gate's, or what stands for it.

    AUC and F1 are judged by the Brier score (multiclass: log loss), R² by squared errors (rmse).
    """
    if config.metric in _ROW_METRICS:
        return config.metric
    if config.label.kind == "regression":
        return "rmse"
    return "log_loss" if config.label.kind == "multiclass" else "brier"


def loss_cap(config: Config, reference_labels: npt.ArrayLike) -> float:
    """The largest loss that one row counts: `decide.max_loss`, or what the labels suggest.

    Brier score and accuracy are bounded by nature. The log loss counts at most as if the rarest
    class had been given a tenth of its share; an absolute error at most the spread of all but one
    label in two hundred at each end, a squared one the square of that.

    Args:
        config: The loop's.
        reference_labels: Labels known before the trial, as the tables have them [n], n not 0.

    Raises:
        GateError: No labels, or all of them are equal, so that no cap can be told.
    """
    metric = paired_metric(config)
    if config.decide.max_loss is not None:
        return config.decide.max_loss
    if metric == "accuracy":
        return 1.0
    if metric == "brier":
        return 2.0 if config.label.kind == "multiclass" else 1.0
    labels = usable_labels(reference_labels, config)
    if labels.size == 0:
        raise GateError("no labels to tell the largest loss of a row from: set decide.max_loss")
    if metric == "log_loss":
        _, counts = np.unique(labels, return_counts=True)
        return float(math.log(10 * labels.size / counts.min()))
    low, high = np.quantile(labels, [0.005, 0.995])
    if not high > low:
        raise GateError("all reference labels are equal: set decide.max_loss")
    return float(high - low) if metric == "mae" else float((high - low) ** 2)


def row_losses(config: Config, labels: npt.ArrayLike, scores: npt.ArrayLike, cap: float) -> Floats:
    """Loss of each row [n], in [0, cap]; a row without a finite score loses `cap`.

    Args:
        config: The loop's.
        labels: As the tables have them [n], all known.
        scores: [n], or [n, K] class probabilities for multiclass.
        cap: Of `loss_cap`.

    Raises:
        GateError: A label is unknown, or the lengths differ.
    """
    y = usable_labels(labels, config)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape[0] != y.size:
        raise GateError(f"{values.shape[0]} scores for {y.size} labels")
    scored = is_scored(values)
    filled = np.where(scored if values.ndim == 1 else scored[:, None], values, 0.5)
    each = losses(config.label.kind, paired_metric(config), y, filled, config.label.threshold)
    return np.where(scored, np.minimum(each, cap), cap)


def needed_gain(config: Config, scale: float) -> float:
    """`gate.min_improvement` in the loss of a row.

    An improvement of the root mean squared error by r lowers the squared error from s by
    2 r sqrt(s) - r². It is 0 for a metric that has no loss of a row; the configuration allows an
    improvement of such a metric only where the held-out rows decide at once.
    """
    asked = config.gate.min_improvement
    if config.metric not in _ROW_METRICS:
        return 0.0
    return 2 * asked * math.sqrt(scale) - asked**2 if config.metric == "rmse" else asked


def paired(
    config: Config,
    champion: Floats,
    candidate: Floats,
    *,
    cap: float,
    scale: float,
    days: Sequence[object] | npt.NDArray[Any] | None = None,
) -> Paired:
    """The evidence of rows in the order in which their labels were received.

    Args:
        config: The loop's.
        champion: Losses of `row_losses` [n].
        candidate: Likewise, of the same rows.
        cap: The largest loss, known before the rows.
        scale: The champion's mean loss on other rows, known before.
        days: Where `decide.unit` is day: the day of each row's prediction [n], sortable. A day is bet
            on once rows of a later day are there; until then its rows are only counted.

    Raises:
        GateError: Lengths differ, a loss lies outside [0, cap], `scale` is no loss, or days are
            missing.
    """
    _must_fit(config, champion, candidate, cap, scale, days)
    unit = config.decide.unit
    taken, groups = _units(champion.size, days if unit == "day" else None)
    before, after = (_mean(x[taken] if taken.size else x) for x in (champion, candidate))
    none = Paired(
        paired_metric(config), unit, int(champion.size), 0, before, after, before - after,
        float("nan"), -cap, cap, 0.0, 0.0, 0.0, cap, scale,
    )  # fmt: skip
    if taken.size == 0:
        return none
    d = (champion - candidate)[taken]
    bets = _RowBets(config, d, cap, scale) if groups is None else _DayBets(d, groups)
    points = _points(config, bets, cap, scale)
    now = {k: v for k, v in asdict(points[-1]).items() if k != "labels"}
    days_bet_on = 0 if groups is None else bets.size
    return replace(none, **now, days=days_bet_on, error=bets.error, points=points)


def bets_of(config: Config, d: Floats, cap: float, scale: float) -> list[tuple[float, Floats]]:
    """The stakes on differences [..., n] that this loop's trials bet with (`row_bets`)."""
    tuned = {k * config.decide.prior_gain * scale: share for k, share in _TUNED.items()}
    return row_bets(d, tuned, max(scale, cap / 1000) ** 2)


class _RowBets:
    """Bets on single rows."""

    def __init__(self, config: Config, d: Floats, cap: float, scale: float) -> None:
        self._d, self._cap, self.size = d, cap, d.size
        self._bets = bets_of(config, d, cap, scale)
        self.error = float(d.std(ddof=1) / math.sqrt(d.size)) if d.size > 1 else float("nan")
        self.labels = np.arange(1, d.size + 1)
        self.sums = np.cumsum(d)

    def above(self, null: float) -> Floats:
        return row_capital(self._d, null, -self._cap, self._bets)

    def below(self, null: float) -> Floats:
        return row_capital(-self._d, -null, -self._cap, self._bets)


class _DayBets:
    """Bets on whole days."""

    def __init__(self, d: Floats, groups: npt.NDArray[np.int64]) -> None:
        self._rows: Floats = np.bincount(groups).astype(np.float64)
        self._sums: Floats = np.bincount(groups, d).astype(np.float64)
        self.size = self._rows.size
        self.labels = np.cumsum(self._rows).astype(np.int64)
        self.sums = np.cumsum(self._sums)
        rest = self._sums - d.mean() * self._rows
        ratio = self.size / (self.size - 1) if self.size > 1 else float("nan")
        self.error = math.sqrt(ratio * float(rest @ rest)) / d.size

    def above(self, null: float) -> Floats:
        return day_capital(self._sums, self._rows, null)

    def below(self, null: float) -> Floats:
        return day_capital(-self._sums, self._rows, -null)


def _points(
    config: Config, bets: _RowBets | _DayBets, cap: float, scale: float
) -> tuple[Point, ...]:
    at = np.unique(np.linspace(0, bets.size - 1, min(bets.size, _POINTS)).astype(np.int64))
    gain = bets.sums[at] / bets.labels[at]
    bar = -math.log(config.decide.alpha)
    error = bets.error if math.isfinite(bets.error) else cap
    below = nulls_around(float(gain[-1]), error, float(gain[-1]) + cap)
    above = nulls_around(-float(gain[-1]), error, cap - float(gain[-1]))
    lower = lower_ends(below, np.stack([bets.above(m)[at] for m in below]), bar)
    upper = -lower_ends(above, np.stack([bets.below(-m)[at] for m in above]), bar)
    columns = (
        bets.labels[at], gain, np.maximum(lower, -cap), np.minimum(upper, cap),
        bets.above(needed_gain(config, scale))[at],
        bets.above(-config.decide.margin * scale)[at],
        bets.below(0.0)[at],
    )  # fmt: skip
    return tuple(
        Point(int(labels), *(float(v) for v in values))
        for labels, *values in zip(*columns, strict=True)
    )


def _units(
    rows: int, days: Sequence[object] | npt.NDArray[Any] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
    """Rows that are bet on, and which closed day each of them belongs to, in order of closing."""
    if days is None:
        return np.arange(rows), None
    codes, found = pd.factorize(np.asarray(days, dtype=object), sort=True)
    newest = len(found) - 1
    last = np.full(len(found), -1, dtype=np.int64)
    np.maximum.at(last, codes, np.arange(rows))
    place = np.empty(len(found), dtype=np.int64)
    place[np.argsort(last[:newest], kind="stable")] = np.arange(max(newest, 0))
    taken = np.flatnonzero(codes != newest)
    return taken, place[codes[taken]]


def _must_fit(
    config: Config,
    champion: Floats,
    candidate: Floats,
    cap: float,
    scale: float,
    days: Sequence[object] | npt.NDArray[Any] | None,
) -> None:
    if champion.shape != candidate.shape or champion.ndim != 1:
        raise GateError(f"losses of {champion.shape} and {candidate.shape} rows are no pairs")
    for name, each in (("champion", champion), ("candidate", candidate)):
        if not bool(((each >= 0) & (each <= cap)).all()):
            raise GateError(f"a loss of the {name} is not between 0 and the cap {cap:g}")
    if not (math.isfinite(scale) and scale >= 0):
        raise GateError(f"the champion's expected loss must be a number not below 0, not {scale}")
    if config.decide.unit == "day" and (days is None or len(days) != champion.size):
        raise GateError("decide.unit is day: the day of each row is needed")


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(found: Mapping[str, Any]) -> dict[str, Any]:
    return {k: math.nan if v is None else v for k, v in found.items()}
