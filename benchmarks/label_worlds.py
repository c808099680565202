"""Real histories to replay: honest features, labels, and the groups that judge together."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.querying.history import History

BOOSTING: dict[str, Any] = {
    "max_iter": 100, "learning_rate": 0.05, "max_leaf_nodes": 6, "min_samples_leaf": 20,
    "l2_regularization": 1.0,
}  # fmt: skip
"""Of eight settings the best with 3,000 random labels, on average of the three tables."""
TEXT: dict[str, Any] = {"C": 300.0, "max_iter": 2000}
"""Of five values of C the best with as many random labels as the set allows."""
FOLDER = Path(os.environ.get("FEEDBACK_ASSETS_BENCH_DATA", "../shared/data"))
"""Where the Parquet files lie."""


def flights(folder: Path) -> History:
    """Late by more than 15 minutes? Known before: plan, plane, weather, traffic, who left late."""
    rows = pd.read_parquet(folder / "flights_ewr_2013_jan_apr.parquet")
    rows["recent_delay"] = recent_delay(rows)
    rows = rows[rows["label"].notna()].sort_values("event_time", kind="stable")
    local = rows["sched_dep_local"]
    slot = local.dt.floor("h")
    rows = rows.assign(
        prediction_id=rows["event_id"].astype(str),
        hour=local.dt.hour + local.dt.minute / 60,
        traffic=slot.map(slot.value_counts()),
        plane_age=2013 - rows["plane_year"],
    )
    numeric = [
        "hour", "dow", "distance", "traffic", "temp", "dewp", "humid", "wind_dir", "wind_speed",
        "wind_gust", "precip", "pressure", "visib", "plane_age", "seats", "recent_delay",
    ]  # fmt: skip
    config = loop("flights", numeric=numeric, categorical=["carrier", "dest", "manufacturer"])
    return History.of(config, rows, rows["label"].astype(int), local.dt.strftime("%Y-%m-%d"))


def recent_delay(rows: pd.DataFrame) -> pd.Series:
    """Mean delay in minutes of the flights that left in the two hours before a row's moment."""
    planned = rows["event_time"].dt.tz_convert(None).dt.as_unit("ns")
    gone = rows["dep_delay"].notna()
    left = planned[gone] + pd.to_timedelta(rows.loc[gone, "dep_delay"].astype(float), unit="min")
    order = np.argsort(left.to_numpy())
    moments = left.to_numpy()[order]
    total = np.append(0.0, np.cumsum(rows.loc[gone, "dep_delay"].to_numpy(np.float64)[order]))
    now = planned.to_numpy()
    until = np.searchsorted(moments, now, side="left")
    since = np.searchsorted(moments, now - np.timedelta64(2, "h"), side="left")
    with np.errstate(invalid="ignore"):
        mean = (total[until] - total[since]) / np.where(until > since, until - since, np.nan)
    return pd.Series(mean, index=rows.index)


def elec2(folder: Path) -> History:
    """Price above the mean of the day before? Prices only of half hours before.

    `nswprice` of the half hour itself is a leak: above the mean of the last 48 it is the label.
    """
    rows = pd.read_parquet(folder / "elec2.parquet").reset_index(names="n")
    price, demand = rows["nswprice"], rows["nswdemand"]
    mean = price.shift(1).rolling(48).mean()
    rows = rows.assign(
        prediction_id=rows["n"].astype(str),
        price_before=price.shift(1),
        above_mean=price.shift(1) - mean,
        rising=price.shift(1) - price.shift(3),
        yesterday=price.shift(47) - mean,
        vicprice_before=rows["vicprice"].shift(1),
        demand_above_mean=demand - demand.shift(1).rolling(48).mean(),
        demand_rising=demand.diff(),
    )[48:]
    numeric = [
        "day", "period", "nswdemand", "vicdemand", "transfer", "price_before", "above_mean",
        "rising", "yesterday", "vicprice_before", "demand_above_mean", "demand_rising",
    ]  # fmt: skip
    config = loop("elec2", numeric=numeric)
    return History.of(config, rows, rows["label"], rows["event_time"].dt.strftime("%Y-%m-%d"))


def acs_employment(folder: Path) -> History:
    """Employed? The census answers; neither protected ones nor the logged model's."""
    rows = pd.read_parquet(folder / "acs_employment_ma_small.parquet")
    rows = rows.assign(prediction_id=rows["id"].astype(str) + "-" + rows["year"].astype(str))
    categorical = [
        "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM",
    ]  # fmt: skip
    config = loop("acs", numeric=["AGEP", "SCHL"], categorical=categorical)
    return History.of(config, rows, rows["label"], rows["prediction_id"])


def youtube_spam(folder: Path) -> History:
    """Spam? The comment; equal comments judge together."""
    rows = pd.read_parquet(folder / "youtube_spam_3_videos.parquet")
    rows = rows.assign(prediction_id=[str(i) for i in range(len(rows))])
    same = rows["text"].map(lambda text: re.sub(r"\W+", "", text.lower()))
    return History.of(loop("youtube", text=["text"]), rows, rows["label"], same)


def loop(
    name: str,
    numeric: tuple[str, ...] | list[str] = (),
    categorical: list[str] | None = None,
    text: list[str] | None = None,
) -> Config:
    """A loop of these features."""
    columns = {"numeric": list(numeric), "categorical": categorical or [], "text": text or []}
    model = {"estimator": "linear", "params": TEXT} if text else {
        "estimator": "hist_gradient_boosting", "params": BOOSTING,
    }  # fmt: skip
    return Config.model_validate(
        {
            "name": name, "title": name, "owners": ["team:bench"], "kpi": {"name": "answers right"},
            "columns": {k: v for k, v in columns.items() if v}, "label": {"kind": "binary"},
            "partitions": {"start": "2013-01-01"}, "model": model, "pool": {"min_rows": 20},
        }
    )  # fmt: skip
