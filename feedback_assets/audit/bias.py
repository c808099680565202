"""The bias audit of a period: how the answers that were really given treat protected groups."""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.assets.judged import judged_rows
from feedback_assets.assets.space import LoopSpace
from feedback_assets.audit.card_figures import fairness_sheet, group_words, limits_note
from feedback_assets.audit.document import Document, Reply, Section
from feedback_assets.config.grain import partition_end, partition_start
from feedback_assets.config.schema import Config
from feedback_assets.fairness.bias import Bias, bias
from feedback_assets.reports.rows import said
from feedback_assets.reports.words import amount
from feedback_assets.sqltext import idents
from feedback_assets.tables.connection import connect

Json = dict[str, Any]
SCHEMA = 1
SERVED = "served"
"""What the figures' arm is called."""
MIN_ROWS = 30


def bias_audit(space: LoopSpace, since: dt.datetime, until: dt.datetime) -> Json:
    """Both figures of fairness for every protected attribute, over the answers of a period.

    Disparate impact counts every answer; equal opportunity those whose label has come.

    Returns:
        JSON values: `rows`, `labelled`, `versions` {version: rows}, `fairness` (as in a suite, with
        the arm `served`), `reason` where nothing can be said.
    """
    config = space.config
    told = {
        "schema": SCHEMA, "loop": space.name, "title": config.title, "metric": "fairness",
        "from": since.isoformat(), "until": until.isoformat(),
    }  # fmt: skip
    if not config.columns.protected:
        return {**told, **nothing("columns.protected names no attribute")}
    if config.label.kind == "regression":
        return {**told, **nothing("the answers are numbers: there is no positive answer")}
    rows = served_rows(space, since, until)
    if rows.empty:
        return {**told, **nothing("nothing was answered in this time")}
    known = rows["label_status"].eq("accepted") & rows["label"].notna()
    fairness = [
        entry_of(config, rows, known.to_numpy(bool), attribute, answer)
        for attribute in config.columns.protected
        for answer in positive_answers(config)
    ]
    return {
        **told,
        "rows": len(rows),
        "labelled": int(known.sum()),
        "versions": {str(k): int(v) for k, v in rows["model_version"].value_counts().items()},
        "fairness": fairness,
        "reason": "",
    }


def nothing(reason: str) -> Json:
    """An audit that says nothing, and why."""
    return {"rows": 0, "labelled": 0, "versions": {}, "fairness": [], "reason": reason}


def served_rows(space: LoopSpace, since: dt.datetime, until: dt.datetime) -> pd.DataFrame:
    """The answers that were given in a period, with their truth and their protected attributes."""
    snapshot, grain = space.table("feedback_table").snapshot(), space.config.partitions.grain
    keys = [
        key
        for key, info in snapshot.partitions().items()
        if info.rows and partition_start(grain, key) < until and partition_end(grain, key) > since
    ]
    names = [
        "model_version",
        "prediction",
        "label",
        "label_status",
        *space.config.columns.protected,
    ]
    if not keys:
        return pd.DataFrame(columns=names)
    with connect(space.settings) as con:
        return con.execute(
            f"""SELECT {idents(names)} FROM {judged_rows(space.config, snapshot, keys)}
                WHERE role = 'served' AND prediction IS NOT NULL
                  AND event_time >= ? AND event_time < ? ORDER BY prediction_id""",
            [since, until],
        ).df()


def positive_answers(config: Config) -> list[Any]:
    """The answers whose shares are compared: 1, or of several classes each."""
    return list(config.label.classes) or [1]


def entry_of(
    config: Config, rows: pd.DataFrame, known: np.ndarray, attribute: str, answer: str | int
) -> Json:
    """One attribute and one answer, as an entry of a suite's `fairness`."""
    positive = (rows["prediction"] == answer).to_numpy(np.int64)
    true = (rows["label"] == answer).fillna(False).to_numpy(np.int64)
    groups = rows[attribute].to_numpy(dtype=object)
    every = measured(config, np.zeros(len(rows), np.int64), positive, groups)
    labelled = measured(config, true[known], positive[known], groups[known])
    entry, truth = (found.to_dict(attribute, str(answer)) for found in (every, labelled))
    rates = {g["group"]: g["true_positive_rate"] for g in truth["groups"]}
    entry["equal_opportunity_difference"] = truth["equal_opportunity_difference"]
    for group in entry["groups"]:
        group["true_positive_rate"] = rates.get(group["group"], {SERVED: math.nan})
        del group["positives"]
    return finite(entry)


def measured(config: Config, labels: np.ndarray, answers: np.ndarray, groups: np.ndarray) -> Bias:
    """The figures with the gate's own rules for groups and intervals."""
    asked = config.gate.fairness
    return bias(
        labels,
        {SERVED: answers},
        groups,
        min_rows=asked.min_rows if asked else MIN_ROWS,
        confidence=config.gate.confidence,
        resamples=config.gate.resamples,
        seed=config.model.seed,
    )


def finite(value: Any) -> Any:
    """JSON values with null in place of numbers that are none."""
    if isinstance(value, Mapping):
        return {key: finite(held) for key, held in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def bias_document(audit: Json, config: Config) -> Document:
    """The audit as people read it."""
    found = audit["fairness"]
    broken = [words for entry in found for words in broken_limits(entry, config)]
    asked = config.gate.fairness
    verdict = (
        "no limit is set" if asked is None else ("limits missed" if broken else "within limits")
    )
    return Document(
        eyebrow=f"{audit['title']} · bias audit",
        title=f"{audit['from'][:10]} until {audit['until'][:10]}",
        state=audit["reason"] or verdict,
        tone="bad" if broken else ("good" if asked and found else ""),
        replies=(
            Reply(
                "Which answers?",
                (amount(audit["rows"], "answer"), f"{audit['labelled']:,} of them with a label"),
            ),
            Reply("Which limits are missed?", tuple(broken) or ("None.",), "bad" if broken else ""),
        ),
        sections=(
            Section("Figures", limits_note(config), sheet=fairness_sheet(found, SERVED)),
            Section("Groups", words=tuple(group_words(entry, SERVED) for entry in found)),
        ),
        footer=(
            (
                "Disparate impact is the smallest group's share of positive answers over the largest's, "
                "over every answer; the equal opportunity difference is the largest gap of the groups' "
                "true positive rates, over answers with a label. With few rows both err on the side of "
                "alarm."
            ),
        ),
    )


def broken_limits(entry: Json, config: Config) -> list[str]:
    """The gate's limits that the answers given did not keep."""
    asked = config.gate.fairness
    if asked is None:
        return []
    impact = entry["disparate_impact"][SERVED]["value"]
    apart = entry["equal_opportunity_difference"][SERVED]["value"]
    name, said_so = entry["attribute"], []
    least, most = asked.min_disparate_impact, asked.max_equal_opportunity_difference
    if least is not None and impact is not None and impact < least:
        said_so.append(f"{name}: disparate impact {said(impact)}, at least {said(least)} is asked")
    if most is not None and apart is not None and apart > most:
        said_so.append(
            f"{name}: true positive rates differ by {said(apart)}, {said(most)} is allowed"
        )
    return said_so
