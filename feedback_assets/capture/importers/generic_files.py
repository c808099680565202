"""Files of plain columns: read, typed and told apart by DuckDB, many rows at a time."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from feedback_assets.capture.convert import Fault, convert, fault, first_fault
from feedback_assets.capture.files import SourceFile, format_of
from feedback_assets.capture.importers.chunks import Chunk, moment_us, record_key
from feedback_assets.capture.importers.growing import whole_lines
from feedback_assets.capture.importers.json_text import shown
from feedback_assets.capture.importers.layout import BROKEN, LINE, Layout
from feedback_assets.capture.importers.reading import UNREADABLE, Place, is_parquet, may_pass
from feedback_assets.capture.plan import Field
from feedback_assets.capture.readers import BROKEN as RAW_BROKEN
from feedback_assets.capture.readers import LINE as RAW_LINE
from feedback_assets.capture.readers import ROW, STREAM, Opened, first_line, open_file
from feedback_assets.config.schema import Config
from feedback_assets.errors import SourceError
from feedback_assets.sqltext import ident, literal

_BATCH = 16_384
_SQL = {"number": "DOUBLE", "text": "VARCHAR", "time": "TIMESTAMPTZ"}
_CSV_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_SECRET = ("authorization", "headers", "cookie", "metadata")


def take(
    con: duckdb.DuckDBPyConnection, chunk: Chunk, file: SourceFile, scratch: Path, now: dt.datetime
) -> None:
    """Read a file, committing whenever the chunk is full."""
    file_us = moment_us(file.modified)
    whole, again = file, False
    with ExitStack() as stack:
        batches: Iterator[pa.Table] = iter(())
        try:
            if not is_parquet(file):
                whole, again = stack.enter_context(whole_lines(file, scratch, now))
            batches = _rows(con, chunk.layout, whole, file_us)
        except OSError as error:
            batches = iter([_problem(chunk.layout, file, whole, error, file_us)])
            again = True
        while True:
            try:  # only what the file does is caught: an error of the commit is none of its
                batch = next(batches, None)
            except duckdb.OutOfMemoryException as error:
                raise SourceError(f"{file.name}: {first_line(error)}; raise the memory") from error
            except (SourceError, duckdb.Error, *UNREADABLE) as error:
                batch = _problem(chunk.layout, file, whole, error, file_us)
                batches = iter(())
                again = again or may_pass(error)
            if batch is None:
                break
            _add(chunk, batch)
            if chunk.full:
                chunk.commit()
    chunk.counts.unfinished += again
    chunk.reached(file, Place(), complete=not again)


def _problem(
    layout: Layout, file: SourceFile, whole: SourceFile, error: BaseException, file_us: int
) -> pa.Table:
    words = str(error) if isinstance(error, SourceError) else _unreadable(error)
    words = words.replace(str(whole.path), file.name)
    return _refused(layout, words, shown({"file": file.name}), file_us, file.name)


def _unreadable(error: BaseException) -> str:
    row = _CSV_ROW.search(str(error))
    if row:  # Arrow calls no handler for a row that is not UTF-8, and its words hold the row
        return (
            f"the file cannot be read: row {row[1]} has {row[3]} values, not {row[2]}, in no UTF-8"
        )
    return f"the file cannot be read: {first_line(error)}"


def _add(chunk: Chunk, batch: pa.Table) -> None:
    """Take the rows of a batch that did not come before."""
    counts = chunk.counts
    keys = [bytes.fromhex(key) for key in batch.column("#key").to_pylist()]
    known = chunk.store.seen(keys)
    known |= chunk.recent
    keep: list[bool] = []
    for key in keys:
        keep.append(key not in known)
        known.add(key)
    counts.records += len(keys)
    counts.repeated += keep.count(False)
    rows = batch.filter(pa.array(keep, pa.bool_())).drop_columns(["#key"])
    reasons = rows.column(BROKEN)
    for entry in pc.value_counts(reasons.drop_null()).to_pylist():
        counts.refuse(entry["values"], entry["counts"])
        counts.refused += entry["counts"]
    counts.rows += reasons.null_count
    counts.landed += reasons.null_count
    chunk.add_table(rows, [key for key, new in zip(keys, keep, strict=True) if new])


def _rows(
    con: duckdb.DuckDBPyConnection, layout: Layout, file: SourceFile, file_us: int
) -> Iterator[pa.Table]:
    form = "parquet" if is_parquet(file) else format_of(file.path) or "jsonl"
    if form == "parquet" and not is_parquet(file):
        raise SourceError("the file cannot be read: it does not begin as Parquet does")
    file = SourceFile(file.name, file.path, file.size, file.mtime_ns, form)
    fields = _fields(layout)
    opened = open_file(con, file, list(dict.fromkeys(f.column for f in fields if f.column)))
    if opened.stream is not None:
        con.register(STREAM, opened.stream)
    try:
        reader = con.sql(_query(layout, opened, fields, file_us)).to_arrow_reader(_BATCH)
        shape = pa.schema([*layout.schema, ("#key", pa.string())])
        for batch in reader:
            yield pa.Table.from_batches([batch]).select(shape.names).cast(shape)
    finally:
        if opened.stream is not None:
            con.unregister(STREAM)
    for reject in opened.rejects:
        text = shown((reject.text or "").encode("utf-8", errors="replace"))
        where = f"{file.name}:{reject.row}:{reject.text or ''}"
        yield _refused(layout, reject.reason, text, file_us, where)


def _fields(layout: Layout) -> list[Field]:
    """Return the landed columns and where the loop's YAML, or the column map, finds them."""
    config = layout.config
    theirs = {ours: name for name, ours in layout.map.items()}
    usual = _feedback_names(config) if layout.kind == "feedback" else _prediction_names(config)
    kinds = {"double": "number", "string": "text"}
    return [
        Field(
            column.name,
            theirs.get(column.name) or usual.get(column.name) or column.name,
            kinds.get(str(column.type), "time"),  # type: ignore[arg-type]
        )
        for column in layout.schema
        if not column.name.startswith("#")
    ]


