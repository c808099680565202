"""Rows as production may send them on a bad day, and how much worse the models then answer."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.evaluation import Scenario, ScenarioKind
from feedback_assets.config.schema import Config, FeatureKind
from feedback_assets.evaluation.side import Sides, loss_on, with_columns
from feedback_assets.performance.metrics import Floats

Kinds = Mapping[str, FeatureKind]

_TOUCHED: dict[ScenarioKind, frozenset[FeatureKind]] = {
    "missing": frozenset({"numeric", "categorical", "text"}),
    "extreme": frozenset({"numeric"}),
    "unseen": frozenset({"categorical"}),
    "shifted": frozenset({"numeric", "categorical", "text"}),
}
_NEW = "never seen"


def robustness(
    config: Config, rows: pd.DataFrame, y: Floats, sides: Sides, good: Mapping[str, float]
) -> list[dict[str, Any]]:
    """How much each scenario raises each model's loss, relative to its own on the good rows.

    Args:
        config: the loop's; `evaluation.scenarios` are played.
        rows: the examined rows, in a fixed order.
        y: their labels [n].
        sides: the models.
        good: model -> its mean loss on the rows as they are.

    Returns:
        Per scenario name, kind, the columns touched, champion_increase, candidate_increase (0.1: a
        tenth worse). A scenario that finds nothing to touch changes nothing: 0. NaN when a model
        fails to answer, or its loss on the good rows is 0.
    """
    kinds = kinds_of(sides)
    found = []
    for scenario in config.evaluation.scenarios:
        columns = touched_columns(scenario, kinds)
        bad = troubled(rows, scenario, kinds, config.model.seed)
        increase: dict[str, float | None] = {
            name: _relative(
                loss_on(config, side.model, bad, y) if columns else good[name], good[name]
            )
            for name, side in sides.items()
        }
        found.append(
            {
                "name": scenario.name,
                "kind": scenario.kind,
                "columns": columns,
                "champion_increase": increase.get("champion"),
                "candidate_increase": increase["candidate"],
            }
        )
    return found


def _relative(loss: float, good: float) -> float:
    return (loss - good) / good if good > 0 else float("nan")


def kinds_of(sides: Sides) -> dict[str, FeatureKind]:
    """Every column that some of the models reads, the candidate's first, and what it holds."""
    read = [sides[name].model.spec.features for name in ("candidate", "champion") if name in sides]
    kinds: dict[str, FeatureKind] = {}
    for name, kind in (feature for features in read for feature in features):
        kinds.setdefault(name, kind)
    return kinds


def touched_columns(scenario: Scenario, kinds: Kinds) -> list[str]:
    """The columns that a scenario touches: those it names, of the kinds that it can touch."""
    named = scenario.columns or list(kinds)
    return [c for c in named if kinds.get(c) in _TOUCHED[scenario.kind]]


def troubled(rows: pd.DataFrame, scenario: Scenario, kinds: Kinds, seed: int) -> pd.DataFrame:
    """The rows as the scenario has them; what it does not touch stays as it is.

    Which rows are touched is drawn for each column apart (for shifted rows, once), by a seed made of
    `seed`, the scenario's name and the column's: adding a scenario changes no other.
    """
    columns = touched_columns(scenario, kinds)
    if scenario.kind == "shifted":
        given = rows.iloc[_other_time(rows["event_time"], scenario.amount)]
        hit = _drawn(len(rows), scenario, "", seed).random(len(rows)) < scenario.share
        return with_columns(rows, {c: _mixed(rows[c], given[c].to_numpy(), hit) for c in columns})
    changed = {}
    for column in columns:
        rng = _drawn(len(rows), scenario, column, seed)
        hit = rng.random(len(rows)) < scenario.share
        changed[column] = _mixed(
            rows[column], _values(rows[column], scenario, kinds[column], rng), hit
        )
    return with_columns(rows, changed)


def _values(
    column: pd.Series, scenario: Scenario, kind: FeatureKind, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """What every row of the column would hold if it was touched [n]."""
    if scenario.kind == "extreme":
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        signs = rng.choice([-1.0, 1.0], len(column))
        return np.asarray(numbers + signs * scenario.amount * _spread(numbers), dtype=np.float64)
    if kind == "numeric":
        return np.full(len(column), np.nan)
    new = None if scenario.kind == "missing" else _unused(column)
    return np.full(len(column), new, dtype=object)


def _spread(numbers: Floats) -> float:
    """Standard deviation of what is known; where nothing varies, the size of the value, or 1."""
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return 1.0
    return float(known.std()) or float(abs(known[0])) or 1.0


def _unused(column: pd.Series) -> str:
    """A value that the column does not hold."""
    held, name = set(column.dropna().unique()), _NEW
    while name in held:
        name += "!"
    return name


def _mixed(
    column: pd.Series, other: npt.NDArray[Any], hit: npt.NDArray[np.bool_]
) -> npt.NDArray[Any]:
    """The column with other values where hit [n]; numbers stay numbers."""
    if other.dtype.kind == "f":
        own = column.to_numpy(np.float64, na_value=np.nan)
    else:
        own = column.to_numpy(dtype=object)
    return np.where(hit, other, own)


def _drawn(n: int, scenario: Scenario, column: str, seed: int) -> np.random.Generator:
    mark = zlib.crc32(f"{scenario.name}\0{column}".encode())
    return np.random.default_rng([seed, mark, n])


def _other_time(times: pd.Series, days: float) -> npt.NDArray[np.int64]:
    """For each row the position of one so many days earlier [n].

    Before the first row time goes on at the end, as if the rows' span repeated. Rows of one moment
    are dealt to the rows of the other in turn.
    """
    at = pd.to_datetime(times, utc=True).astype("datetime64[us, UTC]").astype(np.int64).to_numpy()
    if not at.size:
        return np.empty(0, dtype=np.int64)
    order = np.argsort(at, kind="stable")
    ordered = at[order]
    span = int(ordered[-1] - ordered[0]) + 1
    wanted = (at - ordered[0] - round(days * 86_400_000_000)) % span + ordered[0]
    first = np.searchsorted(ordered, wanted, side="left")
    group = np.searchsorted(ordered, wanted, side="right") - first
    turn = np.empty(at.size, dtype=np.int64)
    turn[order] = np.arange(at.size) - np.searchsorted(ordered, ordered, side="left")
    nearest = np.minimum(first + turn % np.maximum(group, 1), at.size - 1)
    return np.asarray(order[nearest], dtype=np.int64)
