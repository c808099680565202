"""What gates need to know of a candidate beside its evaluation."""

import datetime as dt
from collections.abc import Sequence

import duckdb

from feedback_assets.assets.contract import inspect
from feedback_assets.assets.label_audit import label_audit
from feedback_assets.assets.models import ModelVersion
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_key_of, partition_range
from feedback_assets.config.schema import Config
from feedback_assets.promotion.checked import GateFacts, finite
from feedback_assets.training.onnx_model import OnnxModel

INPUT_TYPES = {
    "numeric": "tensor(float)",
    "categorical": "tensor(string)",
    "text": "tensor(string)",
}


def gate_facts(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, candidate: ModelVersion, now: dt.datetime
) -> GateFacts:
    """Parity, inputs, contract of its days and audited labels of a candidate.

    Args:
        space: The loop.
        con: A connection.
        candidate: The version to be judged.
        now: Nothing received later counts.
    """
    days, asked = concerned(space, candidate), space.config.gate
    known = min(now, candidate.as_of)
    return GateFacts(
        parity=finite(candidate.manifest.get("parity")),
        columns_problem=columns_problem(space.config, candidate.load()),
        data_problems=data_problems(space, con, days, known) if asked.data else None,
        label_audit=label_audit(space, con, now, days) if asked.label_quality else None,
    )


def concerned(space: LoopSpace, candidate: ModelVersion) -> list[str]:
    """The days of predictions that a candidate learned from or is judged on."""
    start = dt.datetime.fromisoformat(candidate.manifest["train_start"])
    first = partition_key_of(space.config.partitions.grain, start)
    return sorted(key for key in candidate.manifest["pool"]["partitions"] if key >= first)


def columns_problem(config: Config, model: OnnxModel) -> str:
    """How a model's inputs differ from the declared features in name, order or kind.

    Whoever serves the file without this project gives it the columns by position: a model that
    reads them in another order would answer, and be wrong.

    Returns:
        Empty if they do not differ.
    """
    declared = [(name, config.columns.kind_of(name)) for name in config.features]
    stated = [(name, kind) for name, kind in model.spec.features]
    if stated != declared:
        return f"the model says that it reads {_listed(stated)}; declared is {_listed(declared)}"
    read = [(entry.name, str(entry.type)) for entry in model.session.get_inputs()]
    wanted = [(name, INPUT_TYPES[kind]) for name, kind in declared]
    if read != wanted:
        return f"the ONNX graph reads {_listed(read)}; declared is {_listed(wanted)}"
    return ""


def data_problems(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, days: list[str], until: dt.datetime
) -> tuple[str, ...] | None:
    """What breaks the contract on some days of predictions, and in the feedback since the first.

    The checks of the runs that wrote these days are not asked: a day may have been written again
    since, and a check that nobody ran says nothing.

    Args:
        space: The loop.
        con: A connection.
        days: Partitions of the predictions.
        until: The day of the newest feedback that counts.

    Returns:
        None where there are no days.
    """
    if not days:
        return None
    grain = space.config.partitions.grain
    heard = partition_range(grain, days[0], max(partition_key_of(grain, until), days[0]))
    return (
        *_missing(space, days),
        *inspect(space, con, "prediction_log", days).problems,
        *inspect(space, con, "feedback_events", heard).problems,
    )


def _missing(space: LoopSpace, days: list[str]) -> list[str]:
    known = space.table("prediction_log").snapshot().partitions()
    return [f"{day}: prediction_log was never materialized" for day in days if day not in known]


def _listed(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in columns)
