"""A trial of selective labels with logged chances looks at a fair sample of them."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.trial_rows import _rows_sql
from feedback_assets.config.schema import Config
from feedback_assets_tests.labels.delays import loop

N = 20_000
DAY = "2024-01-05"
BEGIN, NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 2, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Rows:
    """A table as a query sees it."""

    name: str
    frame: pd.DataFrame

    def columns(self) -> dict[str, str]:
        return dict.fromkeys(self.frame.columns, "")

    def relation(self, *_: Any) -> str:
        return self.name


def settled(config: Config) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    chance = rng.uniform(0.2, 1.0, N)
    granted = rng.random(N) < chance
    truth = Rows(
        "truth_table",
        pd.DataFrame(
            {
                "prediction_id": [f"p{i}" for i in range(N)],
                "partition_key": DAY,
                "event_time": pd.Timestamp(DAY, tz="UTC"),
                "received_time": pd.Timestamp(DAY, tz="UTC"),
                "label": np.where(granted, rng.integers(0, 2, N), None),
                "label_status": np.where(granted, "accepted", "pending"),
                "label_received_time": pd.Timestamp("2024-01-09", tz="UTC"),
                "label_conflict": False,
                "label_source": None,
                "label_principal": None,
                "prediction": granted.astype(int),
                "score": 0.5,
                "propensity": np.where(granted, chance, 1 - chance),
            }
        ),
    )
    said = truth.frame[["prediction_id", "score", "prediction"]]
    models = (ModelVersion(1, Path("1")), ModelVersion(2, Path("2")))
    sql = _rows_sql(config, truth, Rows("scores", said), models, [DAY], BEGIN, NOW)  # type: ignore[arg-type]
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'; SET threads = 1")
        con.register("truth_table", truth.frame)
        con.register("scores", said)
        return con.execute(sql).df().merge(truth.frame[["prediction_id", "propensity"]])


def test_rows_stay_with_a_chance_that_makes_them_fair() -> None:
    when = {"selective": {"known_when": "prediction = 1", "propensity": "logged"}}
    config = loop(label=when, pool={"max_weight": 5})
    rows = settled(config)
    stay = rows[rows["settled"]]
    # Each row of the population stays with the chance 1 / max_weight, whatever its own was.
    assert len(stay) == pytest.approx(N / 5, rel=0.06)
    assert stay["propensity"].mean() == pytest.approx(0.6, abs=0.015)
    assert settled(config)["settled"].equals(rows["settled"])


def test_without_logged_chances_every_label_counts() -> None:
    every = settled(loop())
    assert every["settled"].sum() == every["label"].notna().sum()
    assert every.loc[every["settled"], "propensity"].mean() > 0.66
