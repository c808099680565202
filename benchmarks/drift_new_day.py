"""A new day in a window of 90: count its rows, read the window's counts, judge; whatever came before."""

import tempfile
from pathlib import Path

from benchmarks.drift_rows import ours, write_history, write_reference, write_rows
from benchmarks.process import median_ratio, pairs, spent
from benchmarks.result import Result

ROWS, WINDOW, HISTORY, PAIRS = 111_000, 90, 365, 3
TIMED = """
def new_day():
    count(ROWS, "today", "today")
    first, files = HISTORY - WINDOW + 1, sorted(__import__("pathlib").Path(FOLDER).iterdir())
    keys = [f"{day:04d}" for day in range(HISTORY)]
    read = ", ".join(f"'{file}'" for file in files[first:])
    relation = f"(FROM today UNION ALL BY NAME FROM read_parquet([{read}]))"
    return judged(relation, [*keys, "today"], [HISTORY])
new_day()
_begin()
report = new_day()
assert set(report.partition_key) == {"today"}
"""


def measure() -> list[Result]:
    """CPU seconds of the day after a year; the baseline is the day after 90."""
    with tempfile.TemporaryDirectory(prefix="drift-new-day-") as folder:
        root = Path(folder)
        before = write_rows(root / "before.parquet", ROWS, seed=0)
        days = write_rows(root / "days.parquet", 3 * ROWS, seed=1, days=3)
        today = write_rows(root / "today.parquet", ROWS, seed=2)
        reference = write_reference(root / "reference.json", before)
        for history in (WINDOW, HISTORY):
            write_history(root / str(history), reference, days, history)

        def code(history: int) -> str:
            names = f"ROWS, FOLDER = {str(today)!r}, {str(root / str(history))!r}\n"
            return f"{names}HISTORY, WINDOW = {history}, {WINDOW}\n{ours(reference, TIMED)}"

        found = pairs(lambda: spent(code(HISTORY)), lambda: spent(code(WINDOW)), PAIRS)
    cpu, after_window, ratio = median_ratio(found, "cpu")
    return [
        Result(
            "drift_new_day",
            f"a new day of {ROWS:,} rows, 20 columns, in a window of {WINDOW}, after a year",
            cpu,
            "CPU s",
            0.25,
            after_window,
            ratio,
            judged="value",
            details={"rows": ROWS, "window": WINDOW, "history": HISTORY, "baseline": "after 90"},
        )
    ]
