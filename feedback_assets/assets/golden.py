"""Questions whose answer is known, to see how well people answer."""

import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from feedback_assets.assets.review_rows import columns_of
from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import ReviewError
from feedback_assets.review.store import ReviewStore
from feedback_assets.review.values import recorded
from feedback_assets.sqltext import idents, literal
from feedback_assets.tables.connection import registered
from feedback_assets.tables.table import Snapshot

READERS = {
    ".csv": "read_csv({path}, all_varchar = true)",
    ".jsonl": "read_json({path}, format = 'newline_delimited')",
    ".parquet": "read_parquet({path})",
}
PLACES = "golden_places"
"""Name of the fact in which the store keeps where rows with known answers lie."""


@dataclass(frozen=True)
class Golden:
    """Rows whose label is known for sure."""

    known: dict[str, str]
    """Row (prediction id) to its label in the one spelling."""
    path: Path | None = None


def golden(space: LoopSpace, con: duckdb.DuckDBPyConnection) -> Golden:
    """The known answers of `review.golden`; none if the file names none.

    Raises:
        ReviewError: The file is not there, has other columns, or a label that is none.
    """
    text = space.config.review.golden
    if text is None:
        return Golden({})
    path = Path(text.replace("{home}", str(space.settings.root)))
    rows = _read(con, path)
    known: dict[str, str] = {}
    for name, label in zip(rows["prediction_id"], rows["label"], strict=True):
        try:
            value = recorded(space.config.label, label)
        except ReviewError as error:
            raise ReviewError(f"{path}, prediction_id {name}: {error}") from error
        if known.setdefault(name, value) != value:
            raise ReviewError(f"{path}: prediction_id {name} has two labels; keep the right one")
    return Golden(known, path)


def golden_rows(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    store: ReviewStore,
    sure: Golden,
    day: str,
    count: int,
    salt: str,
) -> pd.DataFrame:
    """Rows with known answers to ask about, those first that were asked the fewest times.

    Args:
        space: The loop.
        con: A connection.
        source: The feedback table.
        store: What was asked before.
        sure: The known answers.
        day: The batch that they are for.
        count: How many are wanted.
        salt: What decides between rows that were asked as often.
    """
    names = columns_of(space.config, source)
    if not count or not sure.known:
        return pd.DataFrame(columns=names)
    places, uses = _places(con, source, store, sure), store.asked(but=day)
    wanted = pd.DataFrame({"id": list(places), "uses": [uses.get(name, 0) for name in places]})
    keys = sorted(set(places.values()) & source.partitions().keys())
    with registered(con, "fa_golden", wanted.astype({"id": "string", "uses": "int64"})):
        return con.execute(
            f"""SELECT {idents(names)} FROM {source.relation(keys, [*names, "role"])} AS seen
                JOIN fa_golden ON fa_golden.id = seen.prediction_id WHERE role <> 'shadow'
                ORDER BY uses, MD5(CONCAT({literal(salt)}, id)), id LIMIT {count}"""
        ).df()


def _places(
    con: duckdb.DuckDBPyConnection, source: Snapshot, store: ReviewStore, sure: Golden
) -> dict[str, str]:
    """Row to its partition, of the rows with known answers that came; found ones are remembered."""
    held: dict[str, str] = json.loads(store.recall(PLACES) or "{}")
    missing = pd.DataFrame({"id": sorted(sure.known.keys() - held.keys())}, dtype="string")
    if len(missing):
        with registered(con, "fa_missing", missing):
            relation = source.relation(None, ["partition_key", "prediction_id"])
            query = f"""SELECT id, partition_key FROM fa_missing JOIN {relation} AS seen
                        ON seen.prediction_id = fa_missing.id"""
            found: dict[str, str] = dict(con.execute(query).fetchall())
        held = {name: held[name] for name in sorted(sure.known.keys() & held.keys())} | found
        store.remember(PLACES, json.dumps(held))
    return {name: key for name, key in held.items() if name in sure.known}


def _read(con: duckdb.DuckDBPyConnection, path: Path) -> pd.DataFrame:
    reader = READERS.get(path.suffix)
    if reader is None or not path.is_file():
        raise ReviewError(
            f"review.golden is {path}: name a file that is there and ends in {', '.join(READERS)}"
        )
    try:
        return con.execute(
            f"""SELECT CAST(prediction_id AS VARCHAR) AS prediction_id, CAST(label AS VARCHAR) AS label
                FROM {reader.format(path=literal(str(path)))} WHERE prediction_id IS NOT NULL"""
        ).df()
    except duckdb.Error as error:
        raise ReviewError(
            f"{path}: it must have the columns prediction_id and label: {error}"
        ) from error
