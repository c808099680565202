"""A day of one gigabyte goes through the log and the join in less than two."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_assets_tests.worlds import START, World

BYTES = 1_000_000_000
ROWS = 7_000_000
SMALL_ROWS = 200_000
MOST_MEGABYTES = 2_000
NUMBERS = [f"n{i:02d}" for i in range(12)]
COLUMNS = {"numeric": ["size", "speed", *NUMBERS]}

WRITE = """
import duckdb, sys
rows, predictions, feedback = int(sys.argv[1]), sys.argv[2], sys.argv[3]
numbers = ", ".join(f"hash(i, {n}) / 1.8e19 AS n{n:02d}" for n in range(12))
con = duckdb.connect(config={"memory_limit": "1GB", "threads": 2})
con.execute("SET preserve_insertion_order = false")
con.execute(f'''COPY (
  SELECT md5(CAST(i AS VARCHAR)) AS prediction_id,
    TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_microseconds(i * 86399000000 // {rows}) AS event_time,
    hash(i) / 1.8e19 AS size, 10 + hash(i, 99) / 1.8e19 AS speed, {numbers},
    ['red', 'green', 'blue'][1 + i % 3] AS colour, ['north', 'south'][1 + i % 2] AS region
  FROM range({rows}) AS r(i)) TO '{predictions}' (FORMAT parquet, COMPRESSION uncompressed)''')
con.execute(f'''COPY (
  SELECT 'e' || i AS event_id, md5(CAST(i AS VARCHAR)) AS prediction_id, 'label' AS kind,
    CAST(i % 2 AS VARCHAR) AS value, TIMESTAMPTZ '2024-01-02 03:00:00+00' AS received_time
  FROM range({rows}) AS r(i)) TO '{feedback}' (FORMAT parquet, COMPRESSION uncompressed)''')
"""
RUN = """
import json, sys
from pathlib import Path
from feedback_assets_tests.chaos.work import shared_world
root, days, changes = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
world = shared_world(root, "2024-01-05", **changes)
told = {}
for asset, day in days.items():
    world.materialize([asset], [day])
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    told[asset] = peak // 1024, world.metadata(asset, day)["rows"]
print(json.dumps(told))
"""


def python(code: str, *arguments: object) -> str:
    told = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr[-3000:]
    return told.stdout


def deliver(root: Path, rows: int) -> tuple[Path, Path]:
    settings = World(root, columns=COLUMNS).settings
    source = settings.root / "sources" / "tiny"
    paths = source / "predictions" / "day.parquet", source / "feedback" / "day.parquet"
    for path in paths:
        path.parent.mkdir(parents=True)
    python(WRITE, rows, *paths)
    return paths


@pytest.mark.parametrize(
    ("rows", "least_bytes"),
    [
        pytest.param(SMALL_ROWS, 0, id="small"),
        pytest.param(ROWS, BYTES, id="gigabyte", marks=[pytest.mark.chaos, pytest.mark.slow]),
    ],
)
def test_memory_stays_bounded_however_large_the_day(tmp_path, rows, least_bytes, record_property):
    predictions, _ = deliver(tmp_path, rows)
    assert predictions.stat().st_size >= least_bytes
    days = {"prediction_log": START, "feedback_events": "2024-01-02", "feedback_table": START}
    changes = {"columns": COLUMNS}
    said = python(RUN, tmp_path, json.dumps(days), json.dumps(changes)).splitlines()[-1]
    for asset, (peak, stored) in json.loads(said).items():
        record_property(f"peak MB after {asset}", peak)
        assert stored == rows
        assert peak < MOST_MEGABYTES, f"{asset}: {peak} MB"
