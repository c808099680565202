"""What a Dagster step costs beyond the work that it wraps."""

import time
from collections.abc import Callable
from statistics import median

from benchmarks.result import Result
from benchmarks.world import NOW, World, key_of, world
from feedback_assets.assets.space import SORT_KEYS
from feedback_assets.capture.files import FileSource
from feedback_assets.capture.predictions import stage_predictions
from feedback_assets.tables.connection import connect
from feedback_assets.tables.table import Cause, Table

ROWS, DAYS = 1_000, 12


def measure() -> list[Result]:
    """CPU of a run of `prediction_log` less that of its reading, screening and storing."""
    with world() as bench:
        for day in range(DAYS):
            bench.predict(day, ROWS)
        run = [cpu(lambda day=day: bench.run("prediction_log", day)) for day in range(DAYS)]
        bare = [cpu(lambda day=day: store(bench, day)) for day in range(DAYS)]
    over = [ours - theirs for ours, theirs in zip(run[2:], bare[2:], strict=True)]
    return [
        Result(
            "step_overhead",
            "a run of prediction_log beyond its pure function",
            median(over),
            "CPU s",
            0.3,
            judged="value",
            details={"run": median(run[2:]), "function": median(bare[2:]), "rows": ROWS},
        )
    ]


def cpu(work: Callable[[], None]) -> float:
    """CPU seconds of a call, all threads."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def store(bench: World, day: int) -> None:
    """The asset's work without Dagster, into tables of its own."""
    space, key = bench.loop.space, key_of(day)
    source = FileSource(space.config.source.predictions, space.settings)
    with connect(space.settings) as con:
        stage_predictions(con, space.config, source.list(), [key], NOW)
        for name, rows in (("prediction_log_quarantine", "bad"), ("prediction_log", "good")):
            table = Table(space.settings.root / "bare", name, SORT_KEYS[name])
            table.replace(con, f"SELECT * FROM staged_{rows}", [key], Cause("", "bare", {}))
