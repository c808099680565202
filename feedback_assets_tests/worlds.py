"""A small loop in a temporary home, for tests that want real assets, sensors and runs.

Make one (`World(tmp_path)`, or `World(tmp_path, "regression")`), drop files at its sources (`live`,
`predict`, `feed`), set its clock (`at`), then materialize assets by hand (`materialize`) or let the
real sensors do it all (`list(world.ticker.settle())`), and look (`frame`, `metadata`, `versions`).
"""

import copy
import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import yaml
from dagster._core.definitions.sensor_definition import SensorExecutionData

from feedback_assets.assets.space import JUDGEMENTS, SORT_KEYS, LoopSpace
from feedback_assets.clock import SimulatedClock
from feedback_assets.config.load import load_loop
from feedback_assets.config.schema import Config
from feedback_assets.inprocess import RUN_CONFIG
from feedback_assets.loop import FeedbackLoop
from feedback_assets.sensors.requests import partition_tags
from feedback_assets.settings import Settings
from feedback_assets.simulation.daemon import Ticker
from feedback_assets.tables.connection import connect

START = "2024-01-01"
LOOP: dict[str, Any] = {
    "name": "tiny",
    "title": "Tiny loop",
    "description": "Says whether a thing is good.",
    "owners": ["team:tiny"],
    "kpi": {"name": "good things found"},
    "source": {
        "predictions": {"path": "{home}/sources/tiny/predictions"},
        "feedback": {
            "path": "{home}/sources/tiny/feedback",
            "columns": {
                "event_id": "event_id",
                "value": "value",
                "kind": "kind",
                "received_time": "received_time",
            },
        },
    },
    "columns": {
        "numeric": ["size", "speed"],
        "categorical": ["colour"],
        "segments": ["region"],
        "rules": {"size": {"required": True, "min": -50, "max": 50}},
    },
    "label": {"kind": "binary", "max_delay_days": 3},
    "partitions": {"start": START},
    "model": {"estimator": "linear"},
    "drift": {"min_rows": 20, "pages_per_run": 0},
    "trigger": {
        "when": {"any": [{"drift": {}}, {"new_labels": 150}]},
        "min_new_labels": 40,
        "cooldown_days": 2,
    },
    "pool": {"mature_after_days": 3, "holdout_days": 3, "min_rows": 40},
    "gate": {"min_rows": 20, "resamples": 200, "segment_min_rows": 20},
    "rollout": {"stages": [], "watch": {"days": 0}},
    "decide": {"unit": "row"},
}
DAILY = ("prediction_log", "feedback_events", "feedback_table", *JUDGEMENTS)
COLOURS = ("red", "green", "blue")
REGIONS = ("north", "south")


