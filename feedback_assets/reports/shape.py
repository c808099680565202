"""The shape of a simulation's result: what `simulate` hands over and what its JSON file holds."""

import datetime as dt
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

METRIC_ALIASES = {"roc_auc": "auc"}


def plain(value: Any) -> Any:
    """Turn numpy scalars, paths and non-finite numbers into what JSON can hold.

    Args:
        value: anything made of mappings, sequences and scalars.

    Returns:
        The same structure with plain Python scalars; NaN and infinities become None.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if not isinstance(value, str | bytes) and callable(getattr(value, "item", None)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _utc(value: Any) -> Any:
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    return value


def _metrics(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {METRIC_ALIASES.get(name, name): number for name, number in value.items()}
    return value


def _kpi(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ": ".join(str(v) for v in (value.get("name"), value.get("description")) if v)
    return value


Moment = Annotated[dt.datetime, BeforeValidator(_utc)]
Metrics = Annotated[dict[str, float | None], BeforeValidator(_metrics)]


class Part(BaseModel):
    """A piece of the result; further fields are kept as they come."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, populate_by_name=True)


class Step(Part):
    """One step of the replay (a week unless said otherwise)."""

    start: Moment
    end: Moment
    rows: int = 0
    labels_arrived: int | None = None
    labels_expected: int | None = None
    loop: Metrics = {}
    frozen: Metrics = {}
    drift_days: int = 0
    drift_columns: list[str] = []
    verdict: str = ""
    champion: str | None = None

    @property
    def middle(self) -> dt.datetime:
        """Where the step's point stands on the time axis."""
        return self.start + (self.end - self.start) / 2


class Decision(Part):
    """One thing the loop decided, and why."""

    time: Moment
    kind: str
    version: str | None = None
    cause: str = ""
    reason: str = ""
    numbers: dict[str, Any] = {}


class Simulation(Part):
    """A replayed period: the loop as it was kept right beside its frozen first model."""

    name: str
    title: str
    kpi: Annotated[str, BeforeValidator(_kpi)] = ""
    about: str = ""
    label_kind: Literal["binary", "multiclass", "regression"]
    metric: str
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    every_days: float = Field(gt=0)
    loop: Metrics
    frozen: Metrics
    retrains: int = 0
    promotions: int = 0
    refusals: int = 0
    rollbacks: int = 0
    weeks: list[Step] = []
    decisions: list[Decision] = []

    @property
    def main_metric(self) -> str:
        """The gate's metric under the name that the metric dictionaries use."""
        return METRIC_ALIASES.get(self.metric, self.metric)

    def to_json(self) -> dict[str, Any]:
        """The dictionary that the JSON file holds (`from` and `to`, ISO times in UTC)."""
        return self.model_dump(mode="json", by_alias=True)


def simulation_of(data: Mapping[str, Any]) -> Simulation:
    """Check and normalise a simulation's result.

    Args:
        data: the fields of `Simulation`; `from` and `to` are dates or times, metrics may be NaN.

    Returns:
        The checked result, times in UTC, NaN as None.

    Raises:
        pydantic.ValidationError: naming each missing or wrong field and its value.
    """
    return Simulation.model_validate(plain(data))
