"""Columns that know the label: they are known only when the outcome is, or are the outcome itself.

Each test looks at a sample: how well a column alone tells the label, whether it is empty just where
the label is, and whether columns add up to the label.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.inference.names import is_afterwards
from feedback_assets.config.schema import LabelKind

ALONE = 0.98
"""A single column that tells the label better than this (AUC, rank correlation, accuracy) leaks."""
SUSPECT = 0.8
"""The same for a column that is suspect already, by its name or its nulls."""
_ENOUGH = 20

Floats = npt.NDArray[np.float64]


def leaks(frame: pd.DataFrame, columns: list[str], label: str, kind: LabelKind) -> dict[str, str]:
    """Return the columns among `columns` that leak `label`, each with the reason in words.

    Args:
        frame: A sample of rows.
        columns: Candidates for features.
        label: Name of the label's column; null where the label never came.
        kind: Kind of the label.
    """
    found: dict[str, str] = {}
    known = frame[label].notna().to_numpy()
    target = _target(frame[label][known], kind)
    for column in columns:
        reason = _alone(frame[column], known, target, kind)
        if reason:
            found[column] = reason
    if kind == "regression":
        parts = [c for c in columns if _is_numeric(frame[c]) and not _same(frame[c][known], target)]
        found = _sums(frame.loc[known, parts], target, label) | found
    return found


def moves_with_clock(values: pd.Series) -> bool:
    """Whether a column only tells how late it is: its first and last quarter share no values.

    Args:
        values: The column in the order of event time.
    """
    quarter = len(values) // 4
    first, last = values.iloc[:quarter].dropna(), values.iloc[-quarter:].dropna()
    if min(len(first), len(last)) < 50:
        return False
    if _is_numeric(values):
        before, after = first.to_numpy(dtype=float), last.to_numpy(dtype=float)
        labels = np.r_[np.zeros(len(before)), np.ones(len(after))]
        return abs(roc_auc(labels, np.r_[before, after]) - 0.5) > 0.499
    seen, new = set(first.unique()), set(last.unique())
    return len(seen) <= 50 and len(new) <= 50 and not seen & new


def roc_auc(labels: Floats, scores: Floats) -> float:
    """Return the area under the ROC curve by ranks (Mann-Whitney), ties counted half.

    >>> roc_auc(np.array([0., 0., 1., 1.]), np.array([1., 2., 2., 3.]))
    0.875
    """
    positives = labels.sum()
    if positives in (0, len(labels)):
        return 0.5
    ranks = pd.Series(scores).rank().to_numpy()
    above = ranks[labels == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(labels) - positives)))


def strength(values: pd.Series, target: Floats, kind: LabelKind) -> float:
    """Return how well one column alone tells the label, from 0.5 or 0 (not at all) to 1.

    AUC of out-of-fold means by value (binary), absolute rank correlation (regression), accuracy of
    the out-of-fold most frequent class by value (multiclass; 0 where the classes are lopsided).
    """
    numeric = _is_numeric(values)
    if kind == "regression":
        return _rank_correlation(values, target) if numeric else 0.0
    groups = _groups(values, numeric)
    half = np.arange(len(target)) % 2 == 0
    if kind == "binary":
        scores = np.empty(len(target))
        for fold in (half, ~half):
            means = pd.Series(target[~fold]).groupby(groups[~fold]).mean()
            scores[fold] = pd.Series(groups[fold]).map(means).fillna(target.mean()).to_numpy()
        return max(roc_auc(target, scores), 0.5)
    if pd.Series(target).value_counts(normalize=True).max() > 0.9:
        return 0.0
    hits = 0
    for fold in (half, ~half):
        modes = pd.Series(target[~fold]).groupby(groups[~fold]).agg(lambda x: x.mode().iloc[0])
        hits += int((pd.Series(groups[fold]).map(modes).to_numpy() == target[fold]).sum())
    return hits / len(target)


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _same(values: pd.Series, target: Floats) -> bool:
    """Whether a column is the label itself, in whatever unit."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if np.isnan(numbers).any() or numbers.std() == 0 or target.std() == 0:
        return False
    return bool(abs(np.corrcoef(numbers, target)[0, 1]) > 1 - 1e-9)