class World:
    """One loop, its home, its clock and its Dagster instance.

    Args:
        root: An empty folder.
        kind: binary or regression.
        instance: A Dagster instance; one in memory if absent.
        changes: Sections of the YAML file to change: `trigger={"cooldown_days": 0}`.
    """

    def __init__(
        self,
        root: Path,
        kind: str = "binary",
        instance: dg.DagsterInstance | None = None,
        **changes: Any,
    ) -> None:
        self.root = root
        self.kind = kind
        self.settings = Settings(home=root / "home", configs=root / "configs")
        label = {"kind": kind, **changes.pop("label", {})}
        self.file = write_loop(self.settings.configs, label=label, **changes)
        self.config: Config = load_loop(self.file, {})
        self.loop = FeedbackLoop(self.config, self.settings)
        self.clock = SimulatedClock(moment(START))
        self.instance = instance or dg.DagsterInstance.ephemeral()

    @property
    def space(self) -> LoopSpace:
        """The loop's tables, keys and models."""
        return self.loop.space

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The loop's definitions, on this world's clock."""
        return self.loop.definitions(self.clock)

    @cached_property
    def job(self) -> dg.JobDefinition:
        """The job of all assets and checks."""
        return self.definitions.resolve_implicit_global_asset_job_def()

    @cached_property
    def ticker(self) -> Ticker:
        """The loop's real sensors, ticked and their runs executed in this process."""
        return Ticker(self.space, self.definitions, self.instance, self.clock)

    def at(self, when: str) -> None:
        """Set the clock (ISO date or time, UTC); it never goes back."""
        self.clock.advance(moment(when))

    @staticmethod
    def days(first: str, count: int) -> list[str]:
        """The keys of `count` daily partitions."""
        return [f"{day:%Y-%m-%d}" for day in pd.date_range(first, periods=count)]

    def rows(
        self, day: str, n: int = 40, shift: float = 0.0, seed: int = 0, version: str | None = None
    ) -> pd.DataFrame:
        """One day's predictions with their truth: `truth`, and `known` (1 to 2 days later).

        Args:
            day: ISO date.
            n: How many.
            shift: Added to `size`, in standard deviations: drift.
            seed: The same seed and day give the same rows.
            version: Of the model that answered; none did if absent (history).
        """
        start = pd.Timestamp(moment(day))
        rng = np.random.default_rng([seed, int(start.timestamp()) // 86_400])
        size = rng.normal(0.0, 1.0, n)
        speed = rng.normal(10.0, 3.0, n)
        colour = rng.choice(COLOURS, n)
        drive = 1.5 * size + 0.3 * (speed - 10.0) + (colour == "red")
        truth: np.ndarray = (
            np.round(drive + rng.normal(0.0, 0.5, n), 6)
            if self.kind == "regression"
            else (drive + rng.logistic(0.0, 1.0, n) > 0).astype(int)
        )
        event_time = start + pd.to_timedelta(np.arange(n) * (86_400 // n), unit="s")
        frame = pd.DataFrame(
            {
                "prediction_id": [f"{day}-{seed}-{i:04d}" for i in range(n)],
                "event_time": event_time,
                "size": np.round(size + shift, 6),
                "speed": np.round(speed, 6),
                "colour": colour,
                "region": rng.choice(REGIONS, n),
                "truth": truth,
                "known": event_time + pd.to_timedelta(rng.integers(24, 48, n), unit="h"),
            }
        )
        if version is not None:
            score = drive if self.kind == "regression" else 1 / (1 + np.exp(-drive))
            answer = score if self.kind == "regression" else (score >= 0.5).astype(int)
            frame = frame.assign(model_version=version, score=score, prediction=answer)
        return frame

    def predict(self, rows: pd.DataFrame, name: str) -> Path:
        """Drop a file of predictions at the source (without their truth)."""
        return self.drop(
            "predictions", rows.drop(columns=["truth", "known"], errors="ignore"), name
        )

    def feed(self, rows: pd.DataFrame, name: str, kind: str = "label", **values: Any) -> Path:
        """Drop a file of feedback on `rows`, their truth when it is known unless said otherwise.

        Args:
            rows: As made by `rows`.
            name: The file's name without ending.
            kind: label, correction, rating or rejection.
            values: Columns to set: `value=1`, `received_time=...`, `event_id=[...]`.
        """
        frame = pd.DataFrame(
            {
                "event_id": [f"{kind}-{name}-{id_}" for id_ in rows["prediction_id"]],
                "prediction_id": rows["prediction_id"].to_numpy(),
                "kind": kind,
                "value": rows["truth"].astype(str).to_numpy(),
                "received_time": rows["known"].to_numpy(),
            }
        ).assign(**values)
        frame["received_time"] = pd.to_datetime(frame["received_time"], utc=True)
        return self.drop("feedback", frame, name)

    def drop(self, source: str, frame: pd.DataFrame, name: str) -> Path:
        """Drop any Parquet file at the `predictions` or the `feedback` source."""
        folder = self.settings.root / "sources" / "tiny" / source
        folder.mkdir(parents=True, exist_ok=True)
        hidden, path = folder / f".{name}.parquet", folder / f"{name}.parquet"
        frame.to_parquet(hidden, index=False, coerce_timestamps="us")
        return hidden.rename(path)

    def live(self, first: str, days: int, labels: bool = True, **options: Any) -> pd.DataFrame:
        """Files of so many days at both sources (one a day and source); all of their rows."""
        frames = []
        for day in self.days(first, days):
            frame = self.rows(day, **options)
            self.predict(frame, f"p-{day}")
            if labels:
                self.feed(frame, f"f-{day}")
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def materialize(
        self,
        assets: Sequence[str],
        keys: Sequence[str] = (),
        raise_on_error: bool = True,
        run_config: Mapping[str, Any] | None = None,
        **tags: str,
    ) -> dg.ExecuteInProcessResult:
        """Materialize assets (for neighbouring partitions `keys`) with their checks, in one run."""
        return self.job.execute_in_process(
            instance=self.instance,
            asset_selection=[self.space.key(asset) for asset in assets],
            run_config={**RUN_CONFIG, **(run_config or {})},
            tags={**(partition_tags(keys) if keys else {}), **tags},
            raise_on_error=raise_on_error,
        )

    def dataflow(self, first: str, days: int, **tags: str) -> dg.ExecuteInProcessResult:
        """Bring the four daily tables of some days up to date in one run."""
        return self.materialize(DAILY, self.days(first, days), **tags)

    def first_model(self, days: int = 8, **options: Any) -> None:
        """Live for some days from the start, then train and promote version 1 by hand."""
        self.ready_mlflow()
        self.live(START, days, **options)
        self.clock.advance(moment(START) + dt.timedelta(days=days + 3))
        self.dataflow(START, days + 3)
        self.materialize(["labeled_pool", "candidate_model", "promoted_model"])

    def tick(self, sensor: str, cursor: str | None = None) -> SensorExecutionData:
        """Evaluate one of the loop's sensors (`retrain`, not `tiny_retrain`) once."""
        repository = self.definitions.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=repository,
            resources={"clock": self.clock},
        )
        found = repository.get_sensor_def(f"{self.space.name}_{sensor}")
        return found.evaluate_tick(context)

    def metadata(self, asset: str, key: str | None = None) -> dict[str, Any]:
        """The newest materialization's metadata: plain values, tables as lists of rows."""
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=self.space.key(asset), asset_partitions=[key] if key else None
            ),
            limit=1,
        ).records
        event = records[0].asset_materialization if records else None
        return {name: plain(value) for name, value in event.metadata.items()} if event else {}

    def frame(self, table: str, version: int | None = None) -> pd.DataFrame:
        """A table's rows, ordered by its sort key."""
        found = self.space.table(table)
        with connect(self.settings) as con:
            relation = found.snapshot(version).relation()
            return con.execute(f"SELECT * FROM {relation} ORDER BY {', '.join(found.key)}").df()

    def versions(self) -> dict[str, int]:
        """The newest version of each table; -1 for one never written."""
        return {name: self.space.table(name).snapshot().version for name in SORT_KEYS}

    def ready_mlflow(self) -> None:
        """Put a migrated, empty MLflow database in place: migrations take seconds a home."""
        self.settings.mlflow.mkdir(parents=True, exist_ok=True)
        target = self.settings.mlflow / "mlflow.db"
        if not target.exists():
            shutil.copyfile(migrated_mlflow(), target)


def plain(value: dg.MetadataValue) -> Any:
    """What a metadata value holds; of a table its rows as dictionaries."""
    if isinstance(value, dg.TableMetadataValue):
        return [dict(record.data) for record in value.records]
    return value.value


def moment(text: str) -> dt.datetime:
    """An ISO date or time as an aware moment in UTC."""
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def write_loop(configs: Path, **changes: Any) -> Path:
    """Write `loops/<name>.yaml`; a section that is given changes fields of it, a text replaces."""
    content = copy.deepcopy(LOOP)
    for section, value in changes.items():
        if isinstance(value, Mapping):
            content.setdefault(section, {}).update(value)
        else:
            content[section] = value
    path = configs / "loops" / f"{content['name']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: processes that share a home begin the same world at the same time.
    hidden = path.with_suffix(f".{os.getpid()}.tmp")
    hidden.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return hidden.replace(path)


@cache
def migrated_mlflow() -> Path:
    """An empty MLflow database with all migrations done, made once a process."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = Path(tempfile.mkdtemp(prefix="mlflow-template-"))
    store = SqlAlchemyStore(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts"))
    store.engine.dispose()
    return folder / "mlflow.db"
