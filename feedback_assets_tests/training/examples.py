"""Small loops and their rows."""

from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config

CATEGORIES = ["é", "b", "c,d", None, "<x>", *(f"k{i}" for i in range(70))]
WORDS = ["Spam!", "buy", "http://x.y", "日本", "naïve", "ok", "\x00bad", "😀😀"]


def config(kind: str = "binary", text: bool = False, **model: Any) -> Config:
    classes = ["hi", "lo", "mid", "never"] if kind == "multiclass" else []
    return Config.model_validate(
        {
            "name": "example",
            "title": "Example",
            "owners": ["team:example"],
            "kpi": {"name": "k"},
            "source": {"predictions": {"path": "p"}, "feedback": {"path": "f"}},
            "columns": {
                "numeric": ["x", "z", "empty"],
                "categorical": ["c", "d"],
                "text": ["t"] if text else [],
            },
            "label": {"kind": kind, "classes": classes},
            "partitions": {"start": "2024-01-01"},
            "model": model,
        }
    )


def rows(n: int, kind: str = "binary", seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Rows with nulls, hostile strings and an all-null column, and their labels."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "prediction_id": [f"p{i:06d}" for i in range(n)],
            "x": rng.normal(size=n),
            "z": rng.lognormal(size=n) * 1e4,
            "empty": np.nan,
            "c": rng.choice(np.array(CATEGORIES, dtype=object), n),
            "d": rng.choice(["u", "v", "w"], n),
            "t": [" ".join(rng.choice(WORDS, 5)) for _ in range(n)],
        }
    )
    frame.loc[rng.random(n) < 0.1, "x"] = np.nan
    spam = frame["t"].str.contains("Spam").astype(float)
    signal = frame["x"].fillna(0) + (frame["d"] == "u") + spam + rng.normal(size=n)
    if kind == "regression":
        return frame, signal * 100 + 1000
    if kind == "multiclass":
        return frame, pd.cut(signal, [-99, 0, 1, 99], labels=["lo", "mid", "hi"]).astype(str)
    return frame, (signal > 1).astype(int)


def strange(n: int) -> pd.DataFrame:
    """Rows as production may send them: unseen, null, infinite, far out of range."""
    frame, _ = rows(n, seed=1)
    frame.loc[: n // 4, "c"] = "unseen"
    frame.loc[n // 4 : n // 3, "x"] = np.inf
    frame.loc[: n // 5, "z"] = 1e39
    frame.loc[n // 3 : n // 2, "t"] = None
    frame.loc[n // 2 :, "empty"] = 3.0
    frame.loc[n - 5 :, "d"] = None
    return frame
