"""Rows of a history as a client would send them, and the answers as a replay counts them."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.client import DoorProblem, Prediction
from feedback_assets.config.schema import Config
from feedback_assets.training.onnx_model import Scores

Item = dict[str, Any]
POINTER = re.compile(r"^/(?:rows|events)/(\d+)(?:/|$)")
EXACT_WHOLE = 1e15
"""Below this a whole number is written without a fraction, as the tables do it."""


def rows_of(config: Config, frame: pd.DataFrame) -> list[Item]:
    """The predictions to ask for: id, event time (microseconds), features and carried columns."""
    columns = config.columns
    said: dict[str, Sequence[Any]] = {
        "prediction_id": [_text(value) for value in frame[columns.id]],
        "event_time": micros_of(frame["_event_time"]).tolist(),
    }
    for name in (*columns.features, *columns.carried):
        one = _number if columns.kind_of(name) == "numeric" else _text
        said[name] = [one(value) for value in frame[name].tolist()]
    return [dict(zip(said, values, strict=True)) for values in zip(*said.values(), strict=True)]


def events_of(config: Config, frame: pd.DataFrame) -> list[Item]:
    """The feedback to give: prediction, value, when it was known (microseconds), and who said it."""
    said = config.source.feedback.columns
    one = _measured if config.label.kind == "regression" else _scalar
    events: list[Item] = [
        {"prediction_id": _text(of), "value": one(value), "received_time": known}
        for of, value, known in zip(
            frame[said.prediction_id].tolist(),
            frame[said.value].tolist(),
            micros_of(frame["_label_time"]).tolist(),
            strict=True,
        )
    ]
    for name, column in (("source", said.source), ("principal", said.principal)):
        if column is not None:
            for event, value in zip(events, frame[column].tolist(), strict=True):
                event[name] = _text(value)
    return events


def landed_of(config: Config, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that no model answered, in the columns of landed files."""
    columns = config.columns
    return pd.DataFrame(
        {
            "prediction_id": [_text(value) for value in frame[columns.id]],
            "event_time": frame["_event_time"].array,
            "received_time": frame["_event_time"].array,
            **{name: frame[name].array for name in (*columns.features, *columns.carried)},
        }
    )


def scores_of(config: Config, answers: Sequence[Prediction]) -> Scores:
    """Answers as the arrays that a model would have given: every bit of a double is kept."""
    kind, classes = config.label.kind, config.label.classes
    types = {"binary": np.int64, "multiclass": object, "regression": np.float64}
    score = [math.nan if answer.score is None else answer.score for answer in answers]
    every = [
        [(answer.class_scores or {}).get(name, math.nan) for name in classes] for answer in answers
    ]
    return Scores(
        np.array(score, dtype=np.float64),
        np.array([answer.prediction for answer in answers], dtype=types[kind]),
        np.array(every, dtype=np.float64).reshape(len(answers), len(classes))
        if kind == "multiclass"
        else None,
    )


def micros_of(times: pd.Series) -> npt.NDArray[np.int64]:
    """Aware times as microseconds since 1970 [n]."""
    return times.dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy()


def refused_items(problem: DoorProblem) -> set[int]:
    """Numbers of the rows or events that a problem names."""
    found = (POINTER.match(error.pointer) for error in problem.errors)
    return {int(each[1]) for each in found if each}


def _number(value: float | None) -> float | str | None:
    if value is None or value != value:
        return None
    # JSON has no infinity; as a word the service refuses it, as the tables would.
    return value if math.isfinite(value) else str(value)


def _text(value: Any) -> str | None:
    if value is None or value != value:
        return None
    said = _scalar(value)
    return said if isinstance(said, str) else str(said)


def _measured(value: Any) -> Any:
    """A label that is a number, also where the history has it as text."""
    try:
        return _scalar(float(value))
    except ValueError:
        return value  # the service says what is wrong with it


def _scalar(value: Any) -> Any:
    if isinstance(value, float) and abs(value) < EXACT_WHOLE and value.is_integer():
        return int(value)  # 1.0 and 1 are one value, whatever wrote the file
    return value
