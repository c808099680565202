"""The rows that people could be asked about, and what is known of each."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from feedback_assets.assets.models import ModelVersion, champion
from feedback_assets.assets.regions import drifted_regions
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.grain import partition_end
from feedback_assets.config.schema import Config
from feedback_assets.querying.candidates import Candidates
from feedback_assets.querying.committee import Committee
from feedback_assets.querying.space import FeatureSpace
from feedback_assets.review.past import Earlier
from feedback_assets.sqltext import idents, instant, literal, literals
from feedback_assets.tables.connection import registered
from feedback_assets.tables.table import Snapshot
from feedback_assets.training.onnx_model import Scores

Floats = npt.NDArray[np.float64]

COMMITTEE_ROWS = 5_000
"""Labelled rows that a committee learns from."""


@dataclass(frozen=True)
class Rows:
    """Rows that could be asked about, with what the champion says of them."""

    frame: pd.DataFrame
    """n rows in the order of their ids: `partition_key`, `prediction_id`, `event_time`,
    `label_status`, features and carried columns."""
    eligible: int
    """Rows of which these were drawn evenly; n if none was left out."""
    scores: Scores | None
    """The champion's answers [n]; None before the first champion."""
    model: ModelVersion | None
    candidates: Candidates


def asking_window(config: Config, now: dt.datetime) -> dt.datetime:
    """The oldest event time that is asked about: its answer must still come in time to be joined."""
    review, horizon = config.review, config.label.max_delay_days
    days = min(review.lookback_days or horizon, horizon)
    return now - dt.timedelta(days=days) + dt.timedelta(minutes=review.lease_minutes)


def rows_to_ask(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    now: dt.datetime,
    earlier: Earlier,
    salt: str,
) -> Rows:
    """The rows that could be asked about now, whatever feedback there is of them.

    The audit draws evenly from all of them; strategies leave alone those whose label is known and
    those that a strategy asked about before.

    Args:
        space: The loop.
        con: A connection.
        source: The feedback table.
        now: The present.
        earlier: What was asked before.
        salt: Of more rows than `review.candidates` it decides which are looked at.
    """
    frame, eligible = _drawn(space.config, con, source, now, earlier, salt)
    model = champion(space)
    scores = model.load().score(frame) if model is not None and len(frame) else None
    for_audit = (frame["label_status"] == "accepted") | frame["prediction_id"].isin(earlier.asked)
    candidates = replace(
        _candidates(space, con, source, frame, scores, model),
        audit_only=for_audit.to_numpy(dtype=bool),
    )
    return Rows(frame, eligible, scores, model, candidates)


def columns_of(config: Config, source: Snapshot) -> list[str]:
    """The columns of the feedback table that a question is made from."""
    names = ["partition_key", "prediction_id", "event_time", "label_status"]
    names += [*config.columns.features, *config.columns.carried]
    return [name for name in dict.fromkeys(names) if name in source.columns()]


def segments_of(config: Config, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The columns that `stratified` covers [n]; None if the file names none."""
    names = config.review.by or config.columns.segments
    return frame[names] if names else None


def probabilities_of(config: Config, scores: Scores | None) -> Floats | None:
    """The champion's probability of each class [n, k]; None of a regression or without champion."""
    if scores is None or config.label.kind == "regression":
        return None
    if scores.class_scores is not None:
        return scores.class_scores
    return np.column_stack([1 - scores.score, scores.score])


def _drawn(
    config: Config,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    now: dt.datetime,
    earlier: Earlier,
    salt: str,
) -> tuple[pd.DataFrame, int]:
    oldest = asking_window(config, now)
    grain, names = config.partitions.grain, columns_of(config, source)
    keys = [
        key
        for key, info in source.partitions().items()
        if info.rows and partition_end(grain, key) > oldest
    ]
    relation = source.relation(keys, [*names, "role"])
    left_out = pd.DataFrame({"prediction_id": pd.Series(sorted(earlier.over), dtype="string")})
    with registered(con, "fa_over", left_out):
        frame = con.execute(
            f"""SELECT {idents(names)}, COUNT(*) OVER () AS fa_eligible FROM {relation}
                WHERE role <> 'shadow'
                  AND event_time > {instant(oldest)} AND event_time <= {instant(now)}
                  AND prediction_id NOT IN (SELECT prediction_id FROM fa_over)
                ORDER BY MD5(CONCAT({literal(salt)}, prediction_id)), prediction_id
                LIMIT {config.review.candidates}"""
        ).df()
    eligible = int(frame["fa_eligible"].iloc[0]) if len(frame) else 0
    ordered = frame.drop(columns="fa_eligible").sort_values("prediction_id", ignore_index=True)
    return ordered, eligible


def _candidates(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    frame: pd.DataFrame,
    scores: Scores | None,
    model: ModelVersion | None,
) -> Candidates:
    config = space.config
    novelty = model.novelty() if model is not None else None
    features = novelty.space if novelty is not None else FeatureSpace.fit(config, frame)
    points = features.transform(frame)
    drifted, why = _drift(space, con, frame, model)
    return Candidates(
        ids=frame["prediction_id"].to_numpy(dtype=object),
        space=points,
        probabilities=probabilities_of(config, scores),
        segments=segments_of(config, frame),
        drifted=drifted,
        drifted_why=why,
        disagreement=_disagreement(space, con, source, features, points),
        novelty=novelty.score_points(points) if novelty is not None else None,
    )


def _drift(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    frame: pd.DataFrame,
    model: ModelVersion | None,
) -> tuple[npt.NDArray[np.bool_], np.ndarray]:
    """Which rows lie where a column has drifted to, and what has drifted there."""
    drifted, why = np.zeros(len(frame), dtype=bool), np.full(len(frame), "", dtype=object)
    for region in drifted_regions(con, space.table("drift_report").snapshot(), model, frame):
        why[region.rows & ~drifted] = region.words
        drifted |= region.rows
    return drifted, why


def _disagreement(
    space: LoopSpace,
    con: duckdb.DuckDBPyConnection,
    source: Snapshot,
    features: FeatureSpace,
    points: npt.NDArray[np.float32],
) -> Floats | None:
    """How much models that learned from other parts of the labels differ; None if not asked for."""
    config = space.config
    if "committee" not in config.review.mix or not len(points):
        return None
    labelled = _labelled(config, con, source)
    committee = Committee.fit(
        features.transform(labelled),
        labelled["label"].to_numpy(),
        config.label.kind,
        seed=config.model.seed,
    )
    return None if committee is None else committee.disagreement(points)


def _labelled(config: Config, con: duckdb.DuckDBPyConnection, source: Snapshot) -> pd.DataFrame:
    """Rows of the newest days whose label is known."""
    names = [*columns_of(config, source), "label"]
    keys = _newest(source, COMMITTEE_ROWS)
    return con.execute(
        f"""SELECT {idents(names)} FROM {source.relation(keys, names)}
            WHERE label_status = 'accepted' AND partition_key IN ({literals(keys)})
            ORDER BY event_time DESC, prediction_id LIMIT {COMMITTEE_ROWS}"""
    ).df()


def _newest(source: Snapshot, rows: int) -> Sequence[str]:
    """The newest partitions that hold at least five times so many rows."""
    chosen: list[str] = []
    held = 0
    for key, info in reversed(source.partitions().items()):
        if info.rows and held < 5 * rows:
            chosen.append(key)
            held += info.rows
    return chosen
