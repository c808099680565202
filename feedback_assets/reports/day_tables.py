"""The tables of a day's page, every cell as text or as a small bar."""

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from feedback_assets.drift.words import e_value
from feedback_assets.performance.maturity import told
from feedback_assets.performance.metrics import HIGHER_IS_BETTER
from feedback_assets.reports.day_view import DayView
from feedback_assets.reports.day_words import slice_words
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import (
    Row,
    chance,
    count,
    interval,
    metric_name,
    number,
    percent,
    said,
)
from feedback_assets.reports.small_bars import evidence_bar, impact_bar, interval_bars, span_of
from feedback_assets.reports.words import MISSING

PERIODS = {"day": "day", "week": "7 days", "window": "window"}
ROLES = ("score", "prediction", "label")
KIND_WORDS = {
    "harm": "Harm", "weak_slice": "Weak slice", "new_segment": "New value",
    "vanished_segment": "Vanished value", "drop_split": "Split of the change",
    "upstream": "Changed upstream", "concept": "Concept", "domain": "Classifier",
}  # fmt: skip
SEGMENTS = 20
UNSEEN = 12
NUMBERS = (
    ("evidence", "ln e material", said), ("evidence_changed", "ln e any", said),
    ("size_sd", "Size, sd", said), ("margin", "Margin, sd", said), ("impact", "Impact", said),
    ("weight", "Weight", said), ("psi", "PSI", said), ("ks", "KS", said), ("js", "JS", said),
    ("hellinger", "Hellinger", said), ("wasserstein", "Wasserstein", said), ("g", "G", said),
    ("chi2", "Chi²", said), ("null_share", "Null", percent), ("null_share_ref", "Null before", percent),
    ("unseen_share", "Unseen", percent), ("out_of_range_share", "Out of range", percent),
    ("rows", "Rows", count), ("rows_ref", "Reference rows", count),
)  # fmt: skip


def column_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The columns for reading: verdict, size, how sure, since, PSI, impact."""
    impacts = [abs(number(r["impact"])) for r in rows]
    largest = max((i for i in impacts if math.isfinite(i)), default=0.0)
    return [
        {
            "name": plain_text(row["column_name"], 60),
            "role": row["role"] if row["role"] in ROLES else "",
            "where": slice_words(row) if plain_text(row["segment"]) else "",
            "status": plain_text(row["status"]),
            "size": _size(row),
            "since": plain_text(row["since"]) or MISSING,
            "e": e_value(number(row["evidence"]))
            if math.isfinite(number(row["evidence"]))
            else MISSING,
            "chance": chance(row["evidence"]),
            "bar": evidence_bar(row),
            "psi": said(row["psi"], 2),
            "impact": said(row["impact"], 2),
            "impact_bar": impact_bar(number(row["impact"]), largest),
        }
        for row in rows
    ]


def number_rows(view: DayView) -> list[dict[str, Any]]:
    """Every number of every whole column and moved slice."""
    return [
        {
            "name": plain_text(row["column_name"], 60),
            "where": slice_words(row) if plain_text(row["segment"]) else "",
            "status": plain_text(row["status"]),
            "numbers": [say(row[name]) for name, _, say in NUMBERS],
            "reason": _reason(row),
        }
        for row in [*view.columns, *view.slices]
    ]


def performance_rows(performance: Sequence[Row], first: str) -> list[dict[str, Any]]:
    """Everything, all versions: a row for each metric and period, the gate's metric first."""
    rows = [r for r in performance if not r["segment"] and not r["model_version"]]
    order = {period: place for place, period in enumerate(PERIODS)}
    rows.sort(key=lambda r: (r["metric"] != first, r["metric"], order.get(r["period"], 9)))
    shown = []
    for metric, of_metric in groupby(rows, key=lambda r: str(r["metric"])):
        held = list(of_metric)
        span = span_of(held)
        for place, (period, kinds) in enumerate(groupby(held, key=lambda r: str(r["period"]))):
            row = _measured(list(kinds))
            row |= {"metric": metric_name(metric) if place == 0 else "", "main": metric == first}
            row |= {"period": PERIODS.get(period, period), "bars": interval_bars(row["rows"], span)}
            row |= {"up": metric in HIGHER_IS_BETTER, "last": False}
            shown.append(row)
        shown[-1]["last"] = True
    return shown


def slice_rows(performance: Sequence[Row], metric: str, *, versions: bool) -> list[dict[str, Any]]:
    """The metric by segment, or by version; the shortest period known, the worst first."""
    apart = "model_version" if versions else "segment"
    rows = [r for r in performance if r["metric"] == metric and r[apart]]
    known = {r["period"] for r in rows if math.isfinite(number(r["value"]))}
    period = next((p for p in PERIODS if p in known), "")
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["period"] == period:
            name = f"version {plain_text(row['model_version'])}" if versions else slice_words(row)
            groups.setdefault(name, []).append(row)
    span = span_of([r for held in groups.values() for r in held])
    shown = [
        {"name": name, "period": PERIODS[period], "gap": _gap(held, metric), **_measured(held),
         "bars": interval_bars(held, span)}
        for name, held in groups.items()
    ]  # fmt: skip
    return sorted(shown, key=lambda row: (math.isnan(row["gap"]), -row["gap"]))[:SEGMENTS]


