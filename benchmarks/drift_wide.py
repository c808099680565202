"""A verdict on 100 columns against one on 20, a million rows each."""

import tempfile
from pathlib import Path

from benchmarks.drift_rows import once_and_timed, ours, size, write_reference, write_rows
from benchmarks.process import median_ratio, pairs, spent
from benchmarks.result import Result

ROWS, REFERENCE_ROWS, WIDE, NARROW, PAIRS = 1_000_000, 60_000, 100, 20, 1


def measure(rows: int = ROWS) -> list[Result]:
    """CPU: five times the columns should cost about five times as much."""
    with tempfile.TemporaryDirectory(prefix="drift-wide-") as folder:
        codes = {columns: code(Path(folder), rows, columns) for columns in (WIDE, NARROW)}
        found = pairs(lambda: spent(codes[WIDE]), lambda: spent(codes[NARROW]), PAIRS)
    wide, narrow, ratio = median_ratio(found, "cpu")
    return [
        Result(
            "drift_wide",
            f"a day's verdict on {WIDE} columns / on {NARROW} ({size(rows)} rows)",
            wide,
            "CPU s",
            5.5,
            narrow,
            ratio,
            details={"rows": rows, "memory": [spent_pair[0].memory for spent_pair in found]},
        )
    ]


def code(root: Path, rows: int, columns: int) -> str:
    """The process that judges a day of so many columns."""
    before, now, warm = (
        write_rows(root / f"{columns}-{seed}.parquet", n, columns, seed)
        for seed, n in enumerate((REFERENCE_ROWS, rows, 1_000))
    )
    reference = write_reference(root / f"{columns}.json", before, columns)
    return ours(reference, once_and_timed(warm, now))
