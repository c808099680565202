"""One history by files and by requests: the same tables, to the digest, and the same models."""

import datetime as dt
import shutil
from contextlib import closing

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from feedback_assets.assets.models import versions
from feedback_assets.assets.space import SORT_KEYS
from feedback_assets.config.load import load_loop
from feedback_assets.loop import FeedbackLoop
from feedback_assets.settings import Settings
from feedback_assets.simulation.delivery import Disturbance, History
from feedback_assets.simulation.home import make_room
from feedback_assets.simulation.replay import Finished, Period, Replay
from feedback_assets.tables.connection import connect
from feedback_assets_tests.worlds import (
    COLOURS,
    REGIONS,
    START,
    migrated_mlflow,
    moment,
    write_loop,
)

DAYS, ROWS, BEGIN, EVERY, CHANGE = 22, 40, 14, 4, 9
"""Days of history, rows a day, days before the first model, days in a step, day of the change."""
TABLES = (
    "prediction_log", "feedback_events", "feedback_table", "profiles", "drift_report",
    "performance_report", "labeled_pool",
)  # fmt: skip


def history_of(kind: str) -> pd.DataFrame:
    """Rows whose meaning changes when the first model has seen enough, so that another wins."""
    rng = np.random.default_rng(3)
    n = DAYS * ROWS
    times = moment(START) + pd.to_timedelta(
        np.sort(rng.integers(0, DAYS * 86_400_000_000, n)), "us"
    )
    size, speed = rng.normal(0, 1, n), rng.normal(10, 3, n)
    later = np.arange(n) > CHANGE * ROWS
    drive = np.where(later, -1.5, 1.5) * size + 0.3 * (speed - 10) + rng.logistic(0, 1, n)
    value = {
        "binary": (drive > 0).astype(float),
        "regression": drive,
        "multiclass": np.array(["low", "middle", "high"])[np.digitize(drive, [-1, 1])],
    }[kind]
    frame = pd.DataFrame(
        {
            "prediction_id": [f"id-{n}" for n in rng.permutation(n)],
            "event_time": times,
            "size": np.where(rng.random(n) < 0.05, np.nan, size + later),
            "speed": speed,
            "colour": rng.choice([*COLOURS, None], n),
            "region": rng.choice(REGIONS, n),
            "value": value,
            "received_time": times + pd.to_timedelta(rng.integers(0, 40 * 3_600, n), "s"),
        }
    )
    unknown = rng.random(n) < 0.05
    return frame.assign(received_time=frame["received_time"].mask(unknown))


def replayed(folder, kind, via, disturbance):
    """The loop after its replay, and the scores that each step counted."""
    label = {"kind": kind, "classes": ["low", "middle", "high"] if kind == "multiclass" else []}
    loop_file = write_loop(
        folder / "configs",
        source={"feedback": {"columns": {"value": "value", "received_time": "received_time"}}},
        columns={
            "rules": {},
            "class_scores": {c: f"score_{c}" for c in label["classes"]},
        },
        label=label,
    )
    settings = Settings(home=folder / "home", configs=folder / "configs")
    settings.mlflow.mkdir(parents=True)
    shutil.copyfile(migrated_mlflow(), settings.mlflow / "mlflow.db")
    path = folder / "history.parquet"
    history_of(kind).to_parquet(path, index=False, coerce_timestamps="us")
    loop = FeedbackLoop(load_loop(loop_file, {}), settings)
    history = History(loop.config, settings, path, Disturbance(**disturbance))
    start = moment(START)
    period = Period(
        start + dt.timedelta(days=BEGIN), start + dt.timedelta(days=DAYS), dt.timedelta(days=EVERY)
    )
    steps = []
    with dg.DagsterInstance.ephemeral() as instance:
        make_room(loop.space, instance)
        replay = Replay(loop, history, period, instance, via)
        with closing(replay.delivery):
            happened = list(replay.begin())
            for begin, end in period.steps():
                *more, step = replay.step(begin, end)
                happened += more
                steps.append(step)
    failed = [each for each in happened if isinstance(each, Finished) and not each.success]
    assert failed == []
    return loop.space, steps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "disturbance"),
    [
        ("binary", {"duplicates": 0.2, "disorder": True, "flips": 0.1}),
        pytest.param("multiclass", {"delay_days": 0.5}, marks=pytest.mark.chaos),
        pytest.param("regression", {}, marks=pytest.mark.chaos),
    ],
)
def test_both_ways_end_with_the_same_tables_and_models(tmp_path, kind, disturbance):
    files, by_files = replayed(tmp_path / "files", kind, "files", disturbance)
    http, by_http = replayed(tmp_path / "http", kind, "http", disturbance)
    for mine, other in zip(by_http, by_files, strict=True):
        assert mine.champion == other.champion
        assert mine.loop.score.tobytes() == other.loop.score.tobytes()
        assert mine.loop.prediction.tolist() == other.loop.prediction.tolist()
    models = [[version.digest for version in versions(space)] for space in (http, files)]
    assert models[0] == models[1]
    assert len({step.champion for step in by_http}) > 1, "the history was to promote another model"
    for table in TABLES:
        assert table in SORT_KEYS
        mine, other = (digests(space, table) for space in (http, files))
        assert mine == other, table
        assert mine, table

    assert findings(http) == findings(files)


def findings(space):
    """What was found, but for the columns of the source's files: requests have none."""
    relation = space.table("findings").snapshot().relation()
    with connect(space.settings) as con:
        rows = con.execute(
            f"SELECT * FROM {relation} WHERE subject <> 'source schema' ORDER BY ALL"
        ).fetchall()
    return repr(rows)


def digests(space, table):
    """Partition to the digest and number of its rows."""
    partitions = space.table(table).snapshot().partitions()
    return {key: (info.digest, info.rows) for key, info in partitions.items()}
