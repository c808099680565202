"""What clients of MLflow's scoring server and of SageMaker's endpoints send and expect."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from feedback_assets.door.calls import JSON, Call, Reply
from feedback_assets.door.columns import Column
from feedback_assets.door.endpoint import admit, body_of
from feedback_assets.door.idempotency import Seed, seed_of
from feedback_assets.door.items import Item
from feedback_assets.door.jsontext import strict
from feedback_assets.door.predicting import Predicting
from feedback_assets.door.problems import (
    Fault,
    Problem,
    invalid,
    malformed,
    pointer,
    unknown_fields,
)
from feedback_assets.door.routes_v1 import PREDICTIONS
from feedback_assets.door.rows import Place
from feedback_assets.door.state import OpenLoop, Service

CSV = b"text/csv"
SHAPES = ("dataframe_split", "dataframe_records", "instances", "inputs")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
META = ("prediction_id", "event_time")


class Table(NamedTuple):
    """Rows as another surface states them."""

    rows: list[Any]
    base: str
    """JSON pointer of their list."""
    place: Place | None = None
    """JSON pointer of a row's field, where rows are no objects."""


class Invocations:
    """POST /invocations, for the loop that the header X-Loop names, or the only one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._predicting = {name: Predicting(service, loop) for name, loop in service.loops.items()}

    async def invoke(self, call: Call) -> Reply:
        """Answer rows in any of the known shapes."""
        service = self._service
        loop = admit(service, call, self._name(call), ("predict",))
        body = b""
        try:
            body, kind = await body_of(loop, call, (JSON, CSV))
            seed = seed_of(call, body)
            as_csv = CSV in (call.header(b"accept") or b"")
            if seed and as_csv:
                words = "Idempotency-Key is honoured with Accept: application/json only"
                raise Problem(400, "idempotency-key", words)  # noqa: TRY301
            table = (csv_rows if kind == CSV else json_rows)(loop, body)
            rows = loop.rows.of_trees(table.rows, call.received_us, table.base, table.place)
            render: Callable[[list[Item]], bytes] = _as_csv if as_csv else _as_json
            media_type = CSV if as_csv else JSON

            async def work(seed: Seed | None) -> Reply:
                predicting = self._predicting[loop.config.name]
                return await predicting.answer(call, rows, render, seed, table.base, media_type)

            return await (service.keys.once(seed, work) if seed else work(None))
        except Problem as problem:
            loop.refuse(call, PREDICTIONS, problem, body)
            raise

    def _name(self, call: Call) -> str:
        stated = call.header(b"x-loop")
        if stated is not None:
            return stated.decode("latin-1")
        names = list(self._service.loops)
        if len(names) == 1:
            return names[0]
        self._service.keeper.authenticate(call.headers)
        raise Problem(404, "no-loop", "this service answers for several loops: name one in X-Loop")


def json_rows(loop: OpenLoop, body: bytes) -> Table:
    """The rows of a JSON body.

    Raises:
        Problem: 400 or 422.
    """
    limits = loop.config.serve.limits
    tree = strict(body, limits.max_depth)
    named = [name for name in SHAPES if isinstance(tree, dict) and name in tree]
    if len(named) != 1:
        raise invalid([Fault("", f"must be an object with one of {', '.join(SHAPES)}")])
    shape = named[0]
    others = unknown_fields("", tree, (shape, "params"))
    if others or tree.get("params") not in (None, {}):
        raise invalid(others or [Fault("/params", "the model takes no parameters")])
    said, base = tree[shape], f"/{shape}"
    if shape == "dataframe_split":
        return _split(said, loop, base)
    if shape == "inputs" and isinstance(said, dict):
        return Table(_by_column(said, base), base, lambda i, name: _cell_of(base, i, name))
    if not isinstance(said, list):
        raise invalid([Fault(base, "must be a list of rows")])
    if shape == "instances" and said and all(isinstance(row, list) for row in said):
        return _named(loop.config.features, said, base)
    return Table(said, base)


def _split(said: Any, loop: OpenLoop, base: str) -> Table:
    parts = ("columns", "data", "index")
    if not isinstance(said, dict) or not isinstance(said.get("data"), list):
        raise invalid([Fault(base, "must be an object with the lists columns and data")])
    if others := unknown_fields(base, said, parts):
        raise invalid(others)
    columns = said.get("columns")
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise invalid([Fault(f"{base}/columns", "must be a list of column names")])
    if len(set(columns)) < len(columns):
        raise invalid([Fault(f"{base}/columns", "names a column twice")])
    known = {*loop.rows.columns, *META}
    if wrong := [i for i, name in enumerate(columns) if name not in known]:
        # A name here is a value of the body: it is not repeated.
        raise invalid([Fault(f"{base}/columns/{i}", "names no column of the loop") for i in wrong])
    return _named(columns, said["data"], f"{base}/data")


def _named(names: list[str], lists: list[Any], base: str) -> Table:
    """Rows that came as lists of values."""
    wrong = [
        Fault(f"{base}/{i}", f"must be a list of {len(names)} values")
        for i, row in enumerate(lists)
        if not isinstance(row, list) or len(row) != len(names)
    ]
    if wrong:
        raise invalid(wrong)
    at = {name: i for i, name in enumerate(names)}

    def place(row: int, name: str | None) -> str:
        return f"{base}/{row}/{at[name]}" if name in at else f"{base}/{row}"

    return Table([dict(zip(names, row, strict=True)) for row in lists], base, place)


def _cell_of(base: str, row: int, name: str | None) -> str:
    return base if name is None else f"{base}{pointer(name, row)}"


def _by_column(said: dict[str, Any], base: str) -> list[Any]:
    lists = [value for value in said.values() if isinstance(value, list)]
    if not lists:
        return [said]  # one row
    if len(lists) < len(said) or len({len(values) for values in lists}) > 1:
        raise invalid([Fault(base, "must hold a list of the same length for each column")])
    return [dict(zip(said, row, strict=True)) for row in zip(*lists, strict=True)]


def csv_rows(loop: OpenLoop, body: bytes) -> Table:
    """The rows of a CSV body; without a line of names the model's features are its columns.

    Raises:
        Problem: 400 or 422.
    """
    if not body.strip():
        raise malformed("the body is empty")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("the body is not UTF-8") from None
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error:
        raise malformed("the body is not CSV") from None
    columns = loop.rows.columns
    known = {*columns, *META}
    named = bool(lines) and set(lines[0]) <= known
    names = lines[0] if named else loop.config.features
    lines = lines[1:] if named else lines
    if len(set(names)) < len(names):
        raise invalid([Fault("", "the first line names a column twice")])
    table = _named(names, lines, "")
    rows = [{n: _cell(columns.get(n), text) for n, text in row.items()} for row in table.rows]
    return table._replace(rows=rows)


def _cell(column: Column | None, text: str) -> Any:
    if column is None:
        return text
    if not text:
        return None
    # What is no number stays a text, which the column's check names.
    return float(text) if column.numeric and NUMBER.match(text) else text


def _as_json(items: list[Item]) -> bytes:
    return msgspec.json.encode({"predictions": items})


def _as_csv(items: list[Item]) -> bytes:
    found = io.StringIO()
    writer = csv.writer(found, lineterminator="\n")
    for item in items:
        told: Mapping[str, Any] = msgspec.to_builtins(item)
        writer.writerow([told.get(n) for n in ("score", "prediction", "prediction_id")])
    return found.getvalue().encode()
