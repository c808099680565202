"""Simulated traffic of many columns: cheap clean columns, one that changes, and its verdicts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import WHOLE, DayVerdict, Tally, build, judge, tally

Rows = Callable[[np.random.Generator, int, bool], Any]
"""(rng, rows, changed) → values of one column."""
REFERENCE_ROWS = 5000
DAY_ROWS = 1000
COLUMNS = 30
LETTERS = np.array(list("abcde"), object)


def normal(shift: float = 0.0) -> Rows:
    """A normal column whose mean moves by `shift` standard deviations."""
    return lambda rng, n, changed: rng.normal(shift * changed, 1.0, n)


def nulls(before: float, after: float) -> Rows:
    """A normal column whose null rate moves."""
    return lambda rng, n, changed: np.where(
        rng.random(n) < (after if changed else before), np.nan, rng.normal(size=n)
    )


def unseen(after: float) -> Rows:
    """Five categories, and then a sixth that the reference never had."""

    def rows(rng: np.random.Generator, n: int, changed: bool) -> Any:
        values = rng.choice(LETTERS, n, p=[0.4, 0.3, 0.15, 0.1, 0.05])
        return np.where(changed & (rng.random(n) < after), "new", values)

    return rows


def verdicts(
    seed: int,
    days: int,
    column: Rows | None = None,
    kind: Any = "numeric",
    at: int = 0,
    drift: Drift | None = None,
    columns: int = COLUMNS,
) -> list[DayVerdict]:
    """Verdicts of each day, where `column` changes at day `at` among clean normal columns.

    Clean columns are drawn from a true distribution that the reference is a sample of.
    """
    drift = drift or Drift(alpha=0.05)
    rng = np.random.default_rng(seed)
    reference = {f"x{i}": rng.normal(size=REFERENCE_ROWS) for i in range(columns)}
    kinds: dict[str, Any] = dict.fromkeys(reference, "numeric")
    if column:
        reference["x0"], kinds["x0"] = column(rng, REFERENCE_ROWS, False), kind
    made = np.arange(REFERENCE_ROWS) * 5 // REFERENCE_ROWS
    profile = build(reference, kinds, drift, days=made)
    groups = np.repeat(np.arange(days), DAY_ROWS)
    counted: dict[str, Tally] = {}
    for name, held in profile.columns.items():
        if column and name == "x0":
            values = [column(rng, DAY_ROWS, t >= at) for t in range(days)]
        else:
            values = [rng.normal(size=DAY_ROWS * days)]
        counted[name] = tally(np.concatenate(values), held.bins, groups, days)
    keys = [str(t) for t in range(days)]
    return list(judge(profile, {WHOLE: counted}, keys, drift, range(days)).values())


def delay(found: list[DayVerdict], at: int, name: str = "x0") -> int:
    """Days that the change was there before it was said; 999 if it never was."""
    said = [t - at + 1 for t, day in enumerate(found) if t >= at and name in day.drifted_columns]
    return said[0] if said else 999


def seasonal(
    seed: int, days: int, amplitude: float, columns: int = 10, reference_days: int = 28
) -> list[DayVerdict]:
    """Verdicts of clean days of columns with a week in them, which the reference had too."""
    rng = np.random.default_rng(seed)
    drift = Drift(alpha=0.05)
    week = amplitude * rng.normal(size=(columns, 7))
    old, new = (np.repeat(np.arange(n), 300) for n in (reference_days, days))

    def rows(i: int, day: Any) -> Any:
        return week[i, day % 7] + rng.normal(size=len(day))

    names = [f"x{i}" for i in range(columns)]
    profile = build(
        {name: rows(i, old) for i, name in enumerate(names)},
        dict.fromkeys(names, "numeric"), drift, days=old,
    )  # fmt: skip
    counted = {
        name: tally(rows(i, new), profile.columns[name].bins, new, days)
        for i, name in enumerate(names)
    }
    keys = [str(t) for t in range(days)]
    return list(judge(profile, {WHOLE: counted}, keys, drift, range(days)).values())
