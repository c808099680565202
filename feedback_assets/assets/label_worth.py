"""What people's answers say of the champion on all rows, by prediction-powered means."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.answered_rows import answered
from feedback_assets.assets.answers import answers
from feedback_assets.assets.companions import with_error
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.gate import Metric
from feedback_assets.config.schema import Config
from feedback_assets.labels.expected import expected_losses
from feedback_assets.labels.ppi import FEWEST, Powered, powered_mean
from feedback_assets.performance.estimate import EXPECTED_ERROR
from feedback_assets.performance.metrics import class_codes, floats, losses

Floats = npt.NDArray[np.float64]
_NAMES: dict[Metric, str] = {
    "accuracy": "accuracy", "log_loss": "log loss", "mae": "mean absolute error",
}  # fmt: skip


@dataclass(frozen=True)
class Worth:
    """One figure of the champion, from few labels."""

    metric: Metric
    model_version: str
    powered: Powered

    @property
    def name(self) -> str:
        """The figure in words."""
        return _NAMES[self.metric]

    @property
    def percent(self) -> bool:
        """Whether it is a share."""
        return self.metric == "accuracy"

    def said(self, value: float) -> str:
        """A value as people read it."""
        return f"{value:.1%}" if self.percent else f"{value:.4g}"


def label_worth(space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime) -> list[Worth]:
    """The champion's figures on all rows that people could have been asked about.

    Rows were asked with known chances, more often where labels teach more: each answer, whatever it
    was asked for, is weighted by the inverse of its chance, so that the answered rows stand for all.

    Returns:
        Nothing while there is no champion, or fewer than 10 of its rows were answered.
    """
    serving = champion(space)
    if serving is None:
        return []
    said = answered(space, con, serving, now)
    if len(said) < FEWEST:
        return []
    rows = _served(space, con, serving, said)
    known = rows["chance"].notna() & rows["label"].notna()
    if known.sum() < FEWEST:
        return []
    chance = rows.loc[known, "chance"].to_numpy(np.float64)
    found = []
    for metric, truth, guess in _quantities(space.config, rows, known):
        powered = powered_mean(
            truth, guess[known.to_numpy()], guess, chance,
            space.config.performance.confidence, share=metric == "accuracy",
        )  # fmt: skip
        found.append(Worth(metric, str(serving.version), powered))
    return found


def worth_report(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime
) -> list[dict[str, Any]] | None:
    """The same as plain values, one dict a figure; None while nothing can be told."""
    return [
        {
            "name": worth.name,
            "value": worth.powered.mean.value,
            "low": worth.powered.mean.low,
            "high": worth.powered.mean.high,
            "plain_value": worth.powered.plain.value,
            "plain_low": worth.powered.plain.low,
            "plain_high": worth.powered.plain.high,
            "labels": worth.powered.labels,
            "worth": worth.powered.worth,
            "percent": worth.percent,
            "words": worth.powered.words,
        }
        for worth in label_worth(space, con, now)
    ] or None


def worth_metadata(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime
) -> dict[str, dg.MetadataValue[Any]]:
    """The same as a table in an asset's metadata; empty while nothing can be told."""
    found = label_worth(space, con, now)
    if not found:
        return {}
    lines = [
        "| figure of the champion | with the model's guesses | by labels alone | worth |",
        "| --- | --- | --- | --- |",
    ]
    for worth in found:
        both = (worth.powered.mean, worth.powered.plain)
        ranges = [
            f"{worth.said(m.value)} ({worth.said(m.low)} to {worth.said(m.high)})" for m in both
        ]
        lines.append(f"| {worth.name} | {ranges[0]} | {ranges[1]} | {worth.powered.words} |")
    return {
        "label_worth": dg.MetadataValue.md("\n".join(lines)),
        "labels_are_worth": dg.MetadataValue.text(found[-1].powered.words),
    }


def _served(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, serving: ModelVersion, said: pd.DataFrame
) -> pd.DataFrame:
    """The champion's rows of the days asked about, with people's `label` and its `chance` if any."""
    source, regression = space.table("feedback_table").snapshot(), _regression(space.config)
    first, last = said["partition_key"].min(), said["partition_key"].max()
    filled = [k for k, info in source.partitions().items() if info.rows and first <= k <= last]
    rows = answers(space, con, source, filled, features=regression)
    rows = rows[rows["model_version"].astype(str) == str(serving.version)].reset_index(drop=True)
    if regression:
        rows = with_error(serving.error_model(), rows)
    told = said[["prediction_id", "value", "chance"]].rename(columns={"value": "label"})
    if space.config.label.kind != "multiclass":
        told["label"] = told["label"].astype(np.float64)
    return rows.drop(columns="label").merge(told, on="prediction_id", how="left")


def _quantities(
    config: Config, rows: pd.DataFrame, known: "pd.Series[bool]"
) -> list[tuple[Metric, Floats, Floats]]:
    """Metric, its value on the answered rows [n], and what the model expects of all [N]."""
    label, mine = config.label, known.to_numpy()
    if label.kind == "regression":
        if EXPECTED_ERROR not in rows:
            return []
        error = np.abs(floats(rows["label"]) - floats(rows["score"]))
        return [("mae", error[mine], floats(rows[EXPECTED_ERROR]))]
    names = [f"score_{c}" for c in label.classes] if label.kind == "multiclass" else "score"
    scores = rows[names].to_numpy(np.float64)
    truth = rows["label"][known]
    codes = class_codes(truth, label.classes) if label.classes else truth.to_numpy(np.int64)
    found: list[tuple[Metric, Floats, Floats]] = []
    metrics: tuple[Metric, Metric] = ("log_loss", "accuracy")
    for metric in metrics:
        lost = losses(label.kind, metric, codes, scores[mine], label.threshold)
        guess = expected_losses(label.kind, metric, scores, label.threshold)
        turned = metric == "accuracy"
        found.append((metric, 1 - lost if turned else lost, 1 - guess if turned else guess))
    return found


def _regression(config: Config) -> bool:
    return config.label.kind == "regression"
