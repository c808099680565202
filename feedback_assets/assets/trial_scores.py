"""What a version says of each day's logged rows: scored once, kept in the table `trial_rows`.

Scores depend on features alone, which do not change once they are logged; labels are joined at each
look. So a look costs what the new days cost, whatever is corrected in old ones.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence

import duckdb
import pandas as pd

from feedback_assets.assets.answers import drawn
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.assets.typed import cast_sql
from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.sqltext import idents
from feedback_assets.tables.connection import registered
from feedback_assets.tables.snapshot import PARTITION, Snapshot
from feedback_assets.tables.table import Cause
from feedback_assets.training.onnx_model import OnnxModel

TABLE = "trial_rows"
DAYS_AT_ONCE = 31
"""Days scored for one commit: a bound on memory."""
_ANSWER = {"binary": "BIGINT", "multiclass": "VARCHAR", "regression": "DOUBLE"}


def said_columns(config: Config) -> dict[str, str]:
    """What a model says of a row: column to DuckDB type."""
    classes = config.label.classes if config.label.kind == "multiclass" else []
    return {
        "score": "DOUBLE",
        **{f"score_{name}": "DOUBLE" for name in classes},
        "prediction": _ANSWER[config.label.kind],
    }


def table_columns(config: Config) -> dict[str, str]:
    """Columns of the table and their types."""
    return {
        PARTITION: "VARCHAR",
        "prediction_id": "VARCHAR",
        "model_version": "VARCHAR",
        "model_digest": "VARCHAR",
        "day": "VARCHAR",
        **said_columns(config),
        "made_from": "VARCHAR",
    }


def partition_of(model: ModelVersion, day: str) -> str:
    """Where a version's answers to a day's rows stand.

    A folder's name has no room for more; that the digest is still the same, `made_from` tells.
    """
    return f"v{model.version}_{day}"


def days_since(space: LoopSpace, log: Snapshot, after: dt.datetime) -> list[str]:
    """Partitions of the log with rows that may be younger than a moment, oldest first."""
    grain = space.config.partitions.grain
    return [
        key
        for key, info in log.partitions().items()
        if info.rows and partition_end(grain, key) > after
    ]


def scored(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    model: ModelVersion,
    log: Snapshot,
    days: Sequence[str],
    run_id: str = "",
) -> Snapshot:
    """Have a version score what it has not scored yet of these days.

    Of a day with more than `performance.rows_per_day` rows a share is drawn by a hash of the id.

    Args:
        space: The loop.
        con: A connection.
        model: Who scores.
        log: The prediction log.
        days: Its partitions.
        run_id: The run that asks.

    Returns:
        The table of all scores.

    Raises:
        TrainingError: The model's file is another one, or the log lacks a column that it reads.
    """
    table = space.table(TABLE)
    wanted = {day: identity(space.config, model, log, day) for day in days}
    known = made_from(con, table.snapshot(), [partition_of(model, day) for day in days])
    missing = [
        day for day, digest in wanted.items() if known.get(partition_of(model, day)) != digest
    ]
    if not missing:
        return table.snapshot()
    onnx, columns = model.load(), table_columns(space.config)
    # Provenance is told as a detail, not as an input: an older log is no reason to refuse here,
    # the next look sees by `made_from` that a day must be scored again.
    cause = Cause(run_id, f"{space.name}/canary_report", {}, {"prediction_log": str(log.version)})
    for at in range(0, len(missing), DAYS_AT_ONCE):
        some = missing[at : at + DAYS_AT_ONCE]
        frames = [day_scores(space, con, model, onnx, log, day, wanted[day]) for day in some]
        with registered(con, "fa_scored", pd.concat(frames, ignore_index=True)):
            keys = [partition_of(model, day) for day in some]
            table.replace(con, cast_sql("fa_scored", columns), keys, cause)
    return table.snapshot()


def identity(config: Config, model: ModelVersion, log: Snapshot, day: str) -> str:
    """Digest of all that a day's scores depend on: the model, the rows, how many are drawn."""
    parts = [model.digest, log.partitions()[day].digest, str(config.performance.rows_per_day)]
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def made_from(
    con: duckdb.DuckDBPyConnection, scores: Snapshot, partitions: Sequence[str]
) -> Mapping[str, str]:
    """What each of these partitions was made from, of those that are there."""
    there = scores.partitions()
    kept = [key for key in partitions if key in there and there[key].rows]
    if not kept:
        return {}
    relation = scores.relation(kept, [PARTITION, "made_from"])
    rows = con.execute(
        f"SELECT {PARTITION}, MIN(made_from) FROM {relation} GROUP BY ALL"
    ).fetchall()
    return dict(rows)


def day_scores(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    model: ModelVersion,
    onnx: OnnxModel,
    log: Snapshot,
    day: str,
    digest: str,
) -> pd.DataFrame:
    """One day's rows as the model answers them, with the columns of the table."""
    config = space.config
    features = [name for name in onnx.spec.names if name in log.columns()]
    names = idents(["prediction_id", *features])
    rows = con.execute(
        f"SELECT {names} FROM {log.relation([day])} "
        f"WHERE role <> 'shadow' AND {drawn(config, log, [day])}"
    ).df()
    answers = onnx.score(rows)
    said = {"score": answers.score, "prediction": answers.prediction}
    if answers.class_scores is not None:
        by_class = zip(config.label.classes, answers.class_scores.T, strict=True)
        said |= {f"score_{name}": column for name, column in by_class}
    return pd.DataFrame({"prediction_id": rows["prediction_id"], **said}).assign(
        **{PARTITION: partition_of(model, day)},
        model_version=str(model.version),
        model_digest=model.digest,
        day=day,
        made_from=digest,
    )