def promise_rows(promises: Sequence[Row]) -> list[dict[str, str]]:
    """Each promise: its target, its value, whether it was kept."""
    return [
        {
            "name": f"{metric_name(str(r['metric']))}, {PERIODS.get(r['period'], r['period'])}",
            "target": said(r["target"]),
            "value": said(r["value"]),
            "state": "broken" if r["broken"] is True else _kept(r["breached"]),
            "streak": count(r["streak"]),
        }
        for r in promises
    ]


def finding_rows(findings: Sequence[Row]) -> list[dict[str, str]]:
    """Findings in the order of `KIND_WORDS`; of a split its total, which tells all parts."""
    order = list(KIND_WORDS)
    kept = [r for r in findings if r["kind"] != "drop_split" or r["subject"] == "total"]
    kept.sort(key=lambda r: order.index(r["kind"]) if r["kind"] in order else 99)
    return [
        {
            "kind": KIND_WORDS.get(r["kind"], plain_text(r["kind"])),
            "text": plain_text(r["text"], 600),
            "chance": chance(r["evidence"]) if math.isfinite(number(r["evidence"])) else "",
        }
        for r in kept
    ]


def unseen_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Values never seen in the reference, by column, with their rows."""
    shown = []
    for row in rows:
        try:
            held = json.loads(row["unseen"] or "[]") if isinstance(row["unseen"], str) else []
            values = [(plain_text(value, 80) or "(empty)", count(n)) for value, n in held[:UNSEEN]]
        except (ValueError, TypeError):
            values = []
        if values:
            share = percent(row["unseen_share"])
            shown.append(
                {"name": plain_text(row["column_name"], 60), "share": share, "values": values}
            )
    return shown


def other_rows(view: DayView) -> list[dict[str, str]]:
    """The verdict against each other reference."""
    return [
        {
            "against": plain_text(row["against"]).replace("_", " "),
            "status": plain_text(row["status"]),
            "reason": plain_text(row["reason"]),
        }
        for row in view.others
    ]


def _size(row: Row) -> str:
    """What moved; of a column that claims nothing, why not."""
    words, reason = plain_text(row["size"]), plain_text(row["reason"])
    claims = row["status"] not in ("insufficient", "stable")
    return (words or reason if claims else reason or words) or MISSING


def _reason(row: Row) -> str:
    words, reason = plain_text(row["size"]), plain_text(row["reason"])
    return reason if not words or words in reason else f"{reason} ({words})"


def _measured(rows: list[Row]) -> dict[str, Any]:
    held = {row["kind"]: row for row in rows}
    realised = held.get("realised")
    return {
        "rows": rows,
        "realised": _value(realised),
        "labels": _labels(realised),
        "estimated": _value(held.get("estimated")),
        "estimate_note": _why_not(held.get("estimated")),
        "adjusted": _value(held.get("adjusted")),
        "expected": said(rows[0]["expected"]),
    }


def _value(row: Row | None) -> dict[str, str]:
    if row is None or math.isnan(number(row["value"])):
        return {"value": MISSING, "interval": ""}
    return {"value": said(row["value"]), "interval": interval(row["low"], row["high"])}


def _why_not(row: Row | None) -> str:
    known = row is None or math.isfinite(number(row["value"]))
    return "" if known or row is None else plain_text(row["reason"])


def _labels(row: Row | None) -> str:
    """The maturity in words, without the value that stands before it."""
    if row is None:
        return ""
    words = plain_text(told(row))
    if math.isnan(number(row["value"])):
        return words
    return f"{words.partition(' ')[2]} ({count(row['labels'])} of {count(row['rows'])} answers)"


def _gap(rows: Sequence[Row], metric: str) -> float:
    """How much worse than expected: realised, else estimated; NaN if not known."""
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    by_kind = {r["kind"]: sign * (number(r["value"]) - number(r["expected"])) for r in rows}
    gaps = [by_kind.get(k, math.nan) for k in ("realised", "estimated", "adjusted")]
    known = [g for g in gaps if math.isfinite(g)]
    if known:
        return known[0]
    values = [sign * number(r["value"]) for r in rows if math.isfinite(number(r["value"]))]
    return values[0] if values else math.nan


def _kept(breached: Any) -> str:
    if breached is None or breached is pd.NA or breached != breached:
        return "not known"
    return "missed" if breached else "kept"
