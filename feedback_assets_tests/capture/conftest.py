import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from feedback_assets.capture.feedback import stage_feedback
from feedback_assets.capture.files import FileSource
from feedback_assets.capture.predictions import stage_predictions
from feedback_assets.config.schema import Config
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect

AS_OF = dt.datetime(2013, 12, 31, tzinfo=dt.UTC)
DAY = "2013-02-01"


def make_config(**changes: Any) -> Config:
    """Return a small binary loop; sections given replace the fields they name."""
    sections: dict[str, Any] = {
        "name": "small",
        "title": "Small",
        "owners": ["team:small"],
        "kpi": {"name": "none"},
        "source": {
            "predictions": {"path": "{home}/predictions"},
            "feedback": {"path": "{home}/feedback", "columns": {"received_time": "known"}},
        },
        "columns": {"numeric": ["distance"], "categorical": ["carrier"]},
        "label": {"kind": "binary"},
        "partitions": {"start": "2013-01-01"},
    }
    for name, change in changes.items():
        sections[name] = {**sections.get(name, {}), **change}
    return Config.model_validate(sections)


class Loop:
    """A loop's sources in a folder, and its staging."""

    def __init__(self, home: Path, con: duckdb.DuckDBPyConnection) -> None:
        self.con = con
        self.settings = Settings(home=home)
        self.config = make_config()
        for name in ("predictions", "feedback"):
            (home / name).mkdir()
        self.predictions = home / "predictions"
        self.feedback = home / "feedback"

    def configure(self, **changes: Any) -> None:
        self.config = make_config(**changes)

    def parquet(self, name: str, query: str) -> Path:
        path = self.predictions / name
        self.con.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        return path

    def jsonl(self, path: Path, rows: list[dict[str, Any]]) -> Path:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def predict(self, *days: str, as_of: dt.datetime = AS_OF):
        files = FileSource(self.config.source.predictions, self.settings).list()
        return stage_predictions(self.con, self.config, files, days or (DAY,), as_of)

    def answer(self, *days: str, as_of: dt.datetime = AS_OF):
        files = FileSource(self.config.source.feedback, self.settings).list()
        return stage_feedback(self.con, self.config, files, days or (DAY,), as_of)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.con.execute(query).fetchall()


@pytest.fixture
def con(tmp_path: Path):
    with connect(Settings(home=tmp_path)) as con:
        yield con


@pytest.fixture
def loop(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> Loop:
    return Loop(tmp_path, con)


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Return a maker of good predictions, of which any field can be said."""

    def make(identity: str, **changes: Any) -> dict[str, Any]:
        good = {
            "prediction_id": identity,
            "event_time": "2013-02-01T10:00:00Z",
            "model_version": "1",
            "score": 0.25,
            "distance": 100,
            "carrier": "UA",
        }
        return {**good, **changes}

    return make
