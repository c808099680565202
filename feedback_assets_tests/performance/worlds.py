"""Rows whose truth is drawn from known probabilities, and the shared census rows."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SHARED = Path(os.environ.get("FEEDBACK_ASSETS_SHARED", Path(__file__).parents[3] / "shared"))
CLASSES = ["a", "b", "c"]


def expit(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def keys(day: np.ndarray) -> np.ndarray:
    return (np.datetime64("2024-01-01") + day).astype(str)


def binary(
    rng: np.random.Generator, n: int, days: int = 10, tau: float = 0.0, level: float = -0.3
) -> pd.DataFrame:
    """The score is too sure of itself by a factor, and days differ by `tau` log-odds."""
    x, day = rng.normal(0, 1, n), rng.integers(0, days, n)
    score = expit(level + 1.5 * x)
    effect = rng.normal(0, tau, days)[day] if tau else 0.0
    y = rng.random(n) < expit(0.7 * (level + 1.5 * x) + 0.3 + effect)
    return pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(n)],
            "partition_key": keys(day),
            "x": x,
            "c": rng.choice(["u", "v"], n),
            "score": score,
            "prediction": (score >= 0.5).astype(float),
            "label": y.astype(float),
        }
    )


def multiclass(rng: np.random.Generator, n: int) -> pd.DataFrame:
    z = rng.normal(size=(n, 3)) * 1.5 + [0.5, 0, -0.5]
    stated, true = (np.exp(z * 1.5), np.exp(z + np.array([0.2, 0, 0])))
    stated, true = (p / p.sum(axis=1, keepdims=True) for p in (stated, true))
    code = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    names = np.array(CLASSES, dtype=object)
    return pd.DataFrame(
        {
            "partition_key": keys(rng.integers(0, 10, n)),
            "score": stated.max(axis=1),
            "prediction": names[stated.argmax(axis=1)],
            "label": names[code],
            **{f"score_{c}": stated[:, k] for k, c in enumerate(CLASSES)},
        }
    )


def regression(rng: np.random.Generator, n: int, days: int = 10, tau: float = 0.0) -> pd.DataFrame:
    """Errors as large as expected up to a factor of 1.1; days differ by `tau`, relative."""
    expected, day = rng.lognormal(0, 0.6, n), rng.integers(0, days, n)
    size = 1.1 * expected * np.exp(rng.normal(0, tau, days))[day]
    score = rng.normal(50, 10, n)
    return pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(n)],
            "partition_key": keys(day),
            "x": rng.normal(size=n),
            "c": "u",
            "score": score,
            "prediction": score,
            "label": score + rng.normal(0, 1, n) * size,
            "expected_error": expected,
        }
    )


def census() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Real predictions of a model of 2014: held-out rows of 2015 and later ones of 2016."""
    source = SHARED / "data" / "acs_employment_ma_small.parquet"
    if not source.exists():
        pytest.skip(f"{source} is not there (set FEEDBACK_ASSETS_SHARED)")
    rows = pd.read_parquet(source).sort_values("event_time", kind="stable")
    rows["prediction_id"] = rows["id"].astype(str)
    rows["score"] = rows["predicted_probability"]
    rows["partition_key"] = rows["event_time"].dt.date.astype(str)
    return rows[rows["partition"] == "reference"], rows[rows["partition"] == "analysis"]
