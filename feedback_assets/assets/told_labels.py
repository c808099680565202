"""The labels that people gave, on the way that all feedback takes: files in the landing folder."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_assets.assets.space import LoopSpace
from feedback_assets.capture.feedback import ANSWERS
from feedback_assets.capture.importers.layout import landed_schema
from feedback_assets.config.schema import Config
from feedback_assets.serving.manifest import write_atomically
from feedback_assets.sqltext import idents, literal
from feedback_assets.tables.snapshot import Snapshot


def tell_labels(space: LoopSpace, con: duckdb.DuckDBPyConnection, labels: Snapshot) -> None:
    """Bring the landing folder in line with `review_labels`: one file a day, whole or not at all.

    A crash between the table's commit and its file is mended by the next call.
    """
    folder = space.settings.landing / space.name / "feedback"
    schema = landed_schema(space.config, "feedback")
    for key, info in labels.partitions().items():
        path = folder / f"{ANSWERS}{key}.parquet"
        if not info.rows or told(path) == info.digest:
            continue
        known = [name for name in schema.names if name in labels.columns()]
        spelled = as_the_file_spells(space.config)
        rows = con.sql(
            f"""SELECT {idents(known)} FROM (SELECT * {spelled} FROM {labels.relation([key])}) AS labels
                WHERE partition_key = {literal(key)} ORDER BY event_id"""
        ).to_arrow_table()
        blank = {name: pa.nulls(rows.num_rows, schema.field(name).type) for name in schema.names}
        columns = [rows[name] if name in known else blank[name] for name in schema.names]
        marked = pa.table(columns, names=schema.names).cast(schema)
        buffer = pa.BufferOutputStream()
        pq.write_table(marked.replace_schema_metadata({"digest": info.digest}), buffer)
        write_atomically(path, buffer.getvalue().to_pybytes())


def as_the_file_spells(config: Config) -> str:
    """SQL that replaces `value` by how the loop's files spell it: `label.positive` is read as 1."""
    if config.label.kind != "binary":
        return ""
    positive = config.label.positive
    negative = "false" if positive.strip() == "0" else "0"
    words = f"CASE value WHEN '1' THEN {literal(positive)} ELSE {literal(negative)} END"
    return f"REPLACE ({words} AS value)"


def told(path: Path) -> str:
    """The digest of the labels that a file holds; empty where there is none."""
    if not path.exists():
        return ""
    found = pq.read_schema(path).metadata or {}
    return found.get(b"digest", b"").decode()
