"""What is learned about the rows of two periods before they are compared, by small boosted trees.

Every number about a row comes from a model that never saw the row's day (or, where there are few
days, the row): otherwise weather that is constant on a day would tell its days apart and no row
would have its like.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from feedback_assets.causes.balance import DAYS
from feedback_assets.causes.rows import Rows

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CATEGORIES = 60
"""Most frequent categories that the trees can tell apart."""
LIMIT = 4.0
"""Largest log ratio of densities that is believed."""
_TREES: dict[str, Any] = {
    "max_iter": 40, "learning_rate": 0.15, "max_leaf_nodes": 12, "min_samples_leaf": 30,
    "l2_regularization": 1.0, "early_stopping": False, "max_bins": 63,
}  # fmt: skip


@dataclass(frozen=True)
class Nuisance:
    """Of each row, by models of other days."""

    moved: Floats
    """Log ratio of the features' densities, later to earlier, given what was made alike [n]."""
    expected: Floats
    """Loss expected by the features, as in the earlier and in the later period [n, 2]."""
    log_before: Floats
    """Log chance of each class of the label by the features, earlier period [n, K]."""
    log_after: Floats
    """The same of the later period [n, K]."""


def learned(rows: Rows, later: Bools, weight: Floats, label: Codes, classes: int) -> Nuisance:
    """Fit the models on one half of the days each and apply them to the other half.

    Args:
        rows: Both periods' rows.
        later: Which are of the later period [n].
        weight: Weights that make the periods alike in what is already accounted for [n].
        label: Class of each row's label, 0 .. classes - 1 [n].
        classes: Number of classes.
    """
    from threadpoolctl import threadpool_limits

    matrix, categorical = _matrix(rows)
    half = _halves(rows, later)
    weighted = weight / max(float(weight.mean()), 1e-300)
    with threadpool_limits(limits=1):
        moved = _crossed(
            half, np.ones(len(rows), bool), 2, matrix,
            lambda at: _classifier(matrix[at], later[at].astype(np.int64), 2, categorical, weighted[at]),
        )  # fmt: skip
        expected, logs = [], []
        for period in (~later, later):
            expected.append(
                _crossed(
                    half,
                    period,
                    1,
                    matrix,
                    lambda at: _regressor(matrix[at], rows.loss[at], categorical),
                )
            )
            logs.append(
                _crossed(
                    half, period, classes, matrix,
                    lambda at: _classifier(matrix[at], label[at], classes, categorical),
                )
            )  # fmt: skip
    ratio = np.clip(moved[:, 1] - moved[:, 0], -LIMIT, LIMIT)
    return Nuisance(ratio, np.column_stack(expected), logs[0], logs[1])


def _crossed(
    half: Codes,
    period: Bools,
    width: int,
    matrix: Floats,
    fit: Callable[[Codes], Callable[[Floats], Floats]],
) -> Floats:
    """Each half's rows [n, width] by the model of the period's rows of the other half."""
    out = np.empty((half.size, width))
    for side in (0, 1):
        model = fit(np.flatnonzero((half != side) & period))
        asked = half == side
        out[asked] = model(matrix[asked])
    return out


def _classifier(
    x: Floats, y: Codes, classes: int, categorical: list[bool], weight: Floats | None = None
) -> Callable[[Floats], Floats]:
    """Log chances [rows, classes]; of classes that were not there, as if half a row had been."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    floor = np.log(0.5 / (y.size + 0.5 * classes))
    there = np.unique(y)
    some, which = _varying(x, categorical)
    if there.size < 2 or not which:
        counts = np.bincount(y, weight, minlength=classes) + 0.5
        level = np.log(counts / counts.sum())
        return lambda rows: np.tile(level, (rows.shape[0], 1))
    model = HistGradientBoostingClassifier(
        **_TREES, categorical_features=which, random_state=0
    ).fit(x[:, some], y, sample_weight=weight)

    def logs(rows: Floats) -> Floats:
        out = np.full((rows.shape[0], classes), floor)
        out[:, there] = np.maximum(
            np.log(np.maximum(model.predict_proba(rows[:, some]), 1e-12)), floor
        )
        return out

    return logs


def _regressor(x: Floats, y: Floats, categorical: list[bool]) -> Callable[[Floats], Floats]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    some, which = _varying(x, categorical)
    if not (which and y.size and np.ptp(y) > 0):
        level = float(y.mean()) if y.size else 0.0
        return lambda rows: np.full((rows.shape[0], 1), level)
    model = HistGradientBoostingRegressor(**_TREES, categorical_features=which, random_state=0).fit(
        x[:, some], y
    )
    return lambda rows: np.asarray(model.predict(rows[:, some]), np.float64)[:, None]


def _varying(x: Floats, categorical: list[bool]) -> tuple[Codes, list[bool]]:
    """Columns that have more than one value; scikit-learn refuses those that have none."""
    lowest = np.where(np.isnan(x), np.inf, x).min(axis=0, initial=np.inf)
    highest = np.where(np.isnan(x), -np.inf, x).max(axis=0, initial=-np.inf)
    some = np.flatnonzero(lowest < highest)
    return some, [categorical[i] for i in some]


def _halves(rows: Rows, later: Bools) -> Codes:
    """0 or 1 for each row [n]: every other day of each period, or every other row."""
    half = np.zeros(len(rows), np.int64)
    for period in (~later, later):
        days, codes = np.unique(rows.day[period].astype(str), return_inverse=True)
        if days.size >= DAYS:
            half[period] = codes % 2
        else:
            half[period] = np.random.default_rng(0).permutation(int(period.sum())) % 2
    return half


def _matrix(rows: Rows) -> tuple[Floats, list[bool]]:
    """Features as numbers [n, columns], and which columns are codes of categories."""
    import pandas as pd

    columns, categorical = [], []
    for values in rows.features.values():
        words = values.dtype.kind != "f"
        if words:
            codes, found = pd.factorize(values, use_na_sentinel=True)
            counts = np.bincount(codes[codes >= 0], minlength=len(found))
            rank = np.empty(len(found), np.int64)
            rank[np.argsort(-counts, kind="stable")] = np.arange(len(found))
            known = np.minimum(rank[codes], CATEGORIES) if len(found) else codes
            columns.append(np.where(codes < 0, np.nan, known.astype(np.float64)))
        else:
            columns.append(np.asarray(values, np.float64))
        categorical.append(words)
    return np.column_stack([np.empty((len(rows), 0)), *columns]), categorical
