"""Bodies of requests and responses, of every protocol that the formats carry, as plain rows."""

import base64
import binascii
import csv
import io
import re
from collections.abc import Sequence
from typing import Any, TypeGuard

from feedback_assets.capture.importers.json_text import decode
from feedback_assets.capture.importers.records import Row, UnexpectedError

ROWS = 100_000
"""Rows that one record may hold."""
_NO_NAME = re.compile(r"^(t:)?\d+$")
_INPUTS = (
    "an object of features, dataframe_split, dataframe_records, instances, inputs, or data with "
    "ndarray or tensor"
)


def text_payload(data: Any, encoding: str, content_type: str, what: str) -> Any:
    """Return the value in a payload that is carried as text: CSV (as lists), JSON or BASE64.

    Raises:
        UnexpectedError: if the text is not what its encoding says.
    """
    if not isinstance(data, str | bytes):
        return data
    kind = encoding.upper()
    if kind == "BASE64":
        try:
            data = base64.b64decode(b"".join(_bytes(data).split()), validate=True)
        except (binascii.Error, ValueError):
            raise UnexpectedError(f"{what} is not base64") from None
        kind = "CSV" if "csv" in content_type.lower() else "JSON"
    if kind == "CSV":
        return csv_rows(data, what)
    if kind not in ("JSON", ""):
        raise UnexpectedError(f"{what} has an encoding that is none of CSV, JSON and BASE64")
    try:
        return decode(data, what)
    except UnexpectedError:
        lines = [line for line in (data.splitlines()) if line.strip()]
        if len(lines) < 2:
            raise
        return [decode(line, what) for line in lines[: ROWS + 1]]


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", errors="replace") if isinstance(text, str) else text


