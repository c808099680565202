"""Feedback tables with known delays, and what is counted of them."""

import datetime as dt
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.arrival import STEPS, delay_counts_sql
from feedback_assets.labels.exposure import waiting_counts_sql
from feedback_assets_tests.promotion.loops import loop_config

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def loop(max_delay: float = 30, **sections: Any) -> Config:
    """A binary loop whose labels may come `max_delay` days late."""
    return loop_config(label={"max_delay_days": max_delay, **sections.pop("label", {})}, **sections)


def after(days: float) -> dt.datetime:
    """The moment so many days after the start."""
    return START + dt.timedelta(days=days)


def feedback(
    days: int, per_day: int, delay: np.ndarray, label: np.ndarray, as_of: float, **columns: Any
) -> pd.DataFrame:
    """A feedback table as known `as_of` days after the start.

    A row's label comes `delay` days [days * per_day] after it; a NaN delay never gets one.
    """
    n = days * per_day
    event = pd.Series(pd.to_datetime(START) + pd.to_timedelta(np.arange(n) / per_day, unit="D"))
    received = event + pd.to_timedelta(delay, unit="D")
    known = (received <= after(as_of)).to_numpy()
    frame = pd.DataFrame(
        {
            "prediction_id": [f"p{i}" for i in range(n)],
            "partition_key": event.dt.strftime("%Y-%m-%d"),
            "event_time": event.astype("datetime64[us, UTC]"),
            "received_time": event.astype("datetime64[us, UTC]"),
            "label": pd.array(np.where(known, label, -1), dtype="Int64"),
            "label_status": np.where(known, "accepted", "pending"),
            "label_received_time": received.where(known).astype("datetime64[us, UTC]"),
            "label_delay_days": np.where(known, delay, np.nan),
            **columns,
        }
    )
    frame["label"] = frame["label"].where(known)
    return frame[frame["event_time"] <= after(as_of)].reset_index(drop=True)


def asked(frame: pd.DataFrame, sql: str) -> pd.DataFrame:
    """The answer of a query over the table `t`."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'; SET threads = 1")
        con.register("t", frame)
        return con.execute(sql).df()


def waits(
    frame: pd.DataFrame, config: Config, as_of: float, segment: str | None = None
) -> pd.DataFrame:
    """What `waiting_counts_sql` counts."""
    return asked(frame, waiting_counts_sql(config, "t", after(as_of), segment))


def arrived(frame: pd.DataFrame, config: Config, as_of: float) -> pd.DataFrame:
    """What `delay_counts_sql` counts."""
    return asked(frame, delay_counts_sql(config, "t", after(as_of)))


def tally(
    event_day: np.ndarray, delay: np.ndarray, as_of: float, max_delay: float = 30
) -> pd.DataFrame:
    """What `waiting_counts_sql` counts, without a database: for studies of many draws."""
    here = event_day <= as_of
    event_day, delay = event_day[here], delay[here]
    step = max_delay / STEPS
    known = event_day + delay <= as_of
    keys = pd.Series(START + pd.to_timedelta(np.arange(int(event_day.max()) + 1), unit="D"))
    rows = pd.DataFrame(
        {
            "partition_key": keys.dt.strftime("%Y-%m-%d").to_numpy()[event_day.astype(int)],
            "label_group": np.where(known, "1", None),
            "delay_step": np.where(known, np.ceil(delay / step - 1e-6), np.nan),
            "age_step": np.clip(np.floor((as_of - event_day) / step + 1e-9), -1, STEPS).astype(int),
        }
    )
    return rows.groupby(list(rows.columns), dropna=False, sort=False).size().reset_index(name="n")
