"""Rows of the report tables as plain values, and how their numbers are said."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.reports.words import MISSING

Row = Mapping[str, Any]
METRIC_NAMES = {
    "log_loss": "Log loss", "brier": "Brier score", "roc_auc": "AUC", "accuracy": "Accuracy",
    "f1": "F1", "ece": "Calibration error", "mae": "Mean absolute error",
    "rmse": "Root mean squared error", "r2": "R²", "mape": "Relative error",
    "pinball": "Pinball loss", "value": "Value per answer",
}  # fmt: skip


def records(frame: pd.DataFrame, **equal: str) -> list[Row]:
    """The rows whose columns have these values, as dictionaries.

    >>> records(pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), a="y")
    [{'a': 'y', 'b': 2}]
    """
    keep = np.ones(len(frame), dtype=bool)
    for name, value in equal.items():
        keep &= frame[name].to_numpy() == value
    if not keep.any():
        return []
    names = [str(name) for name in frame]
    kept = (frame if keep.all() else frame[keep]).to_numpy(dtype=object).tolist()
    return [dict(zip(names, row, strict=True)) for row in kept]


def number(value: Any) -> float:
    """A number; NaN where it is not known."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def said(value: Any, digits: int = 3) -> str:
    """A number with its leading digits, a dash where it is not known.

    >>> said(0.49834), said(12345.6), said(0.00001234), said(-0.0)
    ('0.498', '12,346', '1.23e-05', '0')
    """
    known = number(value)
    if not math.isfinite(known):
        return MISSING if math.isnan(known) else ("∞" if known > 0 else "-∞")
    if known == 0:
        return "0"
    if abs(known) >= 10**digits:
        return f"{known:,.0f}"
    return f"{known:.{digits}g}"


def interval(low: Any, high: Any, digits: int = 3) -> str:
    """Two ends, as in "0.48 to 0.52"; empty where one is not known."""
    ends = number(low), number(high)
    return f"{said(low, digits)} to {said(high, digits)}" if all(map(math.isfinite, ends)) else ""


def percent(value: Any) -> str:
    """A share in per cent."""
    known = number(value)
    return f"{known:.1%}" if math.isfinite(known) else MISSING


def count(value: Any) -> str:
    """A whole number with separators."""
    known = number(value)
    return f"{known:,.0f}" if math.isfinite(known) else MISSING


def chance(log_e: Any) -> str:
    """What an e-value is worth: how rarely it would come if nothing material had changed.

    By Ville's inequality an e-process ever reaches e with a chance of at most 1/e, however often it
    is looked at.

    >>> chance(12.6), chance(0.1), chance(None), chance(40)
    ('at most 1 in 300,000', 'no evidence', 'not known', 'less than 1 in a billion')
    """
    known = number(log_e)
    if math.isnan(known):
        return "not known"
    if known < math.log(2):
        return "no evidence"
    if known > math.log(1e9):
        return "less than 1 in a billion"
    return f"at most 1 in {float(f'{math.exp(known):.0e}'):,.0f}"


def metric_name(metric: str) -> str:
    """A metric's name for people."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def metric_word(metric: str) -> str:
    """A metric's name within a sentence.

    >>> metric_word("log_loss"), metric_word("roc_auc")
    ('log loss', 'AUC')
    """
    name = metric_name(metric)
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def list_words(names: list[str], shown: int = 3) -> str:
    """Names in a sentence: "a, b and c", "a, b, c and 4 more"."""
    if len(names) > shown:
        names = [*names[:shown], f"{len(names) - shown} more"]
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
