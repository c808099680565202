"""The loop `energy`: hourly electricity use of buildings, made up, with drift on known days.

Days are counted from 2024-01-01 (day 0). Before day 45 nothing changes from one day to the next.
Then, one after the other and each to the end:

- day 45: `temperature` lies 6 degrees (1.2 standard deviations) higher;
- day 60: `humidity` is missing in 30% of the rows, before in 1%;
- day 75: a new value `laboratory` of `building`, 20% of the rows;
- day 90: the same features mean 40% more electricity (concept drift: no feature shows it).

Labels become known 0 to 3 days late; one in fifty never does.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

START = dt.date(2024, 1, 1)
"""Day 0."""
MEAN_SHIFT_DAY, MEAN_SHIFT_DEGREES = 45, 6.0
NULLS_DAY, NULL_SHARE_BEFORE, NULL_SHARE_AFTER = 60, 0.01, 0.3
NEW_CATEGORY_DAY, NEW_CATEGORY, NEW_CATEGORY_SHARE = 75, "laboratory", 0.2
CONCEPT_DAY, CONCEPT_FACTOR = 90, 1.4
LABEL_DELAY_DAYS, NEVER_LABELED_SHARE = 3.0, 0.02
TEMPERATURE_MEAN, TEMPERATURE_SD = 12.0, 5.0
NOISE_SHARE = 0.1
"""Standard deviation of what no feature explains, as a share of the use."""

BUILDINGS = ("office", "school", "clinic", "shop")
REGIONS = ("north", "south", "coast")
_USE_PER_M2 = {"office": 0.012, "school": 0.009, "clinic": 0.02, "shop": 0.015, NEW_CATEGORY: 0.03}
_DAY = 86_400_000_000


def energy_history(out: Path, days: int = 120, rows_per_day: int = 200, seed: int = 0) -> Path:
    """Write the labelled history of the loop `energy`.

    A day's rows depend on the seed and the day alone, so a longer history begins like a shorter.

    Args:
        out: The Parquet file.
        days: How many days from 2024-01-01.
        rows_per_day: Rows of each day.
        seed: Of everything random.

    Returns:
        `out`. Its columns: `prediction_id`, `event_time`, `temperature` (degrees Celsius),
        `humidity` (percent), `area` (square metres), `occupancy` (share), `hour`, `building`,
        `region`, `label` (kWh in the hour; null where it is never known), `label_time`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    frames = [_day(day, rows_per_day, seed) for day in range(days)]
    table = pa.Table.from_pandas(pd.concat(frames, ignore_index=True), preserve_index=False)
    pq.write_table(table, out, coerce_timestamps="us", allow_truncated_timestamps=True)
    return out


def _day(day: int, rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng([seed, day])
    moment = np.sort(rng.integers(0, _DAY, rows))
    hour = moment // (_DAY // 24)
    warmer = MEAN_SHIFT_DEGREES if day >= MEAN_SHIFT_DAY else 0.0
    temperature = rng.normal(TEMPERATURE_MEAN + warmer, TEMPERATURE_SD, rows)
    humidity = rng.uniform(30, 90, rows)
    area = np.round(rng.gamma(4.0, 500.0, rows)) + 100
    occupancy = np.clip(np.sin((hour - 5) / 16 * np.pi), 0, 1) * rng.uniform(0.6, 1.0, rows)
    building = rng.choice(BUILDINGS, rows).astype(object)
    new = rng.random(rows) < NEW_CATEGORY_SHARE
    if day >= NEW_CATEGORY_DAY:
        building[new] = NEW_CATEGORY
    heating_or_cooling = 1 + 0.05 * np.abs(temperature - 18)
    per_m2 = np.array([_USE_PER_M2[name] for name in building])
    use = area * per_m2 * (0.3 + occupancy) * heating_or_cooling * (1 + 0.002 * (humidity - 60))
    use *= (CONCEPT_FACTOR if day >= CONCEPT_DAY else 1.0) * rng.normal(1, NOISE_SHARE, rows)
    missing = NULL_SHARE_AFTER if day >= NULLS_DAY else NULL_SHARE_BEFORE
    humidity[rng.random(rows) < missing] = np.nan
    known = rng.random(rows) >= NEVER_LABELED_SHARE
    delay = rng.uniform(0, LABEL_DELAY_DAYS * _DAY, rows).astype(np.int64)
    start = pd.Timestamp(START, tz="UTC") + pd.Timedelta(days=day)
    event_time = start + pd.to_timedelta(moment, unit="us")
    date = START + dt.timedelta(days=day)
    return pd.DataFrame(
        {
            "prediction_id": [f"{date:%Y%m%d}-{row:05d}" for row in range(rows)],
            "event_time": event_time,
            "temperature": np.round(temperature, 1),
            "humidity": np.round(humidity, 1),
            "area": area,
            "occupancy": np.round(occupancy, 3),
            "hour": hour,
            "building": building,
            "region": rng.choice(REGIONS, rows),
            "label": np.where(known, np.round(np.maximum(use, 0), 3), np.nan),
            "label_time": (event_time + pd.to_timedelta(delay, unit="us")).where(known),
        }
    )
