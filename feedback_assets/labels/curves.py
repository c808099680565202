"""Delay curves apart for each label value: one class may be known weeks before another."""

import datetime as dt

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS, ArrivalCurve, arrival_curve, cohort_ages

OWN_CURVE_LABELS = 50
"""Complete labels from which a label value has a curve of its own."""
ALL = ""
"""The group of all labels together."""


def group_curves(
    counts: pd.DataFrame, config: Config, as_of: dt.datetime
) -> dict[str, ArrivalCurve]:
    """Curves by label value, and of all labels under `""`; empty before any cohort is complete.

    Args:
        counts: Rows of `delay_counts_sql`.
        config: The loop. The values of a regression are not told apart.
        as_of: The moment of the counts.
    """
    if counts.empty:
        return {}
    ages = cohort_ages(counts["partition_key"].unique().tolist(), config, as_of)
    age = np.array([ages[key] for key in counts["partition_key"]], np.float64)
    steps = counts["delay_step"].to_numpy(np.float64, na_value=np.nan)
    delay = steps * (config.label.max_delay_days / STEPS)
    n = counts["n"].to_numpy(np.float64)
    groups = counts["label_group"].to_numpy(object)
    found = {ALL: arrival_curve(delay, age, config.label.max_delay_days, weights=n)}
    if config.label.kind != "regression":
        for name in sorted({str(g) for g in groups if isinstance(g, str)}):
            own = np.where(groups == name, delay, np.nan)
            found[name] = arrival_curve(own, age, config.label.max_delay_days, weights=n)
    return {
        name: curve
        for name, curve in found.items()
        if curve.labels >= (1 if name == ALL else OWN_CURVE_LABELS)
    }
