"""A week of the flights demo: predict, wait for labels, judge, train, promote."""

import datetime as dt
import os
import tempfile
import time
from pathlib import Path
from statistics import mean

from benchmarks.result import Result
from feedback_assets.config.load import load_loop
from feedback_assets.garbage import keep_for_good
from feedback_assets.instance import open_instance
from feedback_assets.loop import FeedbackLoop
from feedback_assets.settings import Settings
from feedback_assets.simulation.delivery import History
from feedback_assets.simulation.flights import flights_history
from feedback_assets.simulation.home import make_room
from feedback_assets.simulation.pace import light_records
from feedback_assets.simulation.replay import Period, Replay

START, WEEK = dt.datetime(2013, 2, 1, tzinfo=dt.UTC), dt.timedelta(days=7)
WARM_UP, WEEKS = 1, 4


def measure() -> list[Result]:
    """Seconds a week, after a first one that loads what is loaded once."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), configs=Settings().configs)
        config = load_loop(settings.configs / "loops" / "flights.yaml")
        loop = FeedbackLoop(config, settings)
        history = History(config, settings, flights_history(Path(folder) / "flights.parquet"))
        period = Period(START, START + (WARM_UP + WEEKS) * WEEK, WEEK)
        with open_instance(settings) as instance:
            make_room(loop.space, instance)
            replay = Replay(loop, history, period, instance)
            with light_records(settings):
                return replayed(replay)


def replayed(replay: Replay) -> list[Result]:
    """Play all weeks, with the clock on."""
    begin = time.perf_counter()
    list(replay.begin())
    first = time.perf_counter() - begin
    wall, cpu = [], []
    for position, (start, end) in enumerate(replay.period.steps()):
        before = time.perf_counter(), time.process_time()
        list(replay.step(start, end))
        if position < WARM_UP:
            keep_for_good()
            continue
        wall.append(time.perf_counter() - before[0])
        cpu.append(time.process_time() - before[1])
    return [
        Result(
            "week",
            "a simulated week of flights",
            mean(wall),
            "s",
            10,
            judged="value",
            details={
                "cpu_seconds": mean(cpu),
                "seconds_to_first_decision": first,
                "weeks": WEEKS,
                "load": os.getloadavg()[0],
            },
        )
    ]
