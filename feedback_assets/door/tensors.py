"""Rows out of the tensors of the Open Inference Protocol, and answers into them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feedback_assets.door.columns import Column
from feedback_assets.door.items import Item
from feedback_assets.door.problems import Fault, unknown_fields

WHOLE = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
FLOATS = frozenset({"FP16", "FP32", "FP64"})
TEXTS = frozenset({"BYTES"})
META = {"prediction_id": TEXTS, "event_time": TEXTS | {"INT64", "UINT64"}}
PARTS = ("name", "shape", "datatype", "data", "parameters")
PREDICTION_TYPES = {"binary": "INT64", "multiclass": "BYTES", "regression": "FP64"}


def rows_of(
    tensors: Any, columns: Mapping[str, Column], max_rows: int
) -> tuple[list[dict[str, Any]], list[Fault]]:
    """One row for each index of the tensors' first axis, or what is wrong.

    Args:
        tensors: `inputs` of a request.
        columns: The loop's columns.
        max_rows: Rows in one request.
    """
    if not isinstance(tensors, list) or not tensors:
        return [], [Fault("/inputs", "must be a list of tensors, one for each column")]
    found: dict[str, list[Any]] = {}
    faults: list[Fault] = []
    for position, tensor in enumerate(tensors):
        base = f"/inputs/{position}"
        faults += _faults(tensor, columns, base)
        if faults:
            return [], faults
        if tensor["name"] in found:
            return [], [Fault(f"{base}/name", "names a column a second time")]
        found[tensor["name"]] = list(_flat(tensor["data"]))
    counts = {len(data) for data in found.values()}
    if len(counts) > 1:
        return [], [Fault("/inputs", "all tensors must have the same number of rows")]
    count = counts.pop()
    if not 1 <= count <= max_rows:
        return [], [Fault("/inputs", f"must hold 1 to {max_rows} rows")]
    return [{name: data[i] for name, data in found.items()} for i in range(count)], []


def _faults(tensor: Any, columns: Mapping[str, Column], base: str) -> list[Fault]:
    if not isinstance(tensor, dict):
        return [Fault(base, "must be a tensor: an object")]
    found = unknown_fields(base, tensor, PARTS)
    name = tensor.get("name")
    if not isinstance(name, str) or (name not in columns and name not in META):
        known = ", ".join([*columns, *META])
        return [*found, Fault(f"{base}/name", f"must be one of {known}")]
    if not isinstance(tensor.get("parameters", {}), dict):
        found.append(Fault(f"{base}/parameters", "must be an object"))
    allowed = META.get(name) or (FLOATS | WHOLE if columns[name].numeric else TEXTS)
    kind = tensor.get("datatype")
    if not isinstance(kind, str) or kind not in allowed:
        known = ", ".join(sorted(allowed))
        return [*found, Fault(f"{base}/datatype", f"must be one of {known}")]
    shape, data = tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not _is_column(shape):
        return [*found, Fault(f"{base}/shape", "must be [rows] or [rows, 1]")]
    if not isinstance(data, list):
        return [*found, Fault(f"{base}/data", "must be a list")]
    values = list(_flat(data))
    if len(values) != shape[0]:
        found.append(Fault(f"{base}/data", "does not have as many values as the shape says"))
    if any(isinstance(value, list) for value in values):
        found.append(Fault(f"{base}/data", "is nested deeper than the shape says"))
    if kind in WHOLE and any(isinstance(value, float) for value in values):
        found.append(Fault(f"{base}/data", f"must hold whole numbers, as {kind} has them"))
    return found


def _is_column(shape: list[Any]) -> bool:
    if not shape or len(shape) > 2:
        return False
    whole = all(type(length) is int and length >= 0 for length in shape)
    return whole and math.prod(shape[1:]) == 1


def _flat(data: list[Any]) -> Iterator[Any]:
    """Values in row-major order; one level of nesting is what [rows, 1] may have."""
    for value in data:
        if isinstance(value, list) and len(value) == 1:
            yield value[0]
        else:
            yield value


def outputs_of(items: Sequence[Item], kind: str, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The answers as tensors of one row each.

    Args:
        items: Answers [n].
        kind: The label's kind.
        classes: Of a multiclass label, in the order of the last axis of `class_scores`.
    """
    count = len(items)

    def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
        return {"name": name, "datatype": datatype, "shape": [count], "data": data}

    found = [
        tensor("score", "FP64", [item.score for item in items]),
        tensor("prediction", PREDICTION_TYPES[kind], [item.prediction for item in items]),
        tensor("prediction_id", "BYTES", [item.prediction_id for item in items]),
        tensor("model_version", "BYTES", [item.model_version for item in items]),
    ]
    if kind == "multiclass":
        scores = [item.class_scores or {} for item in items]
        found.append(
            {
                "name": "class_scores",
                "datatype": "FP64",
                "shape": [count, len(classes)],
                "data": [known.get(name) for known in scores for name in classes],
                "parameters": {"classes": ",".join(classes)},
            }
        )
    return found
