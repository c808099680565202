"""What a version takes along beside its ONNX file, so that it can be watched in production."""

import io
import json

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from feedback_assets.assets.models import NOVELTY
from feedback_assets.assets.worth import with_worth
from feedback_assets.config.schema import Config
from feedback_assets.drift.bins import Kind
from feedback_assets.drift.concept import ConceptReference, concept_reference
from feedback_assets.drift.profile import ReferenceProfile, Role, build
from feedback_assets.drift.text import VOCABULARY, derived_names, text_relation, vocabulary_sql
from feedback_assets.performance.estimate import EXPECTED_ERROR, Estimator
from feedback_assets.performance.metrics import class_codes, floats, losses
from feedback_assets.performance.shift import held_sample
from feedback_assets.querying.novelty import Novelty
from feedback_assets.tables.connection import registered
from feedback_assets.training.error_model import expected_error, fit_error_model
from feedback_assets.training.onnx_model import OnnxModel

Floats = npt.NDArray[np.float64]
ROLES: dict[str, Role] = {"score": "score", "prediction": "prediction", "label": "label"}


def companions(
    config: Config, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, held: pd.DataFrame
) -> dict[str, bytes]:
    """Files of a version's folder by name.

    `reference.json`: the training data as counts; `reference_sample.parquet`: some of its rows;
    `estimator.json`, `held_sample.parquet` and, for regression, `error_model.onnx`: what estimates
    performance before labels arrive; `concept.json`: how losses differ from that on held-out rows;
    `novelty.npz`: how far a row lies from the training data; `vocabulary.parquet` where there is text.

    Args:
        config: The loop.
        con: A connection.
        rows: Training rows with the version's own answers.
        held: Held-out rows with the version's own answers.
    """
    made: dict[str, bytes] = {}
    held = with_worth(config, con, held)
    if config.label.kind == "regression":
        error_model = fit_error_model(held, config)
        if error_model is not None:
            made["error_model.onnx"] = error_model.content
            held = held.assign(**{EXPECTED_ERROR: error_model.out_of_fold})
            rows = with_error(OnnxModel.load(error_model.content), rows)
    estimator = Estimator.fit(config, held)
    made["estimator.json"] = estimator.to_json().encode()
    made["held_sample.parquet"] = _parquet(held_sample(config, held))
    if config.columns.text:
        words = vocabulary_of(config, con, rows)
        made["vocabulary.parquet"] = _parquet(words)
        rows = with_derived(config, con, rows, words)
    concept = concept_of(config, estimator, held)
    if concept is not None:
        made["concept.json"] = json.dumps(concept.to_dict(), allow_nan=False).encode()
    made[NOVELTY] = Novelty.fit(config, rows).to_bytes()
    profile = reference_of(config, rows, estimator.expected_loss(rows))
    made["reference.json"] = profile.to_json().encode()
    made["reference_sample.parquet"] = _parquet(rows.head(config.drift.page_rows))
    return made


def reference_of(config: Config, rows: pd.DataFrame, losses: Floats) -> ReferenceProfile:
    """The training data as counts: what every later day is compared with."""
    columns = config.columns
    kinds: dict[str, Kind] = {
        name: columns.kind_of(name) for name in [*columns.features, *columns.carried]
    }
    answer: Kind = "numeric" if config.label.kind == "regression" else "categorical"
    kinds |= dict.fromkeys(derived_names(columns.text), "numeric")
    kinds |= {"score": "numeric", "prediction": answer, "label": answer}
    return build(
        {name: rows[name] for name in kinds},
        kinds,
        config.drift,
        ROLES,
        rows["partition_key"],
        segments={name: rows[name] for name in columns.segments},
        losses=losses,
    )


def concept_of(config: Config, estimator: Estimator, held: pd.DataFrame) -> ConceptReference | None:
    """How the loss of held-out rows differs from what their scores promise; None if too few."""
    found, expected = loss_and_expected(config, estimator, held)
    return concept_reference(found, expected, config.drift, held["partition_key"])


def loss_and_expected(
    config: Config, estimator: Estimator, rows: pd.DataFrame
) -> tuple[Floats, Floats]:
    """Loss of each row and what its calibrated score expects [rows]; NaN without a label."""
    expected = estimator.expected_loss(rows)
    label, scores = rows["label"], floats(rows["score"])
    if config.label.kind == "multiclass":
        names = [f"score_{c}" for c in config.label.classes]
        scores = rows[names].to_numpy(np.float64, na_value=np.nan)
        label = pd.Series(class_codes(rows["label"], config.label.classes), index=rows.index)
    found = np.full(len(rows), np.nan)
    known = np.isfinite(floats(label)) & np.isfinite(expected)
    if config.label.kind == "multiclass":
        known &= label.to_numpy() >= 0
    if known.any():
        found[known] = losses(
            config.label.kind,
            estimator.loss_metric,
            floats(label)[known],
            scores[known],
            config.label.threshold,
        )
    return found, expected


def with_error(error_model: OnnxModel | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the absolute error that the error model expects, where there is one."""
    if error_model is None or rows.empty:
        return rows
    return rows.assign(**{EXPECTED_ERROR: expected_error(error_model, rows)})


def vocabulary_of(
    config: Config, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame
) -> pd.DataFrame:
    """The words of the training rows' texts that occur more than once."""
    with registered(con, "fa_texts", rows[["prediction_id", *config.columns.text]]):
        found = con.execute(vocabulary_sql("fa_texts", config.columns.text)).df()
    return found[list(VOCABULARY)]


def with_derived(
    config: Config, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, words: pd.DataFrame
) -> pd.DataFrame:
    """Rows with the columns that are derived of texts."""
    names = ["prediction_id", *config.columns.text]
    with registered(con, "fa_texts", rows[names]), registered(con, "fa_vocabulary", words):
        relation = text_relation("fa_texts", config.columns.text, "fa_vocabulary", names)
        found = con.execute(f"SELECT * FROM {relation} AS derived").df()
    derived = found.set_index("prediction_id")[derived_names(config.columns.text)]
    return rows.join(derived, on="prediction_id")


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), buffer)
    return buffer.getvalue()
