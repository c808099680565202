"""Which questions have their answer, and the label that follows from what people said."""

import datetime as dt
import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from feedback_assets.config.schema import Config
from feedback_assets.labels.consensus import consensus
from feedback_assets.labels.judges import AUDIT, PEOPLE, REVIEW

MORE = 2
"""More people than a question asks for that are asked while nothing decides."""
LABEL_COLUMNS = {
    "partition_key": "VARCHAR", "event_id": "VARCHAR", "prediction_id": "VARCHAR", "kind": "VARCHAR",
    "value": "VARCHAR", "source": "VARCHAR", "principal": "VARCHAR", "confidence": "DOUBLE",
    "answers": "BIGINT", "unanimous": "BOOLEAN", "tasks": "VARCHAR", "event_time": "TIMESTAMPTZ",
    "received_time": "TIMESTAMPTZ",
}  # fmt: skip
"""Columns of `review_labels`: name to DuckDB type."""


@dataclass(frozen=True)
class Settled:
    """What follows from all answers by now.

    Attributes:
        labels: Rows as `LABEL_COLUMNS` but for `partition_key`; empty when nothing is new.
        undecided: Questions that enough people answered, who disagree: somebody else should be asked.
        due: When the next question closes that is not told yet; None if there is none.
    """

    labels: pd.DataFrame
    undecided: list[str]
    due: dt.datetime | None


def settle(
    config: Config,
    said: pd.DataFrame,
    before: pd.DataFrame,
    audited: Collection[str],
    now: dt.datetime,
) -> Settled:
    """The labels that follow from all answers by now and are not told yet.

    A question is ready when as many different people as it asks for labelled it, or when nobody will
    be asked any more. Where they disagree and nothing decides, up to two more are asked; then the
    likeliest label is told, with its small confidence: hard rows that were left out would make every
    figure too good. A label is told again when more answers turned it, or when the audit draws a row
    that a strategy had asked about.

    Args:
        config: The loop.
        said: Every answer ever: prediction_id, task_id, annotator, said, value, received_at, strategy,
            known, answers (asked for), closes_at (when nobody is asked any more).
        before: Labels told before: prediction_id, value, source, received_time.
        audited: Predictions that the audit drew.
        now: When this is.
    """
    votes = said[(said["said"] == "label") & said["value"].notna()]
    asked = votes[votes["strategy"] != "golden"]
    if asked.empty:
        return Settled(pd.DataFrame(), [], None)
    facts = _facts(config, votes, asked, before)
    facts["audited"] = facts.index.isin(list(audited))
    closed = (facts["closes_at"] <= pd.Timestamp(now)) | (facts["people"] >= facts["wanted"] + MORE)
    ready = closed | (facts["people"] >= facts["wanted"])
    decided = facts["settled"].astype(bool) | closed
    turned = (facts["told_value"] != facts["value"]) & (
        facts["received_time"] > facts["told_received_time"]
    )
    drawn = facts["audited"] & (facts["told_source"] == REVIEW)
    untold = facts["told_value"].isna()
    news = facts[ready & decided & (untold | turned | drawn)].copy()
    # What the audit drew later is known as audited from then on.
    news["received_time"] = news["received_time"].mask(drawn & ~untold & ~turned, pd.Timestamp(now))
    waiting = untold & ~(ready & decided)
    due = facts.loc[waiting, "closes_at"].min()
    return Settled(
        _as_events(news, asked),
        sorted(
            asked.loc[
                asked["prediction_id"].isin(facts.index[ready & ~decided]), "task_id"
            ].unique()
        ),
        None if pd.isna(due) else due.to_pydatetime(),
    )


def _facts(
    config: Config, votes: pd.DataFrame, asked: pd.DataFrame, before: pd.DataFrame
) -> pd.DataFrame:
    """A row for each prediction: how many answered, what they say together, what was told."""
    grouped = asked.groupby("prediction_id", sort=True)
    facts = grouped.agg(
        people=("annotator", "nunique"),
        wanted=("answers", "min"),
        closes_at=("closes_at", "max"),
        received_time=("received_at", "max"),
    )
    found = consensus(votes, config.label.kind, config.label.classes).set_index("prediction_id")
    facts = facts.join(found[["value", "confidence", "unanimous", "settled", "annotator"]])
    last = before.sort_values("received_time").groupby("prediction_id").last()
    return facts.join(last.add_prefix("told_"))


def _as_events(facts: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    if facts.empty:
        return pd.DataFrame()
    ids = facts.index.astype("string")
    moments = facts["received_time"]
    source = np.where(facts["audited"], AUDIT, REVIEW)
    said = (
        ids + "|" + source + "|" + facts["value"].astype("string") + "|" + moments.astype("string")
    )
    pairs = asked.loc[asked["prediction_id"].isin(facts.index), ["prediction_id", "task_id"]]
    tasks = pairs.drop_duplicates().sort_values("task_id").groupby("prediction_id")["task_id"]
    one = "person:" + facts["annotator"].astype("string")
    return pd.DataFrame(
        {
            "event_id": [f"review:{_digest(text)}" for text in said],
            "prediction_id": ids,
            "kind": "label",
            "value": facts["value"].astype("string"),
            "source": source,
            "principal": np.where(facts["annotator"].isna(), PEOPLE, one),
            "confidence": facts["confidence"].astype("float64"),
            "answers": facts["people"].astype("int64"),
            "unanimous": facts["unanimous"].astype(bool),
            "tasks": tasks.agg(",".join).reindex(facts.index),
            "event_time": moments,
            "received_time": moments,
        }
    ).reset_index(drop=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
