import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feedback_assets.capture.files import FileSource, SourceFile
from feedback_assets.capture.importers.landing import land_new, landed_files
from feedback_assets.capture.importers.records import Landed
from feedback_assets.config.source import FileSource as Source
from feedback_assets.settings import Settings
from feedback_assets_tests.capture.conftest import make_config

FIXTURES = Path(__file__).parent / "fixtures"
COLUMNS = {"numeric": ["distance", "hour"], "categorical": ["carrier"], "segments": ["origin"]}


class World:
    """A loop, a folder of foreign logs, and its landing folder."""

    def __init__(self, home: Path, **changes: Any) -> None:
        self.home = home
        self.settings = Settings(home=home)
        self.config = make_config(**{"columns": COLUMNS, **changes})
        self.source = home / "logs"
        self.source.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, data: str | bytes) -> Path:
        path = self.source / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def copy(self, *names: str) -> None:
        for name in names:
            shutil.copy(FIXTURES / name, self.source / Path(name).name)

    def files(self) -> list[SourceFile]:
        section = Source(path=str(self.source), format="jsonl")
        return FileSource(section, self.settings).list()

    def land(self, fmt: str, kind: str = "predictions", **more: Any) -> Landed:
        column_map = more.pop("column_map", None)
        files = more.pop("files", None)
        files = self.files() if files is None else files
        return land_new(self.config, self.settings, kind, files, fmt, column_map, **more)

    @property
    def folder(self) -> Path:
        return self.settings.landing / self.config.name

    def table(self, kind: str = "predictions") -> pa.Table:
        files = landed_files(self.settings, self.config.name, kind)
        return pa.concat_tables([pq.read_table(file.path) for file in files])

    def rows(self, kind: str = "predictions") -> list[dict[str, Any]]:
        files = landed_files(self.settings, self.config.name, kind)
        return self.table(kind).to_pylist() if files else []

    def good(self, kind: str = "predictions") -> dict[str, dict[str, Any]]:
        key = "prediction_id" if kind == "predictions" else "event_id"
        return {row[key]: row for row in self.rows(kind) if row["#broken"] is None}

    def refused(self, kind: str = "predictions") -> list[str]:
        return sorted(row["#broken"] for row in self.rows(kind) if row["#broken"] is not None)


def adds_up(landed: Landed) -> bool:
    """Whether each record that was read has become one thing."""
    parts = landed.landed + landed.refused + landed.unpaired + landed.repeated
    return landed.records == parts


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
