"""Are protected groups treated alike?"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.config.gate import FairnessGate
from feedback_assets.config.schema import Config
from feedback_assets.errors import GateError
from feedback_assets.evaluation.side import Side, Sides
from feedback_assets.fairness.bias import bias
from feedback_assets.performance.metrics import Floats


def fairness(config: Config, rows: pd.DataFrame, y: Floats, sides: Sides) -> list[dict[str, Any]]:
    """Disparate impact and equal opportunity for each protected attribute.

    One entry an attribute; of several classes one for each attribute and class, as "this class or
    another". Nothing for regression, or without protected attributes.

    Raises:
        GateError: The rows lack a protected attribute.
    """
    if config.label.kind == "regression":
        return []
    gate = config.gate.fairness or FairnessGate()
    attributes = gate.attributes or config.columns.protected
    missing = [a for a in attributes if a not in rows]
    if missing:
        raise GateError(f"the evaluation rows lack the protected attributes {', '.join(missing)}")
    found = []
    for attribute in attributes:
        for answer, truth, said in _questions(config, y, sides):
            seen = bias(
                truth,
                said,
                rows[attribute].to_numpy(dtype=object),
                min_rows=gate.min_rows,
                confidence=config.gate.confidence,
                resamples=config.gate.resamples,
                seed=config.model.seed,
            )
            found.append(_whole(seen.to_dict(attribute, answer), sides))
    return found


def _questions(
    config: Config, y: Floats, sides: Sides
) -> list[tuple[str, npt.NDArray[np.int64], dict[str, npt.NDArray[np.int64]]]]:
    """The answer that is good to get, who should have it [n], and who gets it from each model [n]."""
    if config.label.kind == "binary":
        return [("1", y.astype(np.int64), {n: _gets(s, 1) for n, s in sides.items()})]
    return [
        (name, (y == k).astype(np.int64), {n: _gets(s, name) for n, s in sides.items()})
        for k, name in enumerate(config.label.classes)
    ]


def _gets(side: Side, answer: object) -> npt.NDArray[np.int64]:
    return np.asarray(side.answers.prediction == answer, dtype=np.int64)


def _whole(entry: dict[str, Any], sides: Sides) -> dict[str, Any]:
    """The entry with a null champion where there is none."""
    if "champion" in sides:
        return entry
    for part in (entry, *entry["groups"]):
        for name, held in part.items():
            if isinstance(held, dict):
                part[name] = {"champion": None, **held}
    return entry