def _feedback_names(config: Config) -> dict[str, str | None]:
    c = config.source.feedback.columns
    return {
        "event_id": c.event_id, "prediction_id": c.prediction_id, "kind": c.kind,
        "value": c.value, "source": c.source, "event_time": c.event_time,
        "received_time": c.received_time, "confidence": c.confidence, "principal": c.principal,
    }  # fmt: skip


def _prediction_names(config: Config) -> dict[str, str | None]:
    c = config.columns
    names = {
        "prediction_id": c.id, "event_time": c.event_time, "received_time": c.received_time,
        "model_version": c.model_version, "role": c.role, "propensity": c.propensity,
        "score": c.score, "prediction": c.prediction,
    }  # fmt: skip
    return names | {f"score_{cls}": column for cls, column in c.class_scores.items()}


def _query(layout: Layout, opened: Opened, fields: list[Field], file_us: int) -> str:
    """Return SQL of the landed columns, and of the key that tells a row from others."""
    faults: list[Fault] = []
    typed: list[str] = [ROW, RAW_BROKEN, RAW_LINE]
    for one in fields:
        dtype = opened.columns.get(one.column or "")
        if dtype is None or one.column is None:
            typed.append(f"CAST(NULL AS {_SQL[one.kind]}) AS {ident(one.name)}")
            continue
        done = convert(one.kind, ident(one.column), dtype, one.column)
        faults += done.faults
        typed.append(f"{done.value} AS {ident(one.name)}")
    values = ", ".join(
        f"{literal(n)}, left(CAST({ident(n)} AS VARCHAR), 500)" for n in opened.columns if _open(n)
    )
    typed.append(f'{first_fault(faults)} AS "#fault"')
    typed.append(f'CAST(json_object({values}) AS VARCHAR) AS "#text"')
    inner = f"SELECT {', '.join(typed)} FROM ({opened.sql})"
    moment = f"make_timestamptz({file_us})"
    good = f'coalesce({RAW_BROKEN}, "#fault", {first_fault(_missing(layout))})'
    judged = f'SELECT *, {good} AS "#reason" FROM ({inner})'
    received = f"coalesce(received_time, event_time, {moment})"
    if layout.kind == "feedback":
        received = f"coalesce(received_time, {moment})"
    own = {
        "received_time": received,
        "event_time": f"coalesce(event_time, {received})",
        "kind": "coalesce(lower(trim(kind)), 'label')",
    }
    names = [one.name for one in fields]
    columns = [f"{own.get(n, ident(n))} AS {ident(n)}" for n in names]
    columns.append(f'"#reason" AS {ident(BROKEN)}')
    line = f'left(coalesce({RAW_LINE}, "#text"), 500)'
    columns.append(f'CASE WHEN "#reason" IS NOT NULL THEN {line} END AS {ident(LINE)}')
    columns.append(f'{_key(layout, names)} AS "#key"')
    return f"SELECT {', '.join(columns)} FROM ({judged})"


def _open(name: str) -> bool:
    return not any(word in name.lower() for word in _SECRET)


def _missing(layout: Layout) -> list[Fault]:
    words = "{0} is missing; a column of another name is given by the column map"
    needed = ["prediction_id"]
    needed.append("value" if layout.kind == "feedback" else "event_time")
    found = [fault(f"{ident(n)} IS NULL", words.format(n)) for n in needed]
    if layout.kind == "feedback":
        found[1] = fault(
            "value IS NULL AND coalesce(lower(trim(kind)), '') <> 'rejection'",
            words.format("value"),
        )
    return found


def _key(layout: Layout, names: list[str]) -> str:
    """Return SQL of 32 hexadecimal digits: of the id, or of all that a row without one says."""
    texts = [f"CAST({ident(n)} AS VARCHAR)" for n in names]
    # Each part carries its length, so that no two rows can read alike.
    sized = ", ".join(f"coalesce(concat(length({t}), ':', {t}), '-')" for t in texts)
    refused = f"md5(concat('refused:', \"#reason\", {sized}, coalesce(\"#text\", '')))"
    content = f"md5(concat('row:', {sized}))"
    own = "event_id" if layout.kind == "feedback" else "prediction_id"
    return (
        f"CASE WHEN {RAW_BROKEN} IS NOT NULL THEN md5(concat('line:', {RAW_LINE})) "
        f'WHEN "#reason" IS NOT NULL THEN {refused} WHEN {own} IS NULL THEN {content} '
        f"ELSE md5(concat('id:', {own})) END"
    )


def _refused(layout: Layout, reason: str, text: str, file_us: int, where: str) -> pa.Table:
    """Return one refused row."""
    row: dict[str, object] = dict.fromkeys(layout.schema.names)
    row |= {"event_time": file_us, "received_time": file_us, BROKEN: reason, LINE: text}
    columns = [pa.array([row[field.name]], field.type) for field in layout.schema]
    key = record_key("refused", reason, where).hex()
    shape = pa.schema([*layout.schema, ("#key", pa.string())])
    return pa.Table.from_arrays([*columns, pa.array([key])], schema=shape)
