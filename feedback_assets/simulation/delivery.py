"""A labelled history handed to the loop's sources as production would: in time, not before it."""

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.capture.convert import Kind, answer, convert
from feedback_assets.capture.files import FileSource
from feedback_assets.config.inference.history import history_relation
from feedback_assets.config.schema import Config
from feedback_assets.errors import ConfigError, SourceError
from feedback_assets.settings import Settings
from feedback_assets.sqltext import ident
from feedback_assets.tables.connection import connect
from feedback_assets.training.onnx_model import Scores

FIRST_MODEL_MARGIN = 2
"""Labels to wait for, in multiples of what the first model needs: some are not mature yet."""
TRUTH = {"binary": "BIGINT", "multiclass": "VARCHAR", "regression": "DOUBLE"}


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong on the way from the truth to the feedback source.

    Shares are of all feedback events; everything is drawn with `seed`.
    """

    delay_days: float = 0.0
    """Mean of an exponential delay on top of the history's own."""
    duplicates: float = 0.0
    """Share delivered twice."""
    loss: float = 0.0
    """Share never delivered."""
    flips: float = 0.0
    """Share of labels replaced by another row's."""
    disorder: bool = False
    """Rows of a file in random order."""
    seed: int = 0


@dataclass(frozen=True)
class History:
    """The past of a loop: its rows with their labels and the time each label was known."""

    config: Config
    settings: Settings
    path: Path
    disturbance: Disturbance = Disturbance()

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows, oldest first, features as the prediction log holds them.

        Beside the history's own columns: `_event_time` and `_label_time` (aware, UTC) and `_truth`,
        the label in the spelling of the tables, null where none ever came.

        Raises:
            SourceError: The file cannot be read, or lacks a column that the loop names.
            ConfigError: The loop does not say when labels are known.
        """
        columns, said = self.config.columns, self.config.source.feedback.columns
        if said.received_time is None:
            raise ConfigError(
                f"configs/loops/{self.config.name}.yaml: source.feedback.columns.received_time is "
                "missing: a replay must know when each label was known"
            )
        with connect(self.settings) as con:
            relation = history_relation(con, self.path, self.config)
            event, known = ident(columns.event_time), ident(said.received_time)
            return con.execute(
                f"""SELECT * {self._canonical(con, relation)},
                      {event} AS _event_time, {known} AS _label_time,
                      CAST({self._truth(con, relation)} AS {TRUTH[self.config.label.kind]}) AS _truth
                    FROM {relation} WHERE {event} IS NOT NULL
                    ORDER BY _event_time, {ident(columns.id)}"""
            ).df()

    def _canonical(self, con: duckdb.DuckDBPyConnection, relation: str) -> str:
        """A model must see what it was trained on: the conversions of the prediction log."""
        columns, types = self.config.columns, types_of(con, relation)
        kinds: dict[str, Kind] = dict.fromkeys(columns.numeric, "number")
        kinds |= dict.fromkeys((*columns.categorical, *columns.text, *columns.carried), "text")
        typed = [
            f"{convert(kind, ident(name), types[name], name).value} AS {ident(name)}"
            for name, kind in kinds.items()
        ]
        return f"REPLACE ({', '.join(typed)})"

    def _truth(self, con: duckdb.DuckDBPyConnection, relation: str) -> str:
        said = self.config.source.feedback.columns
        dtype = types_of(con, relation)[said.value]
        text = convert("text", ident(said.value), dtype, said.value).value
        return answer(f"({text})", self.config.label, said.value).value

    @cached_property
    def feedback(self) -> pd.DataFrame:
        """All feedback that will ever come, by the time at which it comes (`_label_time`)."""
        columns, said = self.config.columns, self.config.source.feedback.columns
        known = self.rows[said.value].notna() & self.rows["_label_time"].notna()
        frame = pd.DataFrame(
            {
                said.prediction_id: self.rows.loc[known, columns.id],
                said.value: self.rows.loc[known, said.value],
                "_label_time": self.rows.loc[known, "_label_time"],
                **{name: self.rows.loc[known, name] for name in said_by(self.config)},
            }
        )
        return disturbed(frame, said.value, self.disturbance)

    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """Time of the first row, and the end of the day of the last."""
        times = self.rows["_event_time"]
        if times.empty:
            raise SourceError(f"{self.path} holds no row with a time")
        return times.iloc[0].to_pydatetime(), times.iloc[-1].ceil("D").to_pydatetime()

    def first_model_by(self) -> dt.datetime:
        """When enough labels are known for a first model, and a fifth of the rows has passed."""
        trigger, pool = self.config.trigger, self.config.pool
        needed = FIRST_MODEL_MARGIN * max(trigger.label_quota or 0, pool.min_rows)
        rows, known = self.rows["_event_time"], self.feedback["_label_time"]
        at = min(max(len(rows) // 5, needed), len(rows) // 2)
        labelled = known.iloc[min(needed, len(known) - 1)] if len(known) else rows.iloc[at]
        holdout = dt.timedelta(days=pool.holdout_days)
        return max(rows.iloc[at], labelled).ceil("D").to_pydatetime() + holdout

    def between(self, start: dt.datetime, end: dt.datetime) -> pd.DataFrame:
        """Rows with `start <= event time < end`."""
        times = self.rows["_event_time"]
        first, last = times.searchsorted(pd.Timestamp(start)), times.searchsorted(pd.Timestamp(end))
        return self.rows.iloc[first:last]

    def feedback_between(self, after: dt.datetime, until: dt.datetime) -> pd.DataFrame:
        """Feedback that becomes known in `(after, until]`."""
        times = self.feedback["_label_time"]
        first = times.searchsorted(pd.Timestamp(after), side="right")
        last = times.searchsorted(pd.Timestamp(until), side="right")
        return self.feedback.iloc[first:last]


def said_by(config: Config) -> list[str]:
    """The history's columns that say where a label is from."""
    said = config.source.feedback.columns
    return [name for name in (said.source, said.principal) if name is not None]


