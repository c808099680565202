"""Small loops with trained models, and models whose answers a test states itself."""

from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.training.fit import train
from feedback_assets.training.onnx_model import OnnxModel, Scores
from feedback_assets_tests.promotion.loops import loop_config

CLASSES = ["a", "b", "c"]


def config(kind: str = "binary", **sections: Any) -> Config:
    """Features x, z, noise and c; segments region and c; protected sex."""
    base = {
        "columns": {
            "numeric": ["x", "z", "noise"],
            "categorical": ["c"],
            "segments": ["region", "c"],
            "protected": ["sex"],
        },
        "performance": {"segment_pairs": [["region", "c"]]},
        "model": {"estimator": "linear"},
        "pool": {"min_rows": 20},
        "gate": {"resamples": 200, "min_rows": 20, "segment_min_rows": 20},
        "evaluation": {"latency_rows": 20, "repeats": 2},
    }
    for name, section in sections.items():
        base[name] = {**base.get(name, {}), **section}
    return loop_config(kind, **base)


def rows(n: int, kind: str = "binary", seed: int = 0) -> pd.DataFrame:
    """Rows ten minutes apart; x and z tell much, c a little, noise nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "prediction_id": [f"{seed}-{i:05d}" for i in range(n)],
            "event_time": pd.date_range("2024-01-01", periods=n, freq="10min", tz="UTC"),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "noise": rng.normal(size=n),
            "c": rng.choice(["red", "green", "blue"], n),
            "region": rng.choice(["north", "south"], n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    signal = 1.2 * frame["x"] + 0.8 * frame["z"] + (frame["c"] == "red") + rng.logistic(size=n)
    if kind == "binary":
        signal = (signal > 0).astype(int)
    if kind == "multiclass":
        signal = pd.cut(signal, [-99, -0.5, 1, 99], labels=CLASSES).astype(str)
    return frame.assign(label=signal, partition_key=frame["event_time"].dt.strftime("%Y-%m-%d"))


@cache
def trained(
    kind: str = "binary", n: int = 400, seed: int = 1, estimator: str = "linear"
) -> OnnxModel:
    """A model trained on so many rows of its own."""
    own = rows(n, kind, seed)
    return train(own, own["label"], config(kind, model={"estimator": estimator})).model


@dataclass
class Stated:
    """Stands for a model: it answers with the columns that it is told."""

    score_column: str = "s"
    kind: str = "binary"
    names: list[str] = field(default_factory=lambda: ["s"])
    content: bytes = b"stated"
    threshold: float = 0.5

    @property
    def spec(self) -> Any:
        return SimpleNamespace(features=tuple((n, "numeric") for n in self.names), names=self.names)

    def score(self, frame: pd.DataFrame) -> Scores:
        if self.kind == "multiclass":
            p = frame[[f"{self.score_column}_{c}" for c in CLASSES]].to_numpy(float)
            best = p.argmax(axis=1)
            return Scores(p.max(axis=1), np.array(CLASSES, dtype=object)[best], p)
        s = frame[self.score_column].to_numpy(float)
        if self.kind == "regression":
            return Scores(s, s)
        return Scores(s, (s >= self.threshold).astype(np.int64))
