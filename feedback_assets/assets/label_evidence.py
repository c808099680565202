"""All that is known of the labels' quality, from the tables, as plain values."""

import datetime as dt
import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from feedback_assets.assets.automatic_labels import classes
from feedback_assets.assets.label_audit import auditors, disagreements, label_audit
from feedback_assets.assets.space import LoopSpace
from feedback_assets.config.schema import Config
from feedback_assets.labels.agreement import NOTHING, Level, krippendorff
from feedback_assets.labels.annotators import annotator_report, latest_answers, votes_of
from feedback_assets.labels.changes import habit_changes
from feedback_assets.labels.conflicts import conflicts_sql, twin_share_sql
from feedback_assets.labels.consensus import consensus
from feedback_assets.labels.exact import share_interval
from feedback_assets.labels.kappa import couples, kappas
from feedback_assets.labels.pool import MAX_TWIN_SHARE
from feedback_assets.labels.suspects import by_owner, suspects, wrong_share
from feedback_assets.sqltext import idents, literal
from feedback_assets.tables.snapshot import Snapshot
from feedback_assets.training.out_of_fold import out_of_fold

EXAMINED = 30_000
"""Labels of the pool that are examined for errors: cross-validation costs five trainings."""
LEAST = 100
"""Fewer labels teach too little to doubt any of them."""
LISTED = 100
Report = dict[str, Any]


def label_evidence(space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime) -> Report:
    """What is known: people, agreement, audit, label errors, conflicts, open disputes.

    Frames are lists of plain records; what nothing tells is None.
    """
    said, audited = annotations_of(space, con, now), audit(space, con, now)
    return {
        "as_of": now.isoformat(),
        "confidence": space.config.performance.confidence,
        **people(space, con, said),
        "audit": audited,
        **examined(space, con, audited),
    }


def annotations_of(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime
) -> pd.DataFrame:
    """Every answer received by now, in order of time; empty before the first."""
    taken = space.table("annotations").snapshot()
    names = ["prediction_id", "annotator", "said", "value", "annotated_at", "received_at",
             "duration_seconds", "saw_opinion", "strategy", "known", "right"]  # fmt: skip
    if taken.version < 0:
        return pd.DataFrame(columns=names)
    frame = con.execute(
        f"""SELECT {idents(names)} FROM {taken.relation(None, [*names, "annotation_id"])}
            ORDER BY annotated_at, annotation_id"""
    ).df()
    return frame[frame["received_at"] <= pd.Timestamp(now)].reset_index(drop=True)


def people(space: LoopSpace, con: duckdb.DuckDBPyConnection, said: pd.DataFrame) -> Report:
    """Annotators, how far they agree, whose habits changed, and what is disputed."""
    config = space.config
    kind, names = config.label.kind, classes(config) if config.label.kind != "regression" else []
    latest = latest_answers(said)
    level: Level = "interval" if kind == "regression" else "nominal"
    values = latest["value"].astype(float) if kind == "regression" else latest["value"]
    confidence = config.performance.confidence
    alpha = (
        krippendorff(latest["prediction_id"], values, level, confidence) if len(latest) else NOTHING
    )
    changed = habit_changes(said, kind, names, expected(space, con, latest))
    pairs = pd.DataFrame()
    if kind != "regression" and len(latest):
        votes = votes_of(latest, kind, names)
        pairs = kappas(votes, couples(votes), confidence).sort_values("kappa", ignore_index=True)
    open_ = disputed(latest, config, names)
    return {
        "answers": len(latest),
        "skips": int((said["said"] == "skip").sum()) if len(said) else 0,
        "predictions": int(latest["prediction_id"].nunique()),
        "annotators": plain(annotator_report(said, kind, names, confidence)),
        "alpha": {"level": level, **{k: told(v) for k, v in vars(alpha).items()}},
        "habits": plain(changed),
        "pairs": plain(pairs.head(LISTED)),
        "disputed_rows": len(open_),
        "disputed": plain(open_.head(LISTED)),
    }  # fmt: skip


def disputed(latest: pd.DataFrame, config: Config, names: list[str]) -> pd.DataFrame:
    """Predictions on which people disagree and nothing decides, with what was said."""
    made = consensus(latest, config.label.kind, names)
    if config.label.kind == "regression" or made.empty:
        return made.head(0)
    open_ = made.loc[~made["settled"].astype(bool), ["prediction_id", "value", "confidence"]]
    kept = latest[latest["prediction_id"].isin(open_["prediction_id"])]
    words = (kept["annotator"] + ": " + kept["value"]).groupby(kept["prediction_id"]).agg(", ".join)
    return open_.assign(said=open_["prediction_id"].map(words)).reset_index(drop=True)


