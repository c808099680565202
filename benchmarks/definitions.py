"""Loading the code location against importing Dagster and pandas alone."""

from benchmarks.process import Spent, median_ratio, pairs, spent
from benchmarks.result import Result

PAIRS = 9
HEAVY = ("mlflow", "evidently", "sklearn", "onnx", "onnxruntime", "skl2onnx", "matplotlib")
BASELINE = "import dagster, pandas"
OURS = f"""
import sys
import dagster, pandas
from feedback_assets.definitions import feedback_assets
feedback_assets().get_repository_def()
loaded = [name for name in {HEAVY} if name in sys.modules]
assert not loaded, f"loading the definitions imports {{loaded}}"
"""


def measure() -> list[Result]:
    """CPU and memory of `feedback_assets.definitions`, all loops built."""
    measured = pairs(lambda: spent(OURS), lambda: spent(BASELINE), PAIRS)
    return [
        compared(measured, "cpu", "CPU s"),
        compared(measured, "memory", "MB"),
    ]


def compared(measured: list[list[Spent]], figure: str, unit: str) -> Result:
    """One of the two figures as a result."""
    ours, theirs, ratio = median_ratio(measured, figure)
    return Result(
        f"definitions_{figure}",
        f"{figure} of loading all definitions / of import dagster, pandas",
        ours,
        unit,
        1.3,
        theirs,
        ratio,
        details={"pairs": PAIRS},
    )
