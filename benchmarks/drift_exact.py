"""Exact statistics on raw values against DuckDB that only reads the same columns."""

import tempfile
from pathlib import Path

from benchmarks.drift_rows import kinds, size, write_rows
from benchmarks.process import median_ratio, pairs, spent
from benchmarks.result import Result

ROWS, PAIRS = 10_000_000, 1
OURS = """
from feedback_assets.drift.exact import ParquetFiles, exact_statistics
_begin()
_start[1] = 0  # memory: the whole process
found = exact_statistics(ParquetFiles([BEFORE]), ParquetFiles([NOW]), KINDS)
assert len(found) == len(KINDS) and all(not each.reason for each in found.values())
"""
READING = """
import duckdb, pyarrow
con = duckdb.connect(config={"threads": 2})
columns = ", ".join(KINDS)
_begin()
_start[1] = 0
for file in (BEFORE, NOW):
    for batch in con.sql(f"SELECT {columns} FROM read_parquet('{file}')").to_arrow_reader(131_072):
        del batch
"""


def measure(rows: int = ROWS) -> list[Result]:
    """CPU against reading, and the memory of the process."""
    with tempfile.TemporaryDirectory(prefix="drift-exact-") as folder:
        before, now = (
            write_rows(Path(folder) / f"{seed}.parquet", rows, seed=seed) for seed in (0, 1)
        )
        head = f"KINDS, BEFORE, NOW = {kinds()!r}, {str(before)!r}, {str(now)!r}\n"
        found = pairs(lambda: spent(head + OURS), lambda: spent(head + READING), PAIRS)
    details = {"rows": rows, "rows_reference": rows, "columns": 20}
    cpu, reading, ratio = median_ratio(found, "cpu")
    memory = median_ratio(found, "memory")[0]
    return [
        Result(
            "drift_exact_cpu",
            f"exact statistics of {size(rows)} rows against {size(rows)} / DuckDB reading them",
            cpu,
            "CPU s",
            1.7,
            reading,
            ratio,
            details=details,
        ),
        Result(
            "drift_exact_memory",
            f"memory of exact statistics of {size(rows)} rows against {size(rows)}",
            memory,
            "MB",
            1_000,
            judged="value",
            details=details,
        ),
    ]
