"""Pools of candidates in which everything that strategies look at differs."""

import numpy as np
import pandas as pd

from feedback_assets.config.review import Review
from feedback_assets.querying.candidates import Candidates

EVERY = Review(
    mix={
        "entropy": 0.2, "margin": 0.1, "least_confidence": 0.1, "committee": 0.1, "density": 0.1,
        "diversity": 0.1, "stratified": 0.1, "drifted": 0.1, "random": 0.1,
    }
)  # fmt: skip


def pool_of(n: int, seed: int = 0, width: int = 5, copies: float = 0.25, **changes) -> Candidates:
    """n rows, of which a share are near copies of the first."""
    rng = np.random.default_rng(seed)
    space = rng.normal(size=(n, width)).astype(np.float32)
    same = int(copies * n)
    if same:
        space[:same] = space[0] + 0.001 * rng.normal(size=(same, width))
    p = 1 / (1 + np.exp(-2 * space[:, 0])) if width else rng.uniform(size=n)
    parts = {
        "ids": np.array([f"r{i:05d}" for i in range(n)], dtype=object),
        "space": space,
        "probabilities": np.stack([1 - p, p], axis=1).astype(np.float64),
        "segments": pd.DataFrame({"c": rng.choice(list("aab"), n), "x": rng.normal(size=n)}),
        "drifted": rng.uniform(size=n) < 0.2,
        "drifted_why": np.array([f"x{i} has drifted" for i in range(n)], dtype=object),
        "disagreement": rng.exponential(size=n),
        "novelty": rng.uniform(size=n),
    }
    return Candidates(**(parts | changes))
