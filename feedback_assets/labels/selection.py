"""Selective labels: the truth becomes known only of some rows, by what was decided.

Whether a loan is paid back is known of loans that were granted (Lakkaraju et al. 2017). Rows whose
truth can be known are then no sample of all. Where the chance of the decision was logged, each label
stands for 1 / chance rows (Horvitz and Thompson 1952); where it was not, nothing can be said of the
others, and that is said.
"""

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.performance.metrics import Floats, floats
from feedback_assets.sqltext import number


def is_weighted(config: Config) -> bool:
    """Whether labels are weighted by the inverse of a logged chance."""
    selective = config.label.selective
    return selective is not None and selective.propensity == "logged"


def selection_weight_sql(config: Config, alias: str = "") -> str:
    """SQL of what a labelled row weighs for the rows whose truth cannot be known: 1 / its chance.

    1 for every row where labels are not selective or no chance was logged. Else 0 for a row whose
    label has no known chance: the condition `label.selective.known_when` does not hold (its label
    came another way), or no propensity in (0, 1] was logged.

    Args:
        config: the loop's.
        alias: of the feedback table in FROM. The condition's own column names stay as they are.
    """
    selective = config.label.selective
    if selective is None or not is_weighted(config):
        return "1e0"
    chance = f"{alias}.propensity" if alias else "propensity"
    return (
        f"CASE WHEN ({selective.known_when}) AND {chance} > 0e0 AND {chance} <= 1e0 "
        f"THEN 1e0 / {chance} ELSE 0e0 END"
    )


def selection_weights(config: Config, rows: pd.DataFrame) -> Floats | None:
    """What rows of the labeled pool weigh [n], at most `pool.max_weight`; None for one each.

    The pool holds only rows whose chance is known; one without a propensity weighs nothing.
    """
    if not is_weighted(config) or "propensity" not in rows:
        return None
    chance = floats(rows["propensity"])
    known = (chance > 0) & (chance <= 1)
    weights = np.divide(1.0, chance, out=np.zeros(chance.size), where=known)
    return np.minimum(weights, config.pool.max_weight)


def selection_draw_sql(config: Config, alias: str) -> str:
    """SQL that draws rows with a chance that makes them a fair sample again, by a hash of their ids.

    A row stays with the chance `weight / pool.max_weight`, so that any two rows whose truth could
    have become known are as likely to be among those that stay. TRUE where nothing is weighted.
    """
    if not is_weighted(config):
        return "TRUE"
    marked = f"MD5(CONCAT('selection:', {alias}.prediction_id))"
    lot = f"CAST(CONCAT('0x', SUBSTR({marked}, 1, 12)) AS BIGINT) / {float(2**48):.1f}"
    weight = selection_weight_sql(config, alias)
    return f"COALESCE({lot} * {number(config.pool.max_weight)} < ({weight}), FALSE)"


def known_when_sql(config: Config) -> str:
    """SQL that is true for rows whose truth can become known: all, unless labels are selective."""
    selective = config.label.selective
    return f"COALESCE(({selective.known_when}), FALSE)" if selective else "TRUE"


def selection_words(config: Config, rows: int = 0, possible: int = 0) -> str:
    """What selective labels mean for every figure; empty where labels are not selective.

    Args:
        config: the loop's.
        rows: rows that were answered.
        possible: those of them whose truth can become known.
    """
    selective = config.label.selective
    if selective is None:
        return ""
    share = f", {possible / rows:.0%} of {rows:,} rows" if rows else ""
    said = f"truth becomes known only where {selective.known_when}{share}"
    if is_weighted(config):
        return f"{said}; each label is weighted by the inverse of the logged chance of the decision"
    return (
        f"{said}; the chance of the decision is not logged, so every figure is of these rows alone "
        "and nothing is known of the others"
    )
