"""Which questions have their answer, and the label that follows from what people said."""

import datetime as dt
import hashlib

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.consensus import consensus

REVIEW, AUDIT = "review", "audit"
"""Sources of labels that people gave: asked for a strategy's reason, or drawn from all rows."""
PEOPLE = "people"
"""The principal of a label on which several people agreed."""
LABEL_COLUMNS = {
    "partition_key": "VARCHAR", "event_id": "VARCHAR", "prediction_id": "VARCHAR", "kind": "VARCHAR",
    "value": "VARCHAR", "source": "VARCHAR", "principal": "VARCHAR", "confidence": "DOUBLE",
    "answers": "BIGINT", "unanimous": "BOOLEAN", "tasks": "VARCHAR", "event_time": "TIMESTAMPTZ",
    "received_time": "TIMESTAMPTZ",
}  # fmt: skip
"""Columns of `review_labels`: name to DuckDB type."""


def new_labels(
    config: Config, said: pd.DataFrame, before: pd.DataFrame, now: dt.datetime
) -> pd.DataFrame:
    """The labels that follow from all answers by now and are not told yet.

    A question is settled when so many different people as it asks for labelled it, or when nobody
    will be asked any more. A label that differs from the one told before is a correction.

    Args:
        config: The loop.
        said: Every answer ever: prediction_id, task_id, annotator, said, value, received_at, strategy,
            known, answers (asked for), closes_at (when nobody is asked any more).
        before: Labels told before: prediction_id, value, received_time.
        now: When this is.

    Returns:
        Rows as `LABEL_COLUMNS` but for `partition_key`; empty when nothing is new.
    """
    votes = said[(said["said"] == "label") & said["value"].notna()]
    asked = votes[votes["strategy"] != "golden"]
    if asked.empty:
        return pd.DataFrame()
    grouped = asked.groupby("prediction_id", sort=True)
    facts = grouped.agg(
        people=("annotator", "nunique"),
        wanted=("answers", "max"),
        closes_at=("closes_at", "max"),
        received_time=("received_at", "max"),
        audited=("strategy", lambda drawn: bool((drawn == AUDIT).any())),
        tasks=("task_id", lambda ids: ",".join(sorted(set(ids)))),
    )
    found = consensus(votes, config.label.kind, config.label.classes).set_index("prediction_id")
    facts = facts.join(found[["value", "confidence", "unanimous", "settled", "annotator"]])
    last = before.sort_values("received_time").groupby("prediction_id").last()
    facts = facts.join(last.add_prefix("told_"))
    ready = (facts["people"] >= facts["wanted"]) | (facts["closes_at"] <= pd.Timestamp(now))
    news = facts["told_value"].isna() | (
        (facts["told_value"] != facts["value"])
        & (facts["received_time"] > facts["told_received_time"])
    )
    return _as_events(facts[ready & news & facts["settled"].astype(bool)])


def _as_events(facts: pd.DataFrame) -> pd.DataFrame:
    if facts.empty:
        return pd.DataFrame()
    ids = facts.index.astype("string")
    moments = facts["received_time"]
    said = ids + "|" + facts["value"].astype("string") + "|" + moments.astype("string")
    return pd.DataFrame(
        {
            "event_id": [f"review:{_digest(text)}" for text in said],
            "prediction_id": ids,
            "kind": np.where(facts["told_value"].isna(), "label", "correction"),
            "value": facts["value"].astype("string"),
            "source": np.where(facts["audited"], AUDIT, REVIEW),
            "principal": np.where(
                facts["annotator"].isna(), PEOPLE, "person:" + facts["annotator"].astype("string")
            ),
            "confidence": facts["confidence"].astype("float64"),
            "answers": facts["people"].astype("int64"),
            "unanimous": facts["unanimous"].astype(bool),
            "tasks": facts["tasks"],
            "event_time": moments,
            "received_time": moments,
        }
    ).reset_index(drop=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
