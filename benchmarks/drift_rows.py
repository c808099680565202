"""Made-up rows in Parquet, their reference, and the code that the drift benchmarks time on them."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_assets.config.judgement import Drift
from feedback_assets.drift import ReferenceProfile, build

CHUNK = 1_000_000
NAMES = pa.array([f"value {number}" for number in range(30)])


def kinds(columns: int = 20) -> dict[str, str]:
    """Column to kind; of 20 columns 12 are numeric, 5 categorical, then score, answer and label."""
    numeric = round((columns - 3) * 12 / 17)
    return {
        **{f"x{number}": "numeric" for number in range(numeric)},
        **{f"c{number}": "categorical" for number in range(columns - 3 - numeric)},
        "score": "numeric",
        "prediction": "categorical",
        "label": "categorical",
    }


def write_rows(
    file: Path, rows: int, columns: int = 20, seed: int = 0, shift: float = 0.0, days: int = 1
) -> Path:
    """Rows as our tables store them; `day` numbers them in `days` equal parts."""
    rng, names, writer = np.random.default_rng(seed), kinds(columns), None
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        score = rng.beta(2, 3, n)
        table = {name: _column(rng, name, kind, n, shift) for name, kind in names.items()}
        table["score"] = pa.array(score)
        table["prediction"] = pa.array(np.where(score > 0.5, "yes", "no"))
        table["label"] = pa.array((rng.random(n) < score).astype(np.int64))
        table["day"] = pa.array((np.arange(start, start + n) * days // rows).astype(np.int64))
        chunk = pa.table(table)
        writer = writer or pq.ParquetWriter(file, chunk.schema, compression="zstd")
        writer.write_table(chunk, row_group_size=131_072)
    if writer:
        writer.close()
    return file


def _column(rng: np.random.Generator, name: str, kind: str, n: int, shift: float) -> pa.Array:
    if kind == "numeric":
        return pa.array(rng.normal(shift * (name == "x0"), 1, n))
    codes = pa.array(rng.integers(0, len(NAMES), n).astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, NAMES).cast(pa.string())


def write_reference(file: Path, rows: Path, columns: int = 20) -> Path:
    """The profile of a Parquet file's rows, as a model's folder keeps it."""
    frame = pd.read_parquet(rows, columns=list(kinds(columns)))
    file.write_text(build(frame, kinds(columns), Drift()).to_json(), encoding="utf-8")
    return file


def write_history(folder: Path, reference: Path, rows: Path, days: int) -> None:
    """Profiles of `days` days, a Parquet file each, the same few counted days over and over."""
    import duckdb

    from feedback_assets.drift.profiling import profile_rows

    folder.mkdir()
    profile = ReferenceProfile.from_json(reference.read_text(encoding="utf-8"))
    with duckdb.connect() as con:
        source = (
            f"(SELECT *, CAST(day AS VARCHAR) AS partition_key, '1' AS model_version "
            f"FROM read_parquet('{rows}'))"
        )
        counted = profile_rows(con, [*profile.columns.values()], source, {}, 1, 10)
    parts = [part for _, part in counted.groupby("partition_key")]
    for day in range(days):
        part = parts[day % len(parts)].assign(partition_key=f"{day:04d}")
        part.to_parquet(folder / f"{day:04d}.parquet", index=False)


COUNT = """
import duckdb
from feedback_assets.config.judgement import Drift
from feedback_assets.drift import ReferenceProfile, judge, report_rows
from feedback_assets.drift.profiling import profile_rows
from feedback_assets.drift.stretch import stretch
rules = Drift()
profile = ReferenceProfile.from_json(open(REFERENCE, encoding="utf-8").read())
con = duckdb.connect(config={"threads": 2, "preserve_insertion_order": False})
def count(rows, key, table):
    source = (f"(SELECT *, '{key}' AS partition_key, '1' AS model_version "
              f"FROM read_parquet('{rows}'))")
    rows = profile_rows(con, [*profile.columns.values()], source, {}, 1, rules.unseen_kept)
    con.register("counted_rows", rows)
    con.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM counted_rows")
def judged(relation, days, wanted):
    tallies = stretch(con, relation, profile, days, 1)
    verdicts = judge(profile, tallies, days, rules, wanted)
    return report_rows(verdicts)
def verdict(rows):
    count(rows, "0001", "counted")
    return judged("counted", ["0001"], [0])
"""
"""Needs REFERENCE; `verdict(file)` is all that a day's report takes, from its raw rows."""


def ours(reference: Path, timed: str) -> str:
    """The code of a process that times `timed`."""
    return f"REFERENCE = {str(reference)!r}\n{COUNT}\n{timed}"


def once_and_timed(warm: Path, rows: Path, call: str = "verdict") -> str:
    """Loads what the first call loads, then times the call."""
    return f"{call}({str(warm)!r})\n_begin()\n{call}({str(rows)!r})\n"


def size(rows: int) -> str:
    """1e6 for a million."""
    return f"1e{round(math.log10(rows))}"
