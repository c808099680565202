"""Rows that the champion is sure of, with its answer for their label: to train on, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.materialize import partitioned_result
from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.space import LoopSpace, follows
from feedback_assets.assets.typed import cast_sql
from feedback_assets.clock import Clock
from feedback_assets.config.review import Automatic
from feedback_assets.config.schema import Config
from feedback_assets.labels.automatic import Threshold, calibrate
from feedback_assets.labels.judges import audited_sql
from feedback_assets.labels.older import EVENT, with_columns
from feedback_assets.performance.metrics import class_codes
from feedback_assets.sqltext import ident, idents, instant, literals
from feedback_assets.tables.connection import connect, registered
from feedback_assets.training.onnx_model import OnnxModel

DESCRIPTION = """Predictions of {title} without a label that the champion is sure of.

The chance from which on it is sure is found for each class on rows that people audited and it was not
trained on: of its answers there at least {precision:.1%} are right, at the lower end of an exact interval.
These labels are no feedback: the labeled pool takes them with little weight for training, and no metric,
gate or trial ever sees them."""
AUTOMATIC_COLUMNS = {
    "partition_key": "VARCHAR", "prediction_id": "VARCHAR", "label": "VARCHAR", "score": "DOUBLE",
    "model_version": "VARCHAR", "threshold": "DOUBLE", "precision_lower": "DOUBLE",
    "labelled_at": "TIMESTAMPTZ",
}  # fmt: skip


@dataclass(frozen=True)
class Sure:
    """From which chance on a model's answers stand for labels, and why nothing does if so."""

    model: ModelVersion | None
    onnx: OnnxModel | None
    thresholds: tuple[Threshold, ...]
    words: str


def automatic_labels(space: LoopSpace) -> dg.AssetsDefinition:
    """The asset `[loop, automatic_labels]`, partitioned by prediction time.

    Raises:
        ValueError: The loop's file has no `review.automatic`.
    """
    asked = space.config.review.automatic
    if asked is None:
        raise ValueError(f"{space.name} asks for no automatic labels (review.automatic)")

    @dg.asset(
        deps=[space.key("feedback_table")],
        partitions_def=space.partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(space.config.partitions.chunk),
        automation_condition=follows(),
        **space.attributes(
            "automatic_labels",
            DESCRIPTION.format(title=space.config.title, precision=asked.precision),
            {"deltalake", "onnx"},
        ),
    )
    def _automatic_labels(
        context: dg.AssetExecutionContext, clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        keys = list(context.partition_keys)
        source = space.table("feedback_table").snapshot()
        with connect(space.settings) as con:
            sure = sure_of(space, con, asked, clock)
            frames = [sure_rows(space, con, sure, key) for key in keys]
            found = pd.concat(frames, ignore_index=True).assign(labelled_at=clock.now())
            with registered(con, "fa_automatic", found):
                snapshot = space.table("automatic_labels").replace(
                    con,
                    cast_sql("fa_automatic", AUTOMATIC_COLUMNS),
                    keys,
                    space.cause(context, {"feedback_table": source.version}),
                )
            told = {"why": sure.words, "thresholds": table(space.config, sure.thresholds)}
            return partitioned_result(context, space, snapshot, con, extra=told)

    return _automatic_labels


def sure_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, asked: Automatic, clock: Clock
) -> Sure:
    """The champion's thresholds by the audited rows that it was not trained on."""
    config, model = space.config, champion(space)
    if config.label.kind == "regression":
        return Sure(
            model, None, (), "a number is never surely right: nothing is labelled automatically"
        )
    if model is None:
        return Sure(None, None, (), "there is no model in production yet")
    rows, onnx = audited(space, con, model, clock), model.load()
    answer, chance, _ = answered(config, onnx, rows)
    truth = rows["value"].astype(str).to_numpy(dtype=object)
    right = np.array(classes(config), dtype=object)[answer] == truth
    found = calibrate(answer, chance, right, asked.precision, asked.min_audited)
    words = f"{len(rows):,} audited rows that version {model.version} was not trained on"
    if not found:
        words += f" do not show {asked.precision:.1%} right answers from any chance on"
    return Sure(model, onnx, found, words)


