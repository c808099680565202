"""All verdicts of 90 days x 30 columns again, from the stored counts."""

import tempfile
from pathlib import Path

from benchmarks.drift_rows import ours, write_history, write_reference, write_rows
from benchmarks.process import spent
from benchmarks.result import Result

ROWS, DAYS, COLUMNS, TIMES = 1_000, 90, 30, 3
TIMED = """
keys = [f"{day:04d}" for day in range(DAYS)]
relation = f"read_parquet('{FOLDER}/*.parquet')"
judged(relation, keys[:3], [2])
_begin()
report = judged(relation, keys, range(DAYS))
assert report.partition_key.nunique() == DAYS
"""


def measure() -> list[Result]:
    """CPU seconds: reading the profiles, judging every day, making the report's rows."""
    with tempfile.TemporaryDirectory(prefix="drift-reverdict-") as folder:
        root = Path(folder)
        before = write_rows(root / "before.parquet", 60_000, COLUMNS, seed=0)
        days = write_rows(root / "days.parquet", ROWS * DAYS, COLUMNS, seed=1, days=DAYS)
        reference = write_reference(root / "reference.json", before, COLUMNS)
        write_history(root / "profiles", reference, days, DAYS)
        head = f"DAYS, FOLDER = {DAYS}, {str(root / 'profiles')!r}\n"
        found = [spent(head + ours(reference, TIMED)) for _ in range(TIMES)]
    cpu = sorted(each.cpu for each in found)[TIMES // 2]
    return [
        Result(
            "drift_reverdict",
            f"verdicts of {DAYS} days x {COLUMNS} columns again, from counts",
            cpu,
            "CPU s",
            1.0,
            judged="value",
            details={"memory": max(each.memory for each in found), "rows_a_day": ROWS},
        )
    ]
