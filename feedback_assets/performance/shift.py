"""The estimate for traffic that is unlike the held-out rows (covariate shift).

A calibrator answers "how often is a score of .7 right?" for the mix of rows it was learned on. Where
the mix changes, held-out rows are weighted by how much more often rows like them come now
(importance weights by a domain classifier; Shimodaira 2000, Bickel et al. 2009), and the calibrator
is corrected in level and slope on the weighted rows. Like the plain estimate it is blind to concept
drift; it also knows nothing of rows unlike any held-out one, and says how many there are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.performance.calibration import (
    REPLICATES,
    Curve,
    Tilted,
    cells_of,
    log_odds,
    logistic_line,
)
from feedback_assets.performance.dle import LossCurve
from feedback_assets.performance.estimate import (
    EXPECTED_ERROR,
    Estimator,
    answers_of,
    row_losses,
    truths_of,
)
from feedback_assets.performance.metrics import Codes, Floats, floats

SAMPLE_ROWS = 2_000
"""Held-out rows kept with a model."""
CURRENT_ROWS = 1_500
"""Current rows looked at."""
CLIP = 20.0
"""Largest weight: one row must not decide."""
MOST_UNCOVERED = 0.5
"""Share of the current traffic, unlike any held-out row, from which nothing is said of the whole."""
CELLS = 160
"""Cells of all columns together, about, that the domain classifier reads."""

_RIDGE = 2.0
_STEPS = 25
_SCALES = (0.1, 10.0)


@dataclass(frozen=True)
class Weights:
    """How much more often rows like each held-out one come now."""

    values: Floats
    """Mean 1 [n]."""
    uncovered: float
    """Share of the current traffic that no held-out row stands for: what the weights fall short."""

    @property
    def effective_rows(self) -> float:
        """Kish's effective sample size."""
        return float(self.values.sum() ** 2 / (self.values**2).sum()) if self.values.size else 0.0


@dataclass(frozen=True)
class Shifted:
    """An estimator for the current traffic."""

    estimator: Estimator | None
    """None where it cannot be corrected."""
    effective_rows: float
    """Held-out rows that speak for the current ones, by weight."""
    uncovered: float
    """Share of the current traffic that no held-out row stands for."""
    reason: str
    """Why there is none; empty if there is."""


def held_sample(config: Config, held: pd.DataFrame) -> pd.DataFrame:
    """The held-out rows to keep with a version: labelled, at most `SAMPLE_ROWS`, few columns.

    Args:
        config: The loop.
        held: Held-out rows as for `Estimator.fit`, with the features.
    """
    labelled = held[held["label"].notna() & held["score"].notna()]
    kept = labelled.iloc[_some(labelled, SAMPLE_ROWS)]
    own = ["prediction_id", "partition_key", "label", "score", "prediction", "value"]
    scores = [f"score_{c}" for c in config.label.classes]
    names = [*own, EXPECTED_ERROR, *scores, *_columns(config)]
    return kept[[name for name in dict.fromkeys(names) if name in kept]].reset_index(drop=True)


def adjusted(
    estimator: Estimator, sample: pd.DataFrame, current: pd.DataFrame, config: Config
) -> Shifted:
    """Correct an estimator for the current rows, once for a day or period.

    Args:
        estimator: The version's.
        sample: What `held_sample` kept of its held-out rows.
        current: All the version's answers of the day or period, with features.
        config: The loop.
    """
    nothing = float("nan")
    if estimator.reason:
        return Shifted(None, nothing, nothing, estimator.reason)
    least = config.performance.min_rows
    if min(len(sample), len(current)) < least:
        few = f"{len(sample)} held-out and {len(current)} current rows, {least} needed of each"
        return Shifted(None, nothing, nothing, few)
    found = importance(sample, current, config)
    reason = _unlike(found, least)
    corrected = None if reason else reweighted(estimator, sample, found, config)
    return Shifted(corrected, found.effective_rows, found.uncovered, reason)


