"""A day's drift verdict against Evidently's DataDriftPreset, both from the same Parquet files."""

import tempfile
from pathlib import Path

from benchmarks.drift_rows import kinds, once_and_timed, ours, size, write_reference, write_rows
from benchmarks.process import Spent, median_ratio, pairs, spent
from benchmarks.result import Result

CPU_TARGETS = {100_000: 1 / 20, 1_000_000: 1 / 75}
MEMORY_TARGETS = {1_000_000: 1 / 8}
PAIRS = 1
EVIDENTLY = """
import warnings
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
warnings.simplefilter("ignore")
columns = {kind: [name for name in KINDS if KINDS[name] == kind] for kind in set(KINDS.values())}
definition = DataDefinition(
    numerical_columns=columns["numeric"], categorical_columns=columns["categorical"]
)
def verdict(rows):
    sides = [
        Dataset.from_pandas(pd.read_parquet(file, columns=list(KINDS)), data_definition=definition)
        for file in (rows, BEFORE)
    ]
    return Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
"""


def measure() -> list[Result]:
    """CPU and memory beyond what is imported; our reference was counted at training."""
    return [result for rows in CPU_TARGETS for result in measured(rows)]


def measured(rows: int) -> list[Result]:
    """The figures at one size."""
    with tempfile.TemporaryDirectory(prefix="drift-presets-") as folder:
        root = Path(folder)
        before = write_rows(root / "before.parquet", rows, seed=0)
        now = write_rows(root / "now.parquet", rows, seed=1, shift=0.5)
        warm = write_rows(root / "warm.parquet", 1_000, seed=2)
        reference = write_reference(root / "reference.json", before)
        timed = once_and_timed(warm, now)
        theirs = f"KINDS, BEFORE = {kinds()!r}, {str(before)!r}\n{EVIDENTLY}\n{timed}"
        found = pairs(
            lambda: spent(ours(reference, timed)), lambda: spent(theirs), PAIRS if rows < 1e6 else 0
        ) or [[spent(ours(reference, timed)), spent(theirs)]]
    targets = {"cpu": CPU_TARGETS, "memory": MEMORY_TARGETS}
    return [
        compared(found, figure, rows, targets[figure][rows])
        for figure in targets
        if rows in targets[figure]
    ]


def compared(found: list[list[Spent]], figure: str, rows: int, target: float) -> Result:
    """One figure as a result."""
    our, their, ratio = median_ratio(found, figure)
    return Result(
        f"drift_presets_{size(rows)}_{figure}",
        f"{figure} of a day's verdict / of Evidently's DataDriftPreset ({size(rows)} rows, 20 columns)",
        our,
        "CPU s" if figure == "cpu" else "MB",
        target,
        their,
        ratio,
        details={"rows": rows, "rows_reference": rows, "columns": 20},
    )
