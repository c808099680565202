"""What a good row is, as pandera schemas made from the loop's YAML.

They are the only statement of the rules: `screen` compiles the same objects to SQL for the rows
on their way in, and the contract checks validate frames with them.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from feedback_assets.config.schema import ColumnRule, Config
from feedback_assets.errors import ConfigError

if TYPE_CHECKING:
    import pandera.pandas as pa

ROLES = ("served", "shadow", "history")
KINDS = ("label", "correction", "rating", "click", "reward", "rejection")

_TIME = pd.DatetimeTZDtype("us", "UTC")  # type: ignore[arg-type]  # the stubs know only ns
_ANSWERS: dict[str, str] = {"binary": "Int64", "multiclass": "string", "regression": "float64"}


def prediction_schema(config: Config) -> "pa.DataFrameSchema":
    """Return the contract of a partition of `prediction_log` (one row a prediction).

    Raises:
        ConfigError: if a rule of the YAML does not fit its column's kind.
    """
    import pandera.pandas as pa

    columns, label = config.columns, config.label
    share = [pa.Check.ge(0.0), pa.Check.le(1.0)]
    shares = [] if label.kind == "regression" else share
    built: dict[str, Any] = {
        "prediction_id": pa.Column("string", unique=True, coerce=True),
        "event_time": pa.Column(_TIME, coerce=True),
        "received_time": pa.Column(_TIME, coerce=True),
        "model_version": pa.Column("string", nullable=True, coerce=True),
        "role": pa.Column("string", pa.Check.isin(list(ROLES)), coerce=True),
        "propensity": pa.Column("float64", [pa.Check.gt(0.0), pa.Check.le(1.0)], coerce=True),
        "score": pa.Column("float64", shares, nullable=True, coerce=True),
    }
    for name in class_score_names(config):
        built[name] = pa.Column("float64", share, nullable=True, coerce=True)
    allowed = {
        "binary": [pa.Check.isin([0, 1])],
        "multiclass": [pa.Check.isin(label.classes)],
        "regression": [],
    }
    dtype = _ANSWERS[label.kind]
    built["prediction"] = pa.Column(dtype, allowed[label.kind], nullable=True, coerce=True)
    for name in [*columns.features, *columns.carried]:
        kind = columns.kind_of(name)
        built[name] = _column(name, kind == "numeric", columns.rules.get(name, ColumnRule()))
    built["source_file"] = pa.Column("string", coerce=True)
    built["partition_key"] = pa.Column("string", coerce=True)
    return pa.DataFrameSchema(built, name=f"{config.name}.prediction_log", strict=True)


def feedback_schema(config: Config) -> "pa.DataFrameSchema":
    """Return the contract of a partition of `feedback_events` (one row an event)."""
    import pandera.pandas as pa

    share = [pa.Check.ge(0.0), pa.Check.le(1.0)]
    built = {
        "event_id": pa.Column("string", unique=True, coerce=True),
        "prediction_id": pa.Column("string", coerce=True),
        "kind": pa.Column("string", pa.Check.isin(list(KINDS)), coerce=True),
        "value": pa.Column("string", nullable=True, coerce=True),
        "event_time": pa.Column(_TIME, coerce=True),
        "received_time": pa.Column(_TIME, coerce=True),
        "source": pa.Column("string", nullable=True, coerce=True),
        "confidence": pa.Column("float64", share, coerce=True),
        "principal": pa.Column("string", nullable=True, coerce=True),
        "source_file": pa.Column("string", coerce=True),
        "partition_key": pa.Column("string", coerce=True),
    }
    return pa.DataFrameSchema(built, name=f"{config.name}.feedback_events", strict=True)


def class_score_names(config: Config) -> list[str]:
    """Return the table's columns of the classes' probabilities: `score_<class>`."""
    return [f"score_{name}" for name in config.columns.class_scores]


def _column(name: str, numeric: bool, rule: ColumnRule) -> Any:
    import pandera.pandas as pa

    where = f"columns.rules.{name}"
    checks = []
    if not numeric and (rule.min is not None or rule.max is not None):
        raise ConfigError(f"{where}: min and max fit numeric columns only; use allowed")
    if rule.min is not None:
        checks.append(pa.Check.ge(rule.min))
    if rule.max is not None:
        checks.append(pa.Check.le(rule.max))
    if rule.allowed is not None:
        values = _numbers(where, rule.allowed) if numeric else rule.allowed
        checks.append(pa.Check.isin(values))
    dtype = "float64" if numeric else "string"
    return pa.Column(dtype, checks, nullable=not rule.required, coerce=True)


def _numbers(where: str, texts: list[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise ConfigError(f"{where}.allowed: {error}; the column is numeric") from error