def _target(label: pd.Series, kind: LabelKind) -> Floats:
    if kind == "regression":
        return label.to_numpy(dtype=float)
    return np.asarray(label.astype(str).astype("category").cat.codes, dtype=np.float64)


def _groups(values: pd.Series, numeric: bool) -> npt.NDArray[np.int64]:
    if numeric and values.nunique() > 200:
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, 201)))
        bins = np.searchsorted(edges, numbers)
        return np.where(np.isnan(numbers), -1, bins).astype(np.int64)
    return pd.factorize(values)[0].astype(np.int64)


def _rank_correlation(values: pd.Series, target: Floats) -> float:
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    both = ~np.isnan(numbers) & ~np.isnan(target)
    if both.sum() < _ENOUGH:
        return 0.0
    a = pd.Series(numbers[both]).rank().to_numpy()
    b = pd.Series(target[both]).rank().to_numpy()
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(abs(np.corrcoef(a, b)[0, 1]))


def _alone(
    values: pd.Series, known: npt.NDArray[np.bool_], target: Floats, kind: LabelKind
) -> str | None:
    empty = values.isna().to_numpy()
    unknown = int((~known).sum())
    if unknown >= _ENOUGH and (empty == ~known).all():
        return "is empty exactly where the label is: known only afterwards"
    if unknown >= _ENOUGH and (telling := _tells_there_is_none(values, known)):
        return f"is {telling} only where there never was a label: known only afterwards"
    if known.sum() < _ENOUGH:
        return None
    told = strength(values[known].reset_index(drop=True), target, kind)
    measure = {"binary": "AUC", "regression": "rank correlation", "multiclass": "accuracy"}[kind]
    if told >= ALONE:
        return f"tells the label almost alone ({measure} {told:.3f})"
    nulls_tell = empty.sum() >= _ENOUGH and not known[empty].any()
    if told >= SUSPECT and nulls_tell:
        return f"tells much of the label ({measure} {told:.2f}) and is empty only where it is"
    if told >= SUSPECT and is_afterwards(str(values.name)):
        return f"tells much of the label ({measure} {told:.2f}) and is named like an outcome"
    return None


def _tells_there_is_none(values: pd.Series, known: npt.NDArray[np.bool_]) -> str | None:
    """Return a value under which the label never came, though most labels did."""
    if values.nunique() > 20 or known.mean() < 0.5:
        return None
    counts = pd.Series(known).groupby(values.to_numpy()).agg(["sum", "size"])
    never = counts[(counts["sum"] == 0) & (counts["size"] >= _ENOUGH)]
    share_explained = never["size"].sum() / (~known).sum()
    return str(never.index[0]) if len(never) and share_explained > 0.5 else None


def _sums(numbers: pd.DataFrame, target: Floats, label: str) -> dict[str, str]:
    """Find columns of which the label is a weighted sum, by least squares that leave nothing over."""
    columns = [c for c in numbers if numbers[c].notna().all()]
    if not columns or len(target) <= 2 * len(columns) or np.std(target) == 0:
        return {}
    x = numbers[columns].to_numpy(dtype=float)
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    y = (target - target.mean()) / target.std()
    weights, *_ = np.linalg.lstsq(x, y, rcond=None)
    if np.mean((y - x @ weights) ** 2) > 1e-6:
        return {}
    parts = [c for c, weight in zip(columns, weights, strict=True) if abs(weight) > 0.01]
    told = " and ".join(map(str, parts))
    return dict.fromkeys(map(str, parts), f"{label} is a weighted sum of {told}")
