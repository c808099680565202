"""A temporary home with one loop and made-up predictions; the same at each run."""

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from feedback_assets.clock import SimulatedClock
from feedback_assets.config.schema import Config
from feedback_assets.instance import open_instance
from feedback_assets.loop import FeedbackLoop
from feedback_assets.settings import Settings

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
NOW = START + dt.timedelta(days=60)
NUMERIC = tuple(f"x{number}" for number in range(8))
CATEGORICAL = ("shop", "product")
CONFIG = {
    "name": "bench",
    "title": "Benchmark",
    "owners": ["team:bench"],
    "kpi": {"name": "speed"},
    "source": {
        "predictions": {"path": "{home}/sources/predictions"},
        "feedback": {"path": "{home}/sources/feedback", "columns": {"received_time": "known"}},
    },
    "columns": {
        "received_time": "received_time",
        "numeric": list(NUMERIC),
        "categorical": list(CATEGORICAL),
        "segments": ["region"],
        "rules": {"x0": {"required": True, "min": -100, "max": 100}},
    },
    "label": {"kind": "binary", "max_delay_days": 3},
    "partitions": {"start": "2024-01-01"},
}
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


@dataclass(frozen=True)
class World:
    """The loop, its Dagster instance and its sources."""

    loop: FeedbackLoop
    instance: dg.DagsterInstance
    job: dg.JobDefinition

    def predict(self, day: int, rows: int) -> Path:
        """Deliver a day's predictions: 16 columns."""
        file = self._file("predictions", f"{day:03d}")
        predictions(day, rows).to_parquet(file, index=False, coerce_timestamps="us")
        return file

    def label(self, day: int, rows: int) -> Path:
        """Deliver the labels of a day's predictions, an hour after each."""
        file = self._file("feedback", f"{day:03d}")
        asked = predictions(day, rows)
        said = asked[["prediction_id"]].assign(
            label=np.random.default_rng(day).integers(0, 2, rows),
            known=asked["event_time"] + pd.Timedelta(hours=1),
        )
        said.to_parquet(file, index=False, coerce_timestamps="us")
        return file

    def run(self, asset: str, day: int) -> None:
        """Materialize one asset of one day in this process, without its checks."""
        key = self.loop.space.key(asset)
        result = self.job.get_subset(
            asset_selection={key}, asset_check_selection=set()
        ).execute_in_process(instance=self.instance, partition_key=key_of(day), run_config=QUIET)
        assert result.success

    def _file(self, kind: str, name: str) -> Path:
        folder = self.loop.settings.root / "sources" / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.parquet"


@contextmanager
def world() -> Iterator[World]:
    """A world that is gone at the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), configs=Path(folder) / "configs")
        loop = FeedbackLoop(Config.model_validate(CONFIG), settings)
        clock = SimulatedClock(NOW)
        job = loop.definitions(clock).resolve_implicit_global_asset_job_def()
        with open_instance(settings) as instance:
            yield World(loop, instance, job)


def key_of(day: int) -> str:
    """The partition of a day."""
    return f"{START + dt.timedelta(days=day):%Y-%m-%d}"


def predictions(day: int, rows: int, columns: Sequence[str] = NUMERIC) -> pd.DataFrame:
    """A day's predictions; they depend on the day alone."""
    rng = np.random.default_rng(day)
    times = START + dt.timedelta(days=day) + pd.to_timedelta(
        np.sort(rng.integers(0, 86_000_000_000, rows)), unit="us"
    )  # fmt: skip
    score = rng.random(rows)
    return pd.DataFrame(
        {
            "prediction_id": [f"{day:03d}-{row:08d}" for row in rng.permutation(rows)],
            "event_time": times,
            "received_time": times + pd.Timedelta(seconds=1),
            "model_version": "1",
            **{name: rng.normal(size=rows) for name in columns},
            "shop": rng.choice([f"shop {number}" for number in range(40)], rows),
            "product": rng.choice([f"product {number}" for number in range(500)], rows),
            "region": rng.choice(["north", "south", "coast"], rows),
            "score": score,
            "prediction": (score > 0.5).astype(np.int64),
        }
    )
