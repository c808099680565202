"""Rows a second through two whole assets, against the bare DuckDB query that does their work."""

from pathlib import Path
from statistics import median

from benchmarks.result import Result
from benchmarks.step import cpu
from benchmarks.world import World, key_of, world
from feedback_assets.sqltext import literal
from feedback_assets.tables.connection import connect

ROWS, DAYS = 1_000_000, 3
COPY = "COPY ({query}) TO {out} (FORMAT parquet, COMPRESSION zstd)"
LOG = """
SELECT *, {day} AS partition_key FROM read_parquet({source})
WHERE event_time IS NOT NULL AND x0 BETWEEN -100 AND 100
QUALIFY ROW_NUMBER() OVER (PARTITION BY prediction_id ORDER BY received_time) = 1
"""
JOINED = """
WITH said AS (
  SELECT * FROM read_parquet({feedback})
  QUALIFY ROW_NUMBER() OVER (PARTITION BY prediction_id ORDER BY known DESC) = 1
)
SELECT p.*, s.label, s.known AS label_received_time,
  epoch_us(s.known) - epoch_us(p.event_time) AS label_delay
FROM read_parquet({log}) AS p LEFT JOIN said AS s ON s.prediction_id = p.prediction_id
"""


def measure() -> list[Result]:
    """CPU a row of `prediction_log` and `feedback_table`; the first of the days warms up."""
    costs: dict[str, list[tuple[float, float]]] = {"prediction_log": [], "feedback_table": []}
    with world() as bench:
        for day in range(DAYS):
            source, feedback = bench.predict(day, ROWS), bench.label(day, ROWS)
            log = bench.loop.settings.root / f"{day}.parquet"
            query = LOG.format(source=path(source), day=literal(key_of(day)))
            costs["prediction_log"].append(cost(bench, "prediction_log", day, query, log))
            bench.run("feedback_events", day)
            joined = JOINED.format(feedback=path(feedback), log=path(log))
            out = log.with_suffix(".joined")
            costs["feedback_table"].append(cost(bench, "feedback_table", day, joined, out))
    return [compared(asset, pairs[1:]) for asset, pairs in costs.items()]


def cost(bench: World, asset: str, day: int, query: str, out: Path) -> tuple[float, float]:
    """CPU seconds of the asset's whole run, and of the bare query."""

    def bare() -> None:
        with connect(bench.loop.settings) as con:
            con.execute(COPY.format(query=query, out=path(out)))

    return cpu(lambda: bench.run(asset, day)), cpu(bare)


def path(file: Path) -> str:
    """A file's path as an SQL literal."""
    return literal(str(file))


def compared(asset: str, pairs: list[tuple[float, float]]) -> Result:
    """An asset's cost beside the bare query's."""
    ours, theirs = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    return Result(
        f"throughput_{asset}",
        f"{asset}: CPU of a day of a million rows, against the bare query and COPY",
        ours,
        "CPU s",
        1.5,
        theirs,
        ratio,
        details={"rows": ROWS, "rows_per_cpu_second": ROWS / ours},
    )
