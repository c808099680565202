"""A replayed year, a drifted day and an incident, made up but of the shape that the pages are given."""

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd

from feedback_assets.causes.findings import FINDINGS_COLUMNS
from feedback_assets.drift.report import REPORT_COLUMNS
from feedback_assets.performance.report import PERFORMANCE_COLUMNS
from feedback_assets.performance.sla import SLA_COLUMNS
from feedback_assets.reports.facts import DayFacts, Deed, IncidentFacts, Links

START = dt.datetime(2013, 2, 1, tzinfo=dt.UTC)


def simulation(steps: int = 48, every: float = 7, **changes: Any) -> dict[str, Any]:
    """A year in which a promotion every sixth step helps, and a refusal follows each."""
    length = dt.timedelta(days=every)
    end = START + steps * length
    return {
        "name": "flights",
        "title": "Late arrivals",
        "kpi": "Passengers warned in time",
        "label_kind": "binary",
        "metric": "log_loss",
        "from": START.date(),
        "to": end,
        "every_days": every,
        "loop": {"log_loss": 0.494, "auc": 0.711, "brier": 0.161},
        "frozen": {"log_loss": 0.527, "auc": 0.66, "brier": 0.174},
        "retrains": 2 * (steps // 6),
        "promotions": steps // 6,
        "refusals": steps // 6,
        "weeks": [_step(i, START + i * length, length) for i in range(steps)],
        "decisions": [d for i in range(6, steps + 1, 6) for d in _decisions(i, length)],
        **changes,
    }


def _step(index: int, start: dt.datetime, length: dt.timedelta) -> dict[str, Any]:
    loss = 0.48 + 0.03 * (index % 5) / 5
    drifted = ["temp", "dewp"][: index % 3]
    return {
        "start": start,
        "end": start + length,
        "rows": 6_500,
        "labels_arrived": 6_300,
        "labels_expected": 6_400,
        "loop": {"log_loss": loss, "auc": 0.71, "brier": 0.16},
        "frozen": {"log_loss": loss + 0.001 * index, "auc": 0.67, "brier": 0.17},
        "drift_days": len(drifted),
        "drift_columns": drifted,
        "verdict": "drift" if drifted else "stable",
        "champion": str(1 + index // 6),
    }


def _decisions(index: int, length: dt.timedelta) -> list[dict[str, Any]]:
    time = START + index * length
    version = index // 3
    kinds = [("retrain", version), ("refuse", version), ("retrain", version + 1)]
    return [
        {"time": time + dt.timedelta(minutes=i), "kind": kind, "version": str(v), "cause": "drift",
         "reason": f"log loss 0.4981 to 0.4903 in {kind} {v}", "numbers": {"rows": 5812}}
        for i, (kind, v) in enumerate([*kinds, ("promote", version + 1)])
    ]  # fmt: skip


DAY = "2013-02-20"
DAYS = [f"2013-02-{day:02d}" for day in range(1, 21)]
DRIFT_FROM = {"temp": 13, "carrier": 15, "score": 15}
VERSION = "the training data of version 7"
QUIET = (
    "distance", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib", "origin",
    "dest", "sched_hour", "weekday", "month", "seats", "plane_age",
)  # fmt: skip


def day_facts(**changes: Any) -> DayFacts:
    """A day of the flights loop on which the weather and the carriers moved."""
    held: dict[str, Any] = {
        "title": "Late arrivals",
        "partition_key": DAY,
        "metric": "log_loss",
        "drift": drift_rows(DAY, slices=True),
        "performance": performance_rows(DAY),
        "sla": table(SLA_COLUMNS, [promise(DAY)]),
        "findings": table(FINDINGS_COLUMNS, findings(DAY)),
        "recent_days": pd.concat([drift_rows(key).iloc[:1] for key in DAYS]),
        "recent_performance": pd.concat([daily_metric(key) for key in DAYS]),
        "reference": VERSION,
        "next_steps": [
            "Trains version 8 now: 2 columns have drifted for 3 days and 6,120 new labels are there.",
            "The gate compares it with version 7 on the newest held-out days.",
        ],
        "links": Links("2013-02-19.html", "2013-02-21.html", "../drift/2013-02-20.html",
                       "../incidents/2013-02-13.html"),
    }  # fmt: skip
    return DayFacts(**held | changes)


def quiet_facts(**changes: Any) -> DayFacts:
    """A day on which nothing moved."""
    key = "2013-02-10"
    none: Any = {
        "partition_key": key, "drift": drift_rows(key), "performance": daily_metric(key),
        "sla": table(SLA_COLUMNS, []), "findings": table(FINDINGS_COLUMNS, []), "next_steps": [],
        "links": Links(),
    }  # fmt: skip
    return day_facts(**none | changes)


def incident_facts(**changes: Any) -> IncidentFacts:
    """The incident to which the day belongs."""
    held: dict[str, Any] = {
        "title": "Late arrivals",
        "days": DAYS[12:],
        "metric": "log_loss",
        "drift": pd.concat([drift_rows(key, slices=key == DAY) for key in DAYS]),
        "performance": pd.concat(
            [*(daily_metric(key) for key in DAYS[:-1]), performance_rows(DAY)]
        ),
        "sla": table(SLA_COLUMNS, [promise(key) for key in DAYS]),
        "findings": table(FINDINGS_COLUMNS, findings(DAY)),
        "reference": VERSION,
        "deeds": [
            Deed("2013-02-15", "retrain", "8", "drift in temp and carrier for 2 days"),
            Deed(
                "2013-02-15", "refuse", "8", "log loss 0.528 against 0.526 of version 7: not better"
            ),
        ],
        "next_steps": ["Trains again when 5,000 more labels are there: 3,880 are missing."],
        "compared": "1 to 12 February against 13 to 20 February, version 7 only",
        "pages": {key: f"../days/{key}.html" for key in DAYS},
    }
    return IncidentFacts(**held | changes)


def table(columns: Any, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with a table's columns and types."""
    kinds = {"VARCHAR": "object", "DOUBLE": "float64", "BIGINT": "int64", "BOOLEAN": "object"}
    frame = pd.DataFrame(rows, columns=list(columns))
    counts = {name: 0 for name, sql in columns.items() if sql == "BIGINT"}
    return frame.fillna(counts).astype({n: kinds.get(sql, "object") for n, sql in columns.items()})


def drift_rows(key: str, *, slices: bool = False) -> pd.DataFrame:
    """A day's rows of `drift_report`; the day's own first."""
    number = int(key[-2:])
    moved = [name for name, first in DRIFT_FROM.items() if number >= first]
    columns = [_column(key, name, number) for name in ("temp", "carrier", *QUIET, "score", "label")]
    reason = f"{len(moved)} of {len(columns)} columns changed materially: {', '.join(moved)}"
    day = {
        "partition_key": key, "against": "training", "column_name": "*", "role": "day", "kind": "day",
        "segment": "", "segment_value": "", "status": "drift" if moved else "stable", "rows": 902,
        "rows_ref": 25_310, "weight": float(len(moved)),
        "reason": reason if moved else "no material change in 19 columns",
    }  # fmt: skip
    other = day | {"against": "same_weekday", "status": "stable", "reason": "no material change"}
    rows = [day, *columns]
    if slices:
        rows += [
            other,
            *(_slice(key, v, e) for v, e in (("EWR", 21.0), ("JFK", 5.1), ("LGA", 0.2))),
        ]
    return table(REPORT_COLUMNS, rows)


def _column(key: str, name: str, number: int) -> dict[str, Any]:
    moved = number >= DRIFT_FROM.get(name, 99)
    age = number - DRIFT_FROM.get(name, 99)
    seed = sum(map(ord, name)) + number
    rng = np.random.default_rng(seed)
    row: dict[str, Any] = {
        "partition_key": key, "against": "training", "column_name": name, "role": "feature",
        "kind": "categorical" if name in ("carrier", "origin", "dest") else "numeric",
        "segment": "", "segment_value": "", "status": "stable", "weight": 1.0,
        "evidence": float(-rng.gamma(2, 1.5)), "evidence_changed": float(rng.normal(0.5, 1)),
        "impact": float(rng.normal(0, 0.0006)), "size_sd": float(abs(rng.normal(0, 0.03))),
        "margin": 0.1, "psi": float(rng.gamma(2, 0.006)), "ks": 0.021, "js": 0.03, "hellinger": 0.02,
        "wasserstein": 0.03, "g": 11.2, "chi2": 11.4, "null_share": 0.002, "null_share_ref": 0.002,
        "unseen_share": 0.0, "out_of_range_share": 0.001, "rows": 902, "rows_ref": 25_310,
        "size": "mean 0.02 sd higher", "reason": "no change beyond chance",
    }  # fmt: skip
    if name in ("score", "label"):
        row["role"] = name
    if name == "wind_gust":
        row |= {"status": "immaterial", "evidence_changed": 6.2, "size": "mean 0.08 sd higher",
                "reason": "change immaterial: mean 0.08 sd higher"}  # fmt: skip
    if name == "label":
        row |= {"status": "insufficient", "evidence": np.nan, "impact": np.nan, "rows": 40,
                "reason": "40 mature labels, 60 more needed", "size": None}  # fmt: skip
    if moved:
        sizes = {
            "temp": "mean 0.41 sd lower, 9.8 to 5.1",
            "carrier": "category WN from 3.8% to 11%, unseen from 0% to 4.1%",
            "score": "mean 0.22 sd higher, 0.21 to 0.26",
        }
        impact = {"temp": 0.021, "carrier": 0.0064, "score": np.nan}[name]
        since = f"2013-02-{DRIFT_FROM[name]:02d}"
        row |= {
            "status": "drift", "evidence": 4.2 + 3.1 * age, "evidence_changed": 8 + 5.0 * age,
            "since": since, "impact": impact, "size_sd": 0.41, "psi": 0.19, "size": sizes[name],
            "reason": f"material change since about {since} ({sizes[name]}; e = 3e+05)",
        }  # fmt: skip
    if name == "carrier" and moved:
        unseen = [["ZW", 21], ["<b>X9</b>", 9], ["", 4], ["Sœur", 3]]
        row |= {"unseen_share": 0.041, "unseen": json.dumps(unseen)}
    return row


def _slice(key: str, value: str, evidence: float) -> dict[str, Any]:
    row = _column(key, "temp", 20) | {"segment": "origin", "segment_value": value, "rows": 300}
    if evidence < 4:
        return row | {"status": "stable", "evidence": evidence, "since": None}
    return row | {"evidence": evidence, "impact": np.nan}


def measured(key: str, kind: str, value: float, half: float, **changes: Any) -> dict[str, Any]:
    """A row of `performance_report` about everything."""
    return {
        "partition_key": key, "period": "day", "segment": "", "segment_value": "", "model_version": "",
        "metric": "log_loss", "kind": kind, "value": value, "low": value - half, "high": value + half,
        "expected": 0.489, "rows": 902, "labels": 902 if kind == "realised" else 0, "maturity": 1.0,
        "low_mature": np.nan, "high_mature": np.nan,
        "as_of": pd.Timestamp("2013-02-21T04:00Z"), "reason": "", **changes,
    }  # fmt: skip


def daily_metric(key: str) -> pd.DataFrame:
    """A day's log loss, realised while labels are there, and estimated."""
    number = int(key[-2:])
    rng = np.random.default_rng(number)
    level = 0.488 + 0.008 * max(number - 12, 0)
    rows = [
        measured(key, "estimated", level - 0.001 * max(number - 12, 0) + rng.normal(0, 0.004), 0.02)
    ]
    if number < 19:
        rows.append(measured(key, "realised", level + rng.normal(0, 0.008), 0.03))
    return table(PERFORMANCE_COLUMNS, rows)


def performance_rows(key: str) -> pd.DataFrame:
    """A day's rows of `performance_report`: metrics, periods, segments, versions."""
    unknown = {"labels": 12, "maturity": 0.01}
    part = {"labels": 688, "maturity": 0.76, "low_mature": 0.531, "high_mature": 0.552}
    rows = [
        measured(key, "realised", 0.541, 0.034, **part),
        measured(key, "estimated", 0.536, 0.02),
        measured(key, "adjusted", 0.544, 0.022),
        measured(key, "realised", 0.522, 0.012, period="week", rows=6_310, labels=5_900, maturity=0.93,
                 low_mature=0.519, high_mature=0.527),
        measured(key, "estimated", 0.519, 0.008, period="week", rows=6_310),
        measured(key, "realised", 0.504, 0.006, period="window", rows=25_100, labels=24_600,
                 maturity=0.98, low_mature=0.503, high_mature=0.506),
        measured(key, "estimated", 0.502, 0.004, period="window", rows=25_100),
        measured(key, "realised", np.nan, np.nan, metric="roc_auc", expected=0.712,
                 reason="12 labels, 30 needed", **unknown),
        measured(key, "estimated", 0.688, 0.03, metric="roc_auc", expected=0.712),
        measured(key, "realised", 1.18, 0.22, metric="value", expected=1.61, **part | {"low_mature": 1.1, "high_mature": 1.3}),
        measured(key, "estimated", 1.24, 0.15, metric="value", expected=1.61),
        measured(key, "realised", 0.541, 0.034, model_version="7", **part),
    ]  # fmt: skip
    for value, level in (("EWR", 0.61), ("JFK", 0.52), ("LGA", 0.487)):
        rows.append(
            measured(
                key,
                "realised",
                level,
                0.06,
                segment="origin",
                segment_value=value,
                rows=300,
                **part | {"labels": 230},
            )
        )
        rows.append(
            measured(key, "estimated", level - 0.01, 0.03, segment="origin", segment_value=value)
        )
    return table(PERFORMANCE_COLUMNS, rows)


def promise(key: str) -> dict[str, Any]:
    """A day's check of the promise on the log loss."""
    streak = max(int(key[-2:]) - 16, 0)
    return {
        "partition_key": key, "metric": "log_loss", "period": "week", "target": 0.51, "value": 0.522,
        "breached": streak > 0, "streak": streak, "broken": streak >= 3,
    }  # fmt: skip


def findings(key: str) -> list[dict[str, Any]]:
    """Findings of each kind."""
    split = (
        ("total", 0.036, 0.021, 0.05), ("mix of segments", 0.003, -0.001, 0.007),
        ("missingness", 0.0, -0.002, 0.002), ("covariate shift", 0.024, 0.013, 0.034),
        ("label shift", 0.007, -0.001, 0.016), ("concept change", 0.002, -0.008, 0.012),
    )  # fmt: skip
    rows = [
        ("harm", "value", 388, 190, 586, np.nan, "about 388 EUR lost on 902 answers (190 to 586)"),
        ("weak_slice", "origin = EWR and temp under 2.1", 0.12, 0.06, 0.18, 5.3,
         "log_loss 0.63 where origin = EWR and temp under 2.1 (214 rows, 24%), 0.51 elsewhere: 0.12 more (0.06 to 0.18)"),
        ("new_segment", "carrier=ZW", 0.023, np.nan, np.nan, 30.0,
         "carrier ZW is new: 21 of 902 rows, none in 25,310 before"),
        ("upstream", "source schema", 0, np.nan, np.nan, np.nan,
         "source schema 3f2a91 → 8b07c4: column temp is now DOUBLE, same day"),
        ("upstream", "model version", 6, np.nan, np.nan, np.nan, "model version 6 → 7, 6 days before"),
        ("domain", "rows", 0.71, 0.68, 0.74, np.nan,
         "a classifier tells these rows from the reference, most by temp, carrier (AUC 0.71, 0.68 to 0.74)"),
    ]  # fmt: skip
    rows += [
        ("drop_split", name, v, low, high, np.nan, f"{name} {v:+.3g} ({low:.3g} to {high:.3g})")
        for name, v, low, high in split
    ]
    names = ("kind", "subject", "value", "low", "high", "evidence", "text")
    return [{"partition_key": key, **dict(zip(names, row, strict=True))} for row in rows]
