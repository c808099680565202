"""Reweighing: a protected attribute and the label made independent in training, by weights.

Of Kamiran and Calders (2012), "Data preprocessing techniques for classification without
discrimination": a row of value s and label y weighs P(s) P(y) / P(s, y).
"""

import json

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.sqltext import ident


def attributes(config: Config) -> list[str]:
    """The protected attributes that are made independent of the label."""
    if config.label.kind == "regression":
        return []
    fairness = config.gate.fairness
    return [*config.pool.reweigh] or ([*fairness.attributes] if fairness else [])


def cell_sql(config: Config) -> str:
    """Portable SQL of one text for the protected values and the label of a row.

    The length before each value keeps neighbours apart; a null is a value of its own.
    """
    texts = [f"CAST({ident(name)} AS STRING)" for name in [*attributes(config), "label"]]
    # Of a null DuckDB's CONCAT makes an empty text, Spark's a null.
    parts = [
        f"CASE WHEN {t} IS NULL THEN '-' ELSE CONCAT(LENGTH({t}), ':', {t}) END" for t in texts
    ]
    return f"CONCAT_WS(',', {', '.join(parts)})"


def values_of(cell: str) -> list[str | None]:
    """The values of a cell's text: the protected ones, then the label.

    >>> values_of("3:a,b,-,1:1")
    ['a,b', None, '1']
    """
    values: list[str | None] = []
    while cell:
        if cell.startswith("-"):
            values.append(None)
            cell = cell[2:]
            continue
        size, _, rest = cell.partition(":")
        values.append(rest[: int(size)])
        cell = rest[int(size) + 1 :]
    return values


def fair_factors(counts: pd.DataFrame) -> dict[str, float]:
    """Factor of each cell, so that with it the attributes tell nothing of the label.

    Several attributes count together: each combination of their values is a group.

    Args:
        counts: Train rows by `cell` and `units` (millionths of the weight so far), with `n`.
    """
    weight = (counts["units"] * counts["n"]).groupby(counts["cell"]).sum()
    found = [values_of(cell) for cell in weight.index]
    group = pd.Series([json.dumps(values[:-1]) for values in found], index=weight.index)
    label = pd.Series([values[-1] for values in found], index=weight.index)
    total = float(weight.sum())
    of_group = weight.groupby(group).transform("sum")[weight.index].to_numpy(np.float64)
    of_label = weight.groupby(label).transform("sum")[weight.index].to_numpy(np.float64)
    factors = of_group / total * of_label / weight.to_numpy(np.float64)
    return dict(zip(weight.index, factors.tolist(), strict=True))