def importance(sample: pd.DataFrame, current: pd.DataFrame, config: Config) -> Weights:
    """Weights of the sample's rows by a ridge logistic domain classifier, out of fold.

    Columns are read as coarse cells (quantiles, frequent categories, null), so that any monotone
    or categorical change shows; numpy alone, milliseconds.
    """
    now = current.iloc[_some(current, CURRENT_ROWS)]
    names = [c for c in _columns(config) if c in sample and c in now]
    kinds = {c: config.columns.kind_of(c) for c in names if c in _declared(config)}
    cells = int(np.clip(CELLS // max(len(names), 1), 2, 8))
    parts = [
        _cells(sample[c], now[c], kinds.get(c, "numeric") == "categorical", cells) for c in names
    ]
    held = len(sample)
    design = np.concatenate([*parts, np.ones((held + len(now), 1), np.float32)], axis=1)
    is_now = np.arange(len(design)) >= held
    fold = np.random.default_rng(0).permutation(len(design)) % 2
    z = np.empty(len(design))
    for out in (0, 1):
        learn = fold != out
        z[~learn] = design[~learn] @ _logistic(design[learn], is_now[learn])
    ratio = np.exp(np.clip(z, -20, 20)) * held / len(now)
    clipped = np.minimum(ratio[:held], CLIP)
    # Weights that reach the whole of the current traffic have mean 1.
    return Weights(clipped / clipped.mean(), float(max(0.0, 1 - clipped.mean())))


def _unlike(found: Weights, least: int) -> str:
    if found.uncovered > MOST_UNCOVERED:
        return f"{found.uncovered:.0%} of the current rows are unlike any held-out one"
    if found.effective_rows < least:
        return (
            f"the current rows are unlike the held-out ones: {found.effective_rows:.0f} effective "
            f"held-out rows, {least} needed"
        )
    return ""


def reweighted(
    estimator: Estimator, sample: pd.DataFrame, weights: Weights, config: Config
) -> Estimator:
    """The estimator corrected on the weighted sample."""
    # Weights that add up to the effective rows carry the right amount of information.
    weight = weights.values * weights.effective_rows / max(len(sample), 1)
    draws = np.random.default_rng(0).standard_exponential((REPLICATES, len(sample)))
    if config.label.kind == "regression":
        expected, each = floats(sample[EXPECTED_ERROR]), row_losses(config, sample)
        return estimator.with_curves(
            loss_curves={
                name: _scaled(curve, expected, each[name], weight, draws)
                for name, curve in estimator.loss_curves.items()
                if name in each
            }
        )
    answers, known = answers_of(config, sample)
    truth = truths_of(config, sample)[known]
    labelled = np.flatnonzero(truth >= 0)
    answers, truth, at = answers.take(labelled), truth[labelled], np.flatnonzero(known)[labelled]
    classes = [1] if config.label.kind == "binary" else list(range(answers.scores.shape[1]))
    return estimator.with_curves(
        [
            _tilted(curve, answers.scores[:, c], truth == c, weight[at], draws[:, at])
            for c, curve in zip(classes, estimator.curves, strict=True)
        ]
    )


def _tilted(
    curve: Curve, score: Floats, y: npt.NDArray[np.bool_], weight: Floats, draws: Floats
) -> Tilted:
    cell, x = cells_of(score, weight)
    member = np.zeros((score.size, x.size))
    member[np.arange(score.size), cell] = 1
    drawn = draws * weight
    rows, positives = drawn @ member, (drawn * y) @ member
    level, slope = logistic_line(
        log_odds(curve(x)), (weight * y)[None] @ member, weight[None] @ member, ridge=1.0
    )
    levels, slopes = logistic_line(log_odds(curve.replicated(x)), positives, rows, ridge=1.0)
    return Tilted(curve, float(level[0, 0]), float(slope[0, 0]), levels[:, 0], slopes[:, 0])


def _scaled(
    curve: LossCurve, expected: Floats, loss: Floats, weight: Floats, draws: Floats
) -> LossCurve:
    known = np.isfinite(expected) & np.isfinite(loss)
    drawn, told = (draws * weight)[:, known], curve(expected[known])
    seen = weight[known] @ loss[known], drawn @ loss[known]
    said = weight[known] @ told, drawn @ told
    if not said[0]:
        return curve
    return curve.scaled(
        float(np.clip(seen[0] / said[0], *_SCALES)), np.clip(seen[1] / said[1], *_SCALES)
    )


def _logistic(design: npt.NDArray[np.float32], y: npt.NDArray[np.bool_]) -> Floats:
    """Ridge logistic regression by the fixed bound of its curvature (Böhning & Lindsay 1988)."""
    curvature = design.T @ design / 4 + _RIDGE * np.eye(design.shape[1], dtype=np.float32)
    inverse = np.linalg.inv(curvature)
    found = np.zeros(design.shape[1], dtype=np.float32)
    for _ in range(_STEPS):
        gap = y - 0.5 * (1 + np.tanh(0.5 * (design @ found)))
        found = found + inverse @ (design.T @ gap.astype(np.float32) - _RIDGE * found)
    return found.astype(np.float64)


def _cells(
    held: pd.Series, now: pd.Series, categorical: bool, cells: int
) -> npt.NDArray[np.float32]:
    """Both columns' rows as indicators of cells [n, K]."""
    codes = _category_codes(held, now, cells) if categorical else _number_codes(held, now, cells)
    found = np.zeros((codes.size, int(codes.max(initial=0)) + 1), dtype=np.float32)
    found[np.arange(codes.size), codes] = 1
    return found


def _category_codes(held: pd.Series, now: pd.Series, cells: int) -> Codes:
    """Most frequent first, all rarer ones together; null is a category."""
    both = pd.concat([held.astype(object), now.astype(object)])
    codes = pd.factorize(both, use_na_sentinel=False)[0]
    order = np.argsort(np.argsort(-np.bincount(codes), kind="stable"), kind="stable")
    return np.minimum(order[codes], cells).astype(np.int64)


def _number_codes(held: pd.Series, now: pd.Series, cells: int) -> Codes:
    """Quantile cells; what is not a finite number is a cell of its own."""
    values = np.concatenate([_numbers(held), _numbers(now)])
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.size, dtype=np.int64)
    edges = np.unique(np.quantile(values[finite], np.arange(1, cells) / cells))
    codes = np.searchsorted(edges, values, side="right")
    return np.where(finite, codes, edges.size + 1).astype(np.int64)


def _numbers(column: pd.Series) -> Floats:
    """The numbers; of a text its length."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return floats(column)
    return floats(column.astype(object).map(lambda v: len(v) if isinstance(v, str) else v))


def _columns(config: Config) -> list[str]:
    """What the model reads, what it is judged by, and what it said."""
    said = ["score", EXPECTED_ERROR, *(f"score_{c}" for c in config.label.classes)]
    return list(dict.fromkeys([*config.features, *config.columns.segments, *said]))


def _declared(config: Config) -> set[str]:
    return {*config.columns.features, *config.columns.carried}


def _some(frame: pd.DataFrame, most: int) -> Codes:
    """At most so many positions: those of the smallest hashes of the id, whatever the order."""
    if len(frame) <= most:
        return np.arange(len(frame))
    if "prediction_id" not in frame:
        return np.sort(np.random.default_rng(0).permutation(len(frame))[:most])
    marks = pd.util.hash_array(frame["prediction_id"].to_numpy(), categorize=False)
    return np.sort(np.argpartition(marks, most)[:most])
