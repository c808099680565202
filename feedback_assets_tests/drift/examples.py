"""A small table whose days can be changed, and its verdicts."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import WHOLE, DayVerdict, ReferenceProfile, build, judge, tally

CARRIERS = np.array(["UA", "AA", "B6"], dtype=object)
KINDS: dict[str, Any] = {
    "temp": "numeric",
    "wind": "numeric",
    "seats": "numeric",
    "carrier": "categorical",
    "comment": "text",
}


def sample(n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Rows of a clean day."""
    return {
        "temp": rng.normal(10, 4, size=n),
        "wind": rng.gamma(2, size=n),
        "seats": np.where(rng.random(n) < 0.01, np.nan, rng.choice([55.0, 140.0, 180.0], n)),
        "carrier": rng.choice(CARRIERS, n, p=[0.02, 0.48, 0.5]),
        "comment": np.array(["a" * k for k in rng.poisson(30, n)], dtype=object),
    }


PROFILE = build(sample(7000, np.random.default_rng(0)), KINDS, Drift(), days=np.arange(7000) % 7)


def days_of(
    changes: Mapping[str, Callable[[Any], Any]] | None = None,
    n: int = 1000,
    drift: Drift | None = None,
    profile: ReferenceProfile = PROFILE,
    clean: int = 2,
    changed: int = 3,
    seed: int = 1,
) -> list[DayVerdict]:
    """Verdicts of some clean days, then of days on which columns are changed."""
    rng, total = np.random.default_rng(seed), clean + changed
    parts = []
    for day in range(total):
        values = sample(n, rng)
        if day >= clean:
            values |= {name: change(values[name]) for name, change in (changes or {}).items()}
        parts.append(values)
    groups = np.repeat(np.arange(total), n)
    tallies = {
        name: tally(np.concatenate([part[name] for part in parts]), column.bins, groups, total)
        for name, column in profile.columns.items()
    }
    keys = [f"2024-01-{d + 1:02}" for d in range(total)]
    return list(judge(profile, {WHOLE: tallies}, keys, drift or Drift(), range(total)).values())
