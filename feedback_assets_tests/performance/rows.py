"""Made-up labelled answers of every kind, for the tests of performance."""

import numpy as np
import pandas as pd

from feedback_assets.config.schema import LabelKind
from feedback_assets.performance.measure import Answers

METRICS = {
    "binary": ("log_loss", "brier", "roc_auc", "accuracy", "f1", "ece", "value"),
    "multiclass": ("log_loss", "brier", "roc_auc", "accuracy", "f1", "ece", "value"),
    "regression": ("mae", "rmse", "r2", "mape", "pinball", "value"),
}
CASES = [(kind, metric) for kind, metrics in METRICS.items() for metric in metrics]


def answers(
    kind: LabelKind, n: int, seed: int = 0, days: int = 1, effect: float = 0.0, bias: float = 0.0
) -> Answers:
    """`n` answers dealt over `days`, whose days share a shift of sd `effect`."""
    rng = np.random.default_rng(seed)
    day = np.arange(n) % days
    shift = rng.normal(0, effect, days)[day]
    worth = rng.normal(1, 2, n) + shift
    if kind == "regression":
        score = rng.normal(50, 9, n)
        y = score + rng.normal(0, 4, n) + shift + bias
        return Answers(kind, y, score, score, day, worth, quantile=0.8)
    if kind == "multiclass":
        p = rng.dirichlet(np.ones(3), n)
        y = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).astype(float)
        return Answers(kind, y, p, p.argmax(axis=1).astype(float), day, worth)
    log_odds = rng.normal(-0.7, 1.3, n)
    p = 1 / (1 + np.exp(-log_odds))
    y = (rng.random(n) < 1 / (1 + np.exp(-(log_odds + shift + bias)))).astype(float)
    return Answers(kind, y, p, (p >= 0.5).astype(float), day, worth)


def feedback(
    days: int = 10, per_day: int = 60, seed: int = 0, kind: str = "binary"
) -> pd.DataFrame:
    """Feedback table rows of `days` from 2024-01-01, all labelled; segments c and d, versions 1, 2."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    keys = pd.date_range("2024-01-01", periods=days).strftime("%Y-%m-%d").to_numpy()
    frame = pd.DataFrame(
        {
            "partition_key": np.repeat(keys, per_day),
            "label_status": "accepted",
            "model_version": np.where(np.arange(n) < n // 2, "1", "2"),
            "c": rng.choice(["a", "b", "x"], n, p=[0.6, 0.3, 0.1]),
            "d": rng.choice(["p", "q"], n),
        }
    )
    if kind == "multiclass":
        p = rng.dirichlet(np.ones(3), n)
        names = np.array(["a", "b", "c"], dtype=object)
        codes = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
        for code, name in enumerate(names):
            frame[f"score_{name}"] = p[:, code]
        return frame.assign(
            label=names[codes], prediction=names[p.argmax(axis=1)], score=p.max(axis=1)
        )
    made = answers("regression" if kind == "regression" else "binary", n, seed)
    return frame.assign(label=made.y, score=made.score, prediction=made.predicted)
