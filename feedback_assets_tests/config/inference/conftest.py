import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feedback_assets.config.inference.draft import draft
from feedback_assets.config.inference.history import history_relation
from feedback_assets.config.inference.infer import understand
from feedback_assets.config.inference.understanding import Wishes
from feedback_assets.config.load import loop_from_text
from feedback_assets.settings import Settings
from feedback_assets.tables.connection import connect

SHARED = Path(
    os.environ.get("FEEDBACK_ASSETS_SHARED", Path(__file__).parents[4] / "shared")
) / "data"  # fmt: skip


@pytest.fixture
def con(tmp_path):
    with connect(Settings(home=tmp_path / "home")) as connection:
        yield connection


@pytest.fixture
def shared():
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED}: set FEEDBACK_ASSETS_SHARED")
    return SHARED


@pytest.fixture
def drafted(con, tmp_path):
    """Understand a frame or file, load its draft, and read its history by it."""

    def run(data, **wishes):
        path = data if isinstance(data, Path) else write(data, tmp_path / "data.parquet")
        found = understand(con, path, "small", Wishes(**wishes))
        config = loop_from_text(draft(found), "small.yaml", "small", {})
        rows = con.execute(f"SELECT * FROM {history_relation(con, path, config)}").df()
        return found, config, rows

    return run


def write(frame, path):
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture
def events():
    """A frame of 2,000 rows over 200 days with one signal; tests add what they look at."""
    rng = np.random.default_rng(3)
    size = 2_000
    signal = rng.normal(size=size)
    minutes = np.sort(rng.choice(200 * 1440, size, replace=False))
    return pd.DataFrame(
        {
            "event_id": rng.permutation(size),
            "event_time": pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min"),
            "signal": signal,
            "colour": rng.choice(["red", "green", "blue"], size),
            "label": (rng.random(size) < 1 / (1 + np.exp(-signal))).astype(int),
        }
    )
