"""Validity in the formats that others published: CloudEvents, Open Inference Protocol, MLflow."""

from typing import TYPE_CHECKING, Any

from feedback_assets_tests.door.proof.strict import (
    BAD,
    GOOD,
    OPEN,
    Verdict,
    count,
    flat,
    identifier,
)

if TYPE_CHECKING:
    from feedback_assets_tests.door.proof.oracle import Oracle

OIP_NUMBERS = {
    "FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
}  # fmt: skip


def cloud(rules: "Oracle", event: Any) -> Verdict:
    if not isinstance(event, dict):
        return BAD
    # "Unset attributes MAY be encoded to the JSON value of null" (JSON format, 2.2).
    event = {name: value for name, value in event.items() if value is not None}
    for name in ("specversion", "id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            return BAD
    if event["specversion"] != "1.0":
        return BAD
    # A source is a URI reference.
    worst = max(
        identifier(event["id"]),
        identifier(event["source"].replace("/", "")),
        identifier(event["type"]),
    )
    if "time" in event:
        worst = max(worst, rules.time(event["time"]) if isinstance(event["time"], str) else BAD)
    if set(event) - {"specversion", "id", "source", "type", "time", "data", "datacontenttype"}:
        worst = max(worst, OPEN)
    if event.get("datacontenttype", "application/json") != "application/json":
        worst = max(worst, OPEN)
    return max(worst, rules.event(event.get("data"), cloud=True))


def infer(rules: "Oracle", value: Any) -> Verdict:
    if not isinstance(value, dict) or not isinstance(value.get("inputs"), list):
        return BAD
    worst = GOOD
    if "id" in value:
        worst = identifier(value["id"])
    if set(value) - {"id", "inputs", "parameters", "outputs"}:
        worst = max(worst, OPEN)
    for name in ("parameters", "outputs"):
        if name in value:
            worst = max(worst, OPEN)
    tensors = value["inputs"]
    names = [t.get("name") if isinstance(t, dict) else None for t in tensors]
    if not tensors or any(
        not isinstance(n, str) or n not in rules.columns | {"prediction_id", "event_time"}
        for n in names
    ):
        return BAD
    if len(set(names)) < len(names):
        return BAD
    counts = set()
    for tensor in tensors:
        counts.add(count(tensor))
        worst = max(worst, _tensor(rules, tensor))
        if worst is BAD:
            return BAD
    if len(counts) > 1 or (missing := _missing(rules, names)) is BAD:
        return BAD
    return max(worst, missing)


def _missing(rules: "Oracle", names: Any) -> Verdict:
    absent = rules.columns - set(names)
    if any(rules.rules.get(name, {}).get("required") for name in absent):
        return BAD
    return OPEN if absent else GOOD


def _tensor(rules: "Oracle", tensor: dict[str, Any]) -> Verdict:
    if set(tensor) - {"name", "shape", "datatype", "data", "parameters"}:
        return OPEN if count(tensor) is not None else BAD
    kind, data = tensor.get("datatype"), tensor.get("data")
    if count(tensor) is None or not isinstance(kind, str):
        return BAD
    numeric = tensor["name"] in rules.numeric
    if kind not in OIP_NUMBERS | {"BYTES", "BOOL"} or (numeric != (kind in OIP_NUMBERS)):
        return BAD if kind not in OIP_NUMBERS | {"BYTES", "BOOL"} else OPEN
    # Row-major data may be nested as the shape says; the service takes [rows] and [rows, 1].
    odd = "parameters" in tensor or any(isinstance(item, list) for item in data)
    worst = OPEN if odd else GOOD
    for item in flat(data):
        if tensor["name"] in rules.columns:
            one = rules.feature(tensor["name"], item)
            # Whole-number types hold no fractions, and null is in no tensor of the protocol.
            if item is None:
                one = max(one, OPEN)
            if kind not in ("FP16", "FP32", "FP64", "BYTES") and isinstance(item, float):
                one = max(one, OPEN)
            worst = max(worst, one)
        else:
            worst = max(worst, OPEN)
    return worst


def invocations(rules: "Oracle", value: Any) -> Verdict:
    if not isinstance(value, dict):
        return BAD
    shapes = [
        k for k in ("dataframe_split", "dataframe_records", "instances", "inputs") if k in value
    ]
    if len(shapes) != 1:
        return BAD
    worst = OPEN if len(value) > 1 else GOOD
    said = value[shapes[0]]
    match shapes[0]:
        case "dataframe_split":
            return max(worst, _split(rules, said))
        case "dataframe_records" | "instances":
            if (
                shapes[0] == "instances"
                and isinstance(said, list)
                and any(not isinstance(i, dict) for i in said)
            ):
                return OPEN if not any(isinstance(i, dict) for i in said) else BAD
            return max(worst, rules.each(said, rules.row))
        case _:
            return max(worst, _inputs(rules, said))


def _split(rules: "Oracle", said: Any) -> Verdict:
    if not isinstance(said, dict) or not isinstance(said.get("data"), list):
        return BAD
    worst = OPEN if set(said) - {"columns", "data", "index"} or "index" in said else GOOD
    columns = said.get("columns")
    if columns is None:
        return OPEN
    if not isinstance(columns, list) or not all(isinstance(c, str) for c in columns):
        return BAD
    if len(set(columns)) < len(columns):
        return BAD
    if any(not isinstance(r, list) or len(r) != len(columns) for r in said["data"]):
        return BAD
    rows = [dict(zip(columns, r, strict=True)) for r in said["data"]]
    return max(worst, rules.each(rows, rules.row))


def _inputs(rules: "Oracle", said: Any) -> Verdict:
    if isinstance(said, list):
        return rules.each(said, rules.row) if any(isinstance(i, dict) for i in said) else OPEN
    if not isinstance(said, dict):
        return OPEN if said is not None else BAD
    lengths = {len(v) if isinstance(v, list) else None for v in said.values()}
    if not said or (None not in lengths and len(lengths) > 1):
        return BAD
    if None in lengths:
        return BAD if len(lengths) > 1 else max(OPEN, rules.row(said))
    count = lengths.pop() or 0
    rows = [{k: v[i] for k, v in said.items()} for i in range(count)]
    return rules.each(rows, rules.row)