def disturbed(frame: pd.DataFrame, value: str, how: Disturbance) -> pd.DataFrame:
    """Feedback as it really arrives: later, twice, never, or wrong; by arrival time."""
    rng = np.random.default_rng(how.seed)
    frame = frame.loc[rng.random(len(frame)) >= how.loss].copy()
    if how.flips:
        wrong = rng.random(len(frame)) < how.flips
        shuffled = rng.permutation(frame[value].to_numpy())
        frame[value] = np.where(wrong, shuffled, frame[value].to_numpy())
    if how.delay_days:
        extra = rng.exponential(how.delay_days * 86_400e6, len(frame))
        frame["_label_time"] += pd.to_timedelta(extra.astype(np.int64), unit="us")
    if how.duplicates:
        again = frame.loc[rng.random(len(frame)) < how.duplicates]
        frame = pd.concat([frame, again])
    return frame.sort_values("_label_time", kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Delivery:
    """Writes files into the loop's sources, whole or not at all."""

    config: Config
    settings: Settings

    def folder(self, kind: str) -> Path:
        """The folder of a source: `predictions` or `feedback`."""
        source = getattr(self.config.source, kind)
        return FileSource(source, self.settings).base

    def answer(self, _rows: pd.DataFrame) -> Scores | None:
        """Files answer nothing: the model is asked where the rows come from."""
        return None

    def close(self) -> None:
        """Nothing is kept open."""

    def predictions(self, name: str, frame: pd.DataFrame, extra: dict[str, Any]) -> None:
        """Deliver rows with the answers the model gave (`extra`: column to values)."""
        drop = ["_event_time", "_label_time", "_truth", *self._told()]
        kept = frame.drop(columns=[c for c in drop if c in frame.columns])
        self._write("predictions", name, kept.assign(**extra))

    def feedback(self, name: str, frame: pd.DataFrame, rng: np.random.Generator | None) -> None:
        """Deliver feedback, in the order of arrival or in a random one."""
        said = self.config.source.feedback.columns
        kept = frame.rename(columns={"_label_time": said.received_time or "received_time"})
        if rng is not None:
            kept = kept.iloc[rng.permutation(len(kept))]
        self._write("feedback", name, kept)

    def _told(self) -> Sequence[str]:
        said = self.config.source.feedback.columns
        columns = self.config.columns
        own = {columns.id, columns.event_time, *columns.features, *columns.carried}
        told = [said.value, said.received_time, *said_by(self.config)]
        return [name for name in told if name and name not in own]

    def _write(self, kind: str, name: str, frame: pd.DataFrame) -> None:
        if frame.empty:
            return
        folder = self.folder(kind)
        folder.mkdir(parents=True, exist_ok=True)
        hidden = folder / f".{name}.parquet.tmp"
        frame.to_parquet(hidden, index=False, coerce_timestamps="us")
        with hidden.open("rb") as file:
            os.fsync(file.fileno())
        hidden.rename(folder / f"{name}.parquet")


def types_of(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """A relation's columns with their DuckDB types."""
    return {row[0]: row[1] for row in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
