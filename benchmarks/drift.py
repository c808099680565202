"""A day's drift verdict against Evidently's DataDriftPreset on the same rows."""

from benchmarks.process import Spent, median_ratio, pairs, spent
from benchmarks.result import Result

ROWS, PAIRS = 100_000, 1
DATA = f"""
import warnings
import numpy as np
import pandas as pd
warnings.simplefilter("ignore")
KINDS = {{f"x{{i}}": "numeric" for i in range(12)}} | {{f"c{{i}}": "categorical" for i in range(8)}}
def day(seed, shift=0.0):
    rng = np.random.default_rng(seed)
    names = np.array([f"value {{i}}" for i in range(30)], dtype=object)
    return pd.DataFrame({{
        name: rng.normal(shift, 1, {ROWS}) if kind == "numeric" else rng.choice(names, {ROWS})
        for name, kind in KINDS.items()
    }})
now, before = day(1, 0.5), day(0)
"""
OURS = """
from feedback_assets.config.schema import Drift
from feedback_assets.drift import ReferenceProfile, build, day_verdict, report_rows, tally
rules = Drift()
profile = ReferenceProfile.from_json(build(before, KINDS, rules).to_json())
def judge(rows):
    counts = {name: tally(rows[name], column.bins) for name, column in profile.columns.items()}
    verdict = day_verdict(profile, counts, rules)
    report_rows({"today": verdict})
    return verdict.status
"""
EVIDENTLY = """
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
columns = {kind: [name for name in KINDS if KINDS[name] == kind] for kind in set(KINDS.values())}
definition = DataDefinition(
    numerical_columns=columns["numeric"], categorical_columns=columns["categorical"]
)
def judge(rows):
    sides = [Dataset.from_pandas(frame, data_definition=definition) for frame in (rows, before)]
    return Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
"""
TIMED = """
judge(now.head(1_000))  # whatever is loaded at the first call
_begin()
judge(now)
"""


def measure() -> list[Result]:
    """CPU and memory beyond those of the rows and of what is imported."""
    measured = pairs(
        lambda: spent(DATA + OURS + TIMED), lambda: spent(DATA + EVIDENTLY + TIMED), PAIRS
    )
    return [compared(measured, "cpu", "CPU s"), compared(measured, "memory", "MB")]


def compared(measured: list[list[Spent]], figure: str, unit: str) -> Result:
    """One of the two figures as a result."""
    ours, theirs, ratio = median_ratio(measured, figure)
    return Result(
        f"drift_{figure}",
        f"{figure} of a day's verdict / of Evidently's DataDriftPreset (100,000 rows, 20 columns)",
        ours,
        unit,
        1 / 20,
        theirs,
        ratio,
        details={"rows": ROWS, "columns": 20},
    )