def audited(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, model: ModelVersion, clock: Clock
) -> pd.DataFrame:
    """Audited predictions younger than the model's training rows: `value` and what the model reads.

    The newest audit of a prediction counts.
    """
    config = space.config
    names = ["prediction_id", *config.features]
    log, events = (
        space.table("prediction_log").snapshot(),
        space.table("feedback_events").snapshot(),
    )
    if log.version < 0 or events.version < 0:
        return pd.DataFrame(columns=[*names, "value"])
    read = ["prediction_id", "kind", "value", "source", "received_time", "event_id", "principal"]
    have = events.columns()
    said = with_columns(
        events.relation(None, [name for name in read if name in have]),
        have,
        {"principal": EVENT["principal"]},
    )
    rows = log.relation(None, [*names, "event_time", "role"])
    return con.execute(
        f"""
        WITH audits AS (
          SELECT prediction_id, value, ROW_NUMBER() OVER (
            PARTITION BY prediction_id ORDER BY received_time DESC, event_id DESC
          ) AS place
          FROM {said} AS e
          WHERE {audited_sql('source', 'principal')} AND kind IN ('label', 'correction') AND value IS NOT NULL
            AND received_time <= {instant(clock.now())}
        )
        SELECT {", ".join(f"p.{ident(name)}" for name in names)}, audits.value
        FROM audits JOIN {rows} AS p ON p.prediction_id = audits.prediction_id
        WHERE place = 1 AND p.role <> 'shadow' AND p.event_time > {instant(model.train_end)}
        ORDER BY p.prediction_id
        """
    ).df()  # fmt: skip


def sure_rows(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, sure: Sure, key: str
) -> pd.DataFrame:
    """One day's rows without a label whose answer the model is sure of."""
    if sure.model is None or sure.onnx is None or not sure.thresholds:
        return pd.DataFrame(columns=list(AUTOMATIC_COLUMNS))
    config, source = space.config, space.table("feedback_table").snapshot()
    rows = con.execute(
        f"""SELECT {idents(["prediction_id", *config.features])} FROM {source.relation([key])}
            WHERE partition_key IN ({literals([key])}) AND role <> 'shadow'
              AND label_status = 'pending' ORDER BY prediction_id"""
    ).df()
    answer, chance, score = answered(config, sure.onnx, rows)
    names = classes(config)
    least, lower = np.full(len(names), np.inf), np.zeros(len(names))
    for one in sure.thresholds:
        least[one.answer], lower[one.answer] = one.threshold, one.precision_lower
    kept = chance >= least[answer]
    return pd.DataFrame(
        {
            "partition_key": key,
            "prediction_id": rows["prediction_id"][kept],
            "label": np.array(names, dtype=object)[answer[kept]],
            "score": score[kept],
            "model_version": str(sure.model.version),
            "threshold": least[answer[kept]],
            "precision_lower": lower[answer[kept]],
        }
    )


def classes(config: Config) -> list[str]:
    """The label's classes in their one spelling."""
    return ["0", "1"] if config.label.kind == "binary" else list(config.label.classes)


def answered(
    config: Config, model: OnnxModel, rows: pd.DataFrame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Position of the class the model names, the chance it gives to it, and its score [n]."""
    said = model.score(rows)
    if config.label.kind == "binary":
        answer = said.prediction.astype(np.int64)
        return answer, np.where(answer == 1, said.score, 1 - said.score), said.score
    return class_codes(said.prediction, config.label.classes), said.score, said.score


def table(config: Config, thresholds: Sequence[Threshold]) -> dg.TableMetadataValue:
    """The thresholds for people."""
    names = classes(config)
    columns = ["answer", "from chance", "audited", "right", "surely right"]
    records = [
        dg.TableRecord(
            dict(
                zip(
                    columns,
                    (names[t.answer], t.threshold, t.audited, t.right, t.precision_lower),
                    strict=True,
                )
            )
        )
        for t in thresholds
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in columns])
    return dg.MetadataValue.table(records=records, schema=schema)