def expected(
    space: LoopSpace, con: duckdb.DuckDBPyConnection, latest: pd.DataFrame
) -> pd.DataFrame | None:
    """What the model that served said of the answered predictions, before anybody answered."""
    config, source = space.config, space.table("feedback_table").snapshot()
    if source.version < 0 or latest.empty:
        return None
    chances = {
        "binary": {"1": "score"},
        "multiclass": {name: f"score_{name}" for name in config.label.classes},
        "regression": {"value": "prediction"},
    }[config.label.kind]
    if not set(chances.values()) <= set(source.columns()):
        return None
    columns = ["prediction_id", "role", *chances.values()]
    ids = latest[["prediction_id"]].drop_duplicates()
    con.register("fa_answered", ids)
    try:
        frame = con.execute(
            f"""SELECT {idents(["prediction_id", *chances.values()])}
                FROM {source.relation(None, columns)} AS f
                WHERE role <> 'shadow' AND prediction_id IN (SELECT prediction_id FROM fa_answered)"""
        ).df()
    finally:
        con.unregister("fa_answered")
    made = frame.drop_duplicates("prediction_id").set_index("prediction_id")
    made.columns = pd.Index(chances)
    if config.label.kind == "binary":
        made = made.assign(**{"0": 1 - made["1"]})
    # A row that no model answered is expected to be like the usual one.
    return (
        made.astype(float).fillna(made.astype(float).mean()) if made.notna().any().all() else None
    )


def audit(space: LoopSpace, con: duckdb.DuckDBPyConnection, now: dt.datetime) -> Report | None:
    """How many labels are right by those that auditors gave again; None where nobody audits."""
    found = label_audit(space, con, now)
    if found is None:
        return None
    low, high = share_interval(found.right, found.rows, space.config.performance.confidence)
    gate = space.config.gate.label_quality
    return {
        "rows": found.rows,
        "right": found.right,
        "share": found.right / found.rows if found.rows else None,
        "low": float(low[0]),
        "high": float(high[0]),
        "asked": gate.min_share if gate else None,
        "auditors": auditors(space.config),
        "wrong": plain(disagreements(space, con, now, LISTED)),
    }


def examined(space: LoopSpace, con: duckdb.DuckDBPyConnection, audited: Report | None) -> Report:
    """Label errors and conflicts among the labels of the pool.

    Where the outcome is a matter of chance, a model doubts many labels that are right: on clean labels
    of late flights, 14 of 100. So no more are called doubtful, worst first, than the audit leaves open.
    """
    config, pool = space.config, space.table("labeled_pool").snapshot()
    nothing: Report = {"examined": 0, "errors": None, "conflicts": None}
    if pool.version < 0:
        return nothing
    rows = pool_rows(config, con, pool)
    if len(rows) < LEAST:
        return {**nothing, "examined": len(rows)}
    names = [] if config.label.kind == "regression" else classes(config)
    said = out_of_fold(config, rows)
    found, share = suspects(rows, said, names), wrong_share(rows, said, names)
    at_most = math.ceil((1 - audited["low"]) * len(rows)) if audited and audited["rows"] else None
    found = found.head(len(found) if at_most is None else at_most)
    kept = [n for n in ("prediction_id", "label", "meant", "doubt", "event_time", "label_source",
                        "label_principal") if n in found]  # fmt: skip
    return {
        "examined": len(rows),
        "errors": {
            "rows": len(found),
            "at_most": at_most,
            "models_say": told(share),
            "listed": plain(found[kept].head(LISTED)),
            "owners": plain(by_owner(rows, found).head(LISTED)),
        },
        "conflicts": conflicts(config, con, pool),
    }


def pool_rows(config: Config, con: duckdb.DuckDBPyConnection, pool: Snapshot) -> pd.DataFrame:
    """Labels that people or the world gave; of more than `EXAMINED`, those with the smallest hash."""
    wanted = ["prediction_id", "label", "event_time", "label_source", "label_principal"]
    names = [n for n in [*wanted, *config.features] if n in pool.columns()]
    return con.execute(
        f"""SELECT {idents(names)} FROM {given(pool)}
            ORDER BY MD5(CONCAT({literal(f"{config.model.seed}:")}, prediction_id)), prediction_id
            LIMIT {EXAMINED}"""
    ).df()


def given(pool: Snapshot) -> str:
    """The pool without the labels that a model gave, as a relation."""
    return f"(SELECT * FROM {pool.relation()} WHERE COALESCE(label_source, '') <> 'automatic')"


def conflicts(config: Config, con: duckdb.DuckDBPyConnection, pool: Snapshot) -> Report:
    """Equal features with different labels, and whether that says anything here."""
    groups = con.execute(conflicts_sql(config, given(pool))).df()
    ((share,),) = con.execute(twin_share_sql(config, given(pool))).fetchall()
    return {
        "groups": len(groups),
        "rows": int(groups["rows"].sum()) if len(groups) else 0,
        "twin_share": float(share),
        "telling": bool(config.columns.text) or float(share) <= MAX_TWIN_SHARE,
        "listed": plain(groups.head(LISTED)),
    }


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as JSON holds them."""
    return [{str(k): told(v) for k, v in row.items()} for row in frame.to_dict("records")]


def told(value: Any) -> Any:
    """A value as JSON holds it: times as ISO text, missing numbers as None."""
    if isinstance(value, np.ndarray | list | tuple):
        return [told(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value.isoformat() if isinstance(value, dt.datetime) else value
