"""How models treat the groups of one protected attribute, with intervals.

Two figures, both by fairlearn: disparate impact, the smallest group's share of positive answers over
the largest's (1 is alike; the four-fifths rule asks for 0.8), and the equal opportunity difference,
the largest gap of the groups' true positive rates (0 is alike; Hardt et al. 2016).

The intervals are percentiles of a bootstrap of the rows. A row falls into one of a few cells (group,
truth, answer), so drawing rows with replacement is drawing the cells' counts from a multinomial, and
all draws are made at once. A smallest and a largest of noisy rates look further apart than they
are: with few rows both figures err on the side of alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.errors import GateError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_CELLS = 4  # truth times answer


@dataclass(frozen=True)
class Bounded:
    """A figure with the two ends of its interval; NaN where it cannot be said."""

    value: float
    lower: float
    upper: float

    def to_dict(self) -> dict[str, float]:
        """As JSON wants it."""
        return {"value": self.value, "lower": self.lower, "upper": self.upper}


UNKNOWN = Bounded(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class ModelBias:
    """One model: the two figures, and both rates of each group [groups] (NaN if undefined)."""

    disparate_impact: Bounded
    equal_opportunity_difference: Bounded
    selection_rate: Floats
    true_positive_rate: Floats


@dataclass(frozen=True)
class Bias:
    """Every model on the groups of one attribute.

    Attributes:
        groups: the groups' names, the largest first.
        rows: rows of each group.
        positives: rows of each group whose label is positive.
        unknown_rows: rows whose group is not known; they are in none.
        min_rows: rows that a group needs to be judged; of its positive rows, for equal opportunity.
        models: model -> what it does.
    """

    groups: tuple[str, ...]
    rows: Codes
    positives: Codes
    unknown_rows: int
    min_rows: int
    models: Mapping[str, ModelBias]

    def to_dict(self, attribute: str, answer: str) -> dict[str, Any]:
        """One entry of a suite's `fairness`; numbers may be NaN."""
        return {
            "attribute": attribute,
            "answer": answer,
            "unknown_rows": self.unknown_rows,
            "disparate_impact": {
                name: m.disparate_impact.to_dict() for name, m in self.models.items()
            },
            "equal_opportunity_difference": {
                name: m.equal_opportunity_difference.to_dict() for name, m in self.models.items()
            },
            "groups": [
                {
                    "group": group,
                    "rows": int(self.rows[i]),
                    "positives": int(self.positives[i]),
                    "judged": bool(self.rows[i] >= self.min_rows),
                    "selection_rate": {
                        name: float(m.selection_rate[i]) for name, m in self.models.items()
                    },
                    "true_positive_rate": {
                        name: float(m.true_positive_rate[i]) for name, m in self.models.items()
                    },
                }
                for i, group in enumerate(self.groups)
            ],
        }


def bias(
    labels: npt.ArrayLike,
    answers: Mapping[str, npt.ArrayLike],
    groups: npt.ArrayLike,
    *,
    min_rows: int,
    confidence: float,
    resamples: int,
    seed: int,
) -> Bias:
    """How models treat the groups of one attribute.

    Args:
        labels: 0 or 1 [n].
        answers: model -> its answers, 0 or 1 [n].
        groups: the attribute's value of each row [n]; null means not known.
        min_rows: groups with fewer rows are shown, but enter neither figure; for equal opportunity
            a group needs as many positive rows, since those make its rate.
        confidence: of each end of the intervals (one-sided).
        resamples: bootstrap resamples.
        seed: of the resamples; the same rows give the same intervals.

    Returns:
        Figures are NaN with fewer than two judged groups, or when nobody gets a positive answer.

    Raises:
        GateError: the lengths differ.
    """
    truth = np.asarray(labels, dtype=np.int64)
    codes, names = pd.factorize(np.asarray(groups, dtype=object))
    given = {model: np.asarray(values, dtype=np.int64) for model, values in answers.items()}
    for what, size in {"groups": codes.size, **{m: v.size for m, v in given.items()}}.items():
        if size != truth.size:
            raise GateError(f"fairness: {what} has {size} values for {truth.size} labels")
    known = codes >= 0
    order = np.argsort(-np.bincount(codes[known], minlength=len(names)), kind="stable")
    place = np.argsort(order, kind="stable")
    codes = np.where(known, place[codes] if len(names) else codes, -1)
    rows = np.bincount(codes[known], minlength=len(names)).astype(np.int64)
    positives = np.bincount(codes[known], truth[known], len(names)).astype(np.int64)
    enough = rows >= min_rows, positives >= min_rows
    models = {
        model: _model(truth, said, codes, enough, positives, confidence, resamples, seed)
        for model, said in given.items()
    }
    labelled = tuple(str(names[i]) for i in order)
    return Bias(labelled, rows, positives, int((~known).sum()), min_rows, models)


