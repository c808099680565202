"""In what two ONNX files differ: inputs, operators, learned numbers, answers."""

from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.training.onnx_model import OnnxModel

SHOWN = 5


def onnx_differences(then: OnnxModel, now: OnnxModel, rows: pd.DataFrame) -> list[str]:
    """What is not alike, in words; the files' bytes differ, or there would be nothing to ask.

    Args:
        then: The model that was registered.
        now: The model that was trained again.
        rows: Rows that both can read; answers are compared on them.
    """
    import onnx

    first, second = (onnx.load_model_from_string(m.content) for m in (then, now))
    said = []
    if then.spec != now.spec:
        said.append(f"it reads {then.spec.names} as recorded, {now.spec.names} now")
    operators = [[node.op_type for node in model.graph.node] for model in (first, second)]
    if operators[0] != operators[1]:
        said.append(
            f"its graph has {len(operators[0])} operators as recorded, {len(operators[1])} now"
        )
    opsets = [{o.domain: o.version for o in model.opset_import} for model in (first, second)]
    if opsets[0] != opsets[1]:
        said.append(f"its ONNX operator sets are {opsets[0]} as recorded, {opsets[1]} now")
    said += learned(numbers_of(first), numbers_of(second))
    return [*said, answers(then, now, rows)]


def numbers_of(model: Any) -> dict[str, Any]:
    """The learned arrays and attributes of a graph, by the place where they stand."""
    from onnx.helper import get_attribute_value
    from onnx.numpy_helper import to_array

    held = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    for place, node in enumerate(model.graph.node):
        for attribute in node.attribute:
            value = get_attribute_value(attribute)
            if isinstance(value, list):
                held[f"{node.op_type} {place}, {attribute.name}"] = np.asarray(value)
    return held


def learned(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where learned numbers differ, the largest difference first."""
    found = []
    for name in sorted({*then, *now}):
        a, b = then.get(name), now.get(name)
        if a is None or b is None or a.shape != b.shape:
            found.append((float("inf"), f"{name}: of another size"))
        elif a.dtype.kind in "fiu":
            apart = float(np.max(np.abs(a.astype(float) - b.astype(float)), initial=0.0))
            if apart:
                found.append((apart, f"{name}: learned numbers differ by up to {apart:.3g}"))
        elif not np.array_equal(a, b):
            found.append((0.0, f"{name}: other words"))
    found.sort(key=lambda pair: -pair[0])
    more = [f"{len(found) - SHOWN} more parts differ"] if len(found) > SHOWN else []
    return [words for _, words in found[:SHOWN]] + more


def answers(then: OnnxModel, now: OnnxModel, rows: pd.DataFrame) -> str:
    """How far the answers of both lie apart."""
    if rows.empty or then.spec.names != now.spec.names:
        return "their answers were not compared"
    a, b = then.score(rows).score, now.score(rows).score
    apart = float(np.max(np.abs(a - b), initial=0.0))
    return f"on {len(rows):,} held-out rows their answers differ by up to {apart:.3g}"