def csv_rows(data: str | bytes, what: str) -> list[list[str]]:
    """Return the rows of CSV text.

    Raises:
        UnexpectedError: if it is not UTF-8 or a field is endless.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        if '"' not in text:
            return [line.split(",") for line in text.splitlines() if line.strip()]
        return [row for row in csv.reader(io.StringIO(text)) if row]
    except (UnicodeDecodeError, csv.Error):
        raise UnexpectedError(f"{what} is not CSV in UTF-8") from None


def rows_of(payload: Any, width: int, depth: int = 0) -> list[Row]:
    """Return the rows of a request.

    Args:
        payload: The decoded body.
        width: How many features the loop has: tells one row of values from many rows of one.
        depth: How deep the body lies in others.

    Raises:
        UnexpectedError: if the body has none of the known shapes, or too many rows.
    """
    if isinstance(payload, dict):
        rows = _rows_of_object(payload, width, depth)
    elif isinstance(payload, list) and payload:
        plain = not any(isinstance(item, dict | list) for item in payload)
        rows = [payload] if plain and width > 1 else [_row(item) for item in payload]
    elif isinstance(payload, str | int | float) and width == 1:
        rows = [[payload]]
    else:
        raise UnexpectedError(f"the request is none of: {_INPUTS}")
    if not rows:
        raise UnexpectedError("the request has no rows")
    if len(rows) > ROWS:
        raise UnexpectedError(f"one record has more than {ROWS:,} rows")
    return rows


def _rows_of_object(body: dict[str, Any], width: int, depth: int) -> list[Row]:
    if depth > 4:
        raise UnexpectedError(f"the request is none of: {_INPUTS}")
    if "dataframe_split" in body:
        return _split(body["dataframe_split"])
    if isinstance(body.get("columns"), list) and isinstance(body.get("data"), list):
        return _split(body)
    for name in ("dataframe_records", "instances", "inputs", "data", "jsonData", "input_data"):
        inner = body.get(name)
        if name == "inputs" and is_tensors(inner):
            return tensor_rows(inner, width)
        if isinstance(inner, dict | list):
            return rows_of(inner, width, depth + 1)
    if "ndarray" in body or "tensor" in body:
        return seldon_rows(body)
    if isinstance(body.get("strData"), str):
        return [[body["strData"]]]
    lengths = {len(v) if isinstance(v, list) else -1 for v in body.values()}
    if len(lengths) == 1 and -1 not in lengths:  # columns
        return [dict(zip(body, row, strict=True)) for row in zip(*body.values(), strict=True)]
    return [_row(body)]


def _row(item: Any) -> Row:
    if isinstance(item, dict):
        inner = item.get("features")
        return inner if len(item) == 1 and isinstance(inner, dict | list) else item
    return item if isinstance(item, list) else [item]


def _split(frame: Any) -> list[Row]:
    names = frame.get("columns") if isinstance(frame, dict) else None
    data = frame.get("data") if isinstance(frame, dict) else None
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise UnexpectedError("dataframe_split needs columns and data (a list of rows)")
    return named(names, data)


def named(names: Any, data: Sequence[Any]) -> list[Row]:
    """Return rows by name; by position where the names are none, or only numbers as in `t:0`.

    Raises:
        UnexpectedError: if a row has another length than there are names.
    """
    if not isinstance(names, list) or all(_NO_NAME.match(str(name)) for name in names):
        return [row if isinstance(row, list) else [row] for row in data]
    keys = [str(name) for name in names]
    if any(not isinstance(row, list) or len(row) != len(keys) for row in data):
        raise UnexpectedError(f"each row needs {len(keys)} values, one for each name")
    return [dict(zip(keys, row, strict=True)) for row in data]


def is_tensors(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether a value is a list of tensors of the Open Inference Protocol (v2)."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(t, dict) and "data" in t and "name" in t for t in value)
    )


def tensor_rows(tensors: list[dict[str, Any]], width: int) -> list[Row]:
    """Return the rows of v2 tensors: one tensor of all features, or one for each.

    Raises:
        UnexpectedError: if a shape does not fit its data, or the tensors' lengths differ.
    """
    columns = {str(tensor["name"]): shaped(tensor) for tensor in tensors}
    if len(columns) == 1 and width > 1:
        rows = next(iter(columns.values()))
        if all(isinstance(row, list) and len(row) > 1 for row in rows):
            return rows
    if len({len(rows) for rows in columns.values()}) > 1:
        raise UnexpectedError("the tensors have different numbers of rows")
    flat = ([_single(row) for row in rows] for rows in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in zip(*flat, strict=True)]


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def shaped(tensor: dict[str, Any]) -> list[Any]:
    """Return a tensor's data as a list with one item (value or list) for each row.

    Raises:
        UnexpectedError: if its shape does not fit its data.
    """
    data, shape = tensor.get("data", tensor.get("values")), tensor.get("shape")
    if not isinstance(data, list):
        raise UnexpectedError("a tensor's data must be a list")
    if not isinstance(shape, list) or len(shape) < 2 or any(isinstance(v, list) for v in data):
        return data
    wide = 1
    for size in shape[1:]:
        if type(size) is not int or not 0 < size <= len(data):
            raise UnexpectedError("a tensor's shape does not fit its data")
        wide *= size
    if wide > len(data) or len(data) % wide or shape[0] not in (-1, len(data) // wide):
        raise UnexpectedError("a tensor's shape does not fit its data")
    return [data[at : at + wide] for at in range(0, len(data), wide)]


def seldon_rows(data: dict[str, Any]) -> list[Row]:
    """Return the rows of Seldon's `data`: ndarray, or tensor with shape and values.

    Raises:
        UnexpectedError: if it has neither.
    """
    tensor, rows = data.get("tensor"), data.get("ndarray")
    if isinstance(tensor, dict):
        rows = shaped(tensor)
    if not isinstance(rows, list):
        raise UnexpectedError("data needs ndarray (rows), or tensor with shape and values")
    names = data.get("names")
    if rows and not any(isinstance(row, list | dict) for row in rows):
        rows = [rows]
    if any(isinstance(row, dict) for row in rows):
        return [_row(row) for row in rows]
    return named(names or None, rows)