def _model(
    truth: Codes, said: Codes, codes: Codes, enough: tuple[Flags, Flags], positives: Codes,
    confidence: float, resamples: int, seed: int,
) -> ModelBias:  # fmt: skip
    known = codes >= 0
    selected, found = _rates(truth[known], said[known], codes[known])
    found = np.where(positives > 0, found, np.nan)
    rates = _drawn_rates(truth[known], said[known], codes[known], enough[0].size, resamples, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = _part(rates[0], enough[0], np.min) / _part(rates[0], enough[0], np.max)
    gaps = _part(rates[1], enough[1], np.max) - _part(rates[1], enough[1], np.min)
    ratio, gap = _figures(truth, said, codes, enough)
    return ModelBias(
        _bounded(ratio, ratios, confidence), _bounded(gap, gaps, confidence), selected, found
    )


def _rates(truth: Codes, said: Codes, codes: Codes) -> tuple[Floats, Floats]:
    """Share of positive answers and true positive rate of each group [groups]."""
    from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate

    if not codes.size:
        return np.empty(0), np.empty(0)
    frame = MetricFrame(
        metrics={"selected": selection_rate, "found": true_positive_rate},
        y_true=truth,
        y_pred=said,
        sensitive_features=pd.Series(codes, name="group"),
    ).by_group.sort_index()
    return frame["selected"].to_numpy(np.float64), frame["found"].to_numpy(np.float64)


def _figures(
    truth: Codes, said: Codes, codes: Codes, enough: tuple[Flags, Flags]
) -> tuple[float, float]:
    """Disparate impact and equal opportunity difference; NaN where they cannot be said."""
    from fairlearn.metrics import demographic_parity_ratio, equal_opportunity_difference

    ratio = gap = float("nan")
    judged = [np.isin(codes, np.flatnonzero(some)) for some in enough]
    if enough[0].sum() > 1 and said[judged[0]].any():
        ratio = demographic_parity_ratio(
            truth[judged[0]], said[judged[0]], sensitive_features=codes[judged[0]]
        )
    if enough[1].sum() > 1:
        gap = equal_opportunity_difference(
            truth[judged[1]], said[judged[1]], sensitive_features=codes[judged[1]]
        )
    return float(ratio), float(gap)


def _drawn_rates(
    truth: Codes, said: Codes, codes: Codes, groups: int, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """Both rates of each group on each draw of the rows: two of [resamples, groups]."""
    if not codes.size:
        return np.full((resamples, groups), np.nan), np.full((resamples, groups), np.nan)
    counts = np.bincount(codes * _CELLS + truth * 2 + said, minlength=groups * _CELLS)
    drawn = np.random.default_rng(seed).multinomial(codes.size, counts / codes.size, resamples)
    cells = drawn.reshape(resamples, groups, 2, 2).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        selected = cells[..., 1].sum(axis=2) / cells.sum(axis=(2, 3))
        found = cells[:, :, 1, 1] / cells[:, :, 1, :].sum(axis=2)
    return selected, found


def _part(rates: Floats, judged: Flags, end: Any) -> Floats:
    """Smallest or largest rate among the judged groups [resamples]; NaN with fewer than two."""
    if judged.sum() < 2:
        return np.full(rates.shape[0], np.nan)
    return np.asarray(end(rates[:, judged], axis=1), dtype=np.float64)


def _bounded(value: float, draws: Floats, confidence: float) -> Bounded:
    known = draws[np.isfinite(draws)]
    if not np.isfinite(value) or known.size < draws.size / 2:
        return Bounded(value, float("nan"), float("nan")) if np.isfinite(value) else UNKNOWN
    lower, upper = np.quantile(known, [1 - confidence, confidence])
    return Bounded(value, float(lower), float(upper))
