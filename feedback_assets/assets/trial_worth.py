"""What both models' answers are worth to the business: estimated at first, realised with labels."""

import math
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.companions import with_error
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.trial_rows import SIDES, TrialRows, by_side
from feedback_assets.assets.worth import with_worth, with_worth_by_truth
from feedback_assets.performance.days import day_numbers
from feedback_assets.performance.intervals import UNKNOWN, Interval, mean_interval
from feedback_assets.performance.metrics import Floats, floats
from feedback_assets.performance.value import has_value


@dataclass(frozen=True)
class WorthFigures:
    """Worth per answer, had one model given all of the answers.

    Attributes:
        estimated: by the model's own calibrated scores, over all rows: known before any label, blind
            to a label that has changed its meaning.
        realised: over the rows whose labels count.
    """

    estimated: Interval
    realised: Interval


@dataclass(frozen=True)
class KpiFigures:
    """The business figure of both arms on the same rows.

    Attributes:
        name: what the business calls it.
        unit: of one answer's worth.
        rows: answers that are estimated.
        labels: answers whose worth is known.
        champion: the champion's worth per answer.
        challenger: the challenger's.
        gain: challenger less champion, realised, on the same rows; its interval holds for one look.
    """

    name: str
    unit: str
    rows: int
    labels: int
    champion: WorthFigures
    challenger: WorthFigures
    gain: Interval

    @property
    def maturity(self) -> float | None:
        """Share of the rows whose worth is known."""
        return self.labels / self.rows if self.rows else None

    def to_dict(self) -> dict[str, Any]:
        """JSON values; null where a number is not known."""
        plain = {
            "name": self.name, "unit": self.unit, "rows": self.rows, "labels": self.labels,
            "maturity": self.maturity, "gain": _plain(self.gain),
        }  # fmt: skip
        for side in SIDES:
            worth: WorthFigures = getattr(self, side)
            plain[side] = {"estimated": _plain(worth.estimated), "realised": _plain(worth.realised)}
        return plain


def kpi_figures(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    models: tuple[ModelVersion, ModelVersion],
    rows: TrialRows,
) -> KpiFigures | None:
    """The KPI of both arms; None where the file does not say what an answer is worth.

    Raises:
        ConfigError: `kpi.expression` does not run on the loop's columns.
    """
    config = space.config
    if not has_value(config.kpi):
        return None
    kpi, nothing = config.kpi, WorthFigures(UNKNOWN, UNKNOWN)
    if rows.frame.empty:
        return KpiFigures(kpi.name, kpi.unit, 0, 0, nothing, nothing, UNKNOWN)
    values = [_realised(space, con, by_side(config, rows.counted, side)) for side in SIDES]
    days = day_numbers(rows.counted["partition_key"], config)

    def mean(worth: Floats) -> Interval:
        known = np.isfinite(worth)
        return mean_interval(worth[known], config.performance.confidence, days[known])

    champion, challenger = (
        WorthFigures(_estimated(space, con, model, by_side(config, rows.frame, side)), mean(worth))
        for side, model, worth in zip(SIDES, models, values, strict=True)
    )
    gains = values[1] - values[0]
    known = int(np.isfinite(gains).sum())
    return KpiFigures(kpi.name, kpi.unit, len(rows.frame), known, champion, challenger, mean(gains))


def _realised(space: LoopSpace, con: duckdb.DuckDBPyConnection, counted: pd.DataFrame) -> Floats:
    """What each labelled answer was worth [rows]; NaN where it is not known."""
    return floats(with_worth(space.config, con, counted)["value"]) if len(counted) else np.empty(0)


def _estimated(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, model: ModelVersion, rows: pd.DataFrame
) -> Interval:
    """The worth per answer that the model's own scores promise."""
    asked = model.estimator(space.config)
    ready = with_error(model.error_model(), with_worth_by_truth(space.config, con, rows))
    return asked.estimate(ready).metrics.get("value", UNKNOWN)


def _plain(found: Interval) -> dict[str, float | None]:
    return {
        name: value if math.isfinite(value) else None for name, value in found._asdict().items()
    }
