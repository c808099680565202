"""A day in ten seconds: a headline and seven short answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from feedback_assets.reports.day_view import DayView
from feedback_assets.reports.facts import DayFacts
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import (
    Row,
    chance,
    interval,
    list_words,
    metric_name,
    number,
    said,
)
from feedback_assets.reports.words import MISSING, amount

NOT_KNOWN = "Not known."
SHOWN = 3
ROLES = {"score": "the score", "prediction": "the prediction", "label": "the label"}


@dataclass(frozen=True)
class Answer:
    """One question of the person on call, and the answer's lines, the most telling first."""

    question: str
    lines: Sequence[str]
    tone: str = ""


def headline(view: DayView) -> str:
    """The day in one sentence."""
    missed = broken_promises(view.promises)
    if view.status in ("drift", "broken"):
        names = list_words([column_words(row) for row in view.moved]) or "A slice of the data"
        many = len(view.moved) > 1
        if view.status == "broken":
            return _capital(f"{names} {'are' if many else 'is'} broken")
        since = f" since about {view.since}" if view.since else ""
        return _capital(f"{names} {'have' if many else 'has'} moved{since}")
    if missed:
        return f"{metric_name(str(missed[0]['metric']))} has missed its target {amount(int(number(missed[0]['streak'])), 'time')}"
    if view.status == "insufficient":
        return "Too little data to judge"
    return "Nothing material has changed"


def answers(facts: DayFacts, view: DayView) -> list[Answer]:
    """What, since when, how sure, how bad, where, why probably, what next."""
    return [
        Answer("What", _what(view), view.status),
        Answer("Since", _since(view)),
        Answer("How sure", _sure(view)),
        Answer(
            "How bad",
            bad_lines(view.findings, whole(view.performance), view.promises, facts.metric),
        ),
        Answer("Where", where_lines(view)),
        Answer("Why, probably", why_lines(view.findings, view.moved)),
        Answer("What next", [*map(plain_text, facts.next_steps)] or ["Nothing is planned."]),
    ]


def column_words(row: Row) -> str:
    """A column as people call it: features by name, others by their role."""
    role = ROLES.get(str(row["role"]))
    name = plain_text(row["column_name"], 40)
    return role if role and role.endswith(f" {name}") else f"{role} {name}" if role else name


def broken_promises(rows: list[Row]) -> list[Row]:
    """The promises that are broken, the longest streak first."""
    held = [row for row in rows if row["broken"] is True]
    return sorted(held, key=lambda row: -number(row["streak"]))


def of_kind(findings: list[Row], *kinds: str) -> list[Row]:
    """The findings of these kinds, the surest first."""
    kept = [row for row in findings if row["kind"] in kinds]
    return sorted(
        kept, key=lambda row: -number(row["evidence"]) if row["evidence"] == row["evidence"] else 0
    )


def whole(rows: list[Row]) -> list[Row]:
    """The performance rows of everything, all versions together."""
    return [r for r in rows if not plain_text(r["segment"]) and not plain_text(r["model_version"])]


def _what(view: DayView) -> list[str]:
    lines = [
        f"{_capital(column_words(row))}: {plain_text(row['size']) or plain_text(row['reason'])}"
        for row in view.moved[:SHOWN]
    ]
    if len(view.moved) > SHOWN:
        lines.append(f"and {amount(len(view.moved) - SHOWN, 'more column')}, listed below")
    return lines or [_capital(view.reason) or NOT_KNOWN]


def _since(view: DayView) -> list[str]:
    dates: dict[str, list[str]] = {}
    for row in view.moved:
        if plain_text(row["since"]):
            dates.setdefault(plain_text(row["since"]), []).append(column_words(row))
    if len(dates) > 1:
        return [f"{date}: {list_words(names)}" for date, names in sorted(dates.items())[:SHOWN]]
    return [f"About {date}" for date in dates] or [MISSING]


def _sure(view: DayView) -> list[str]:
    if math.isnan(view.strongest):
        return [MISSING] if view.status != "broken" else ["Certain: the values can not be used."]
    return [
        f"Chance of a false alarm: {chance(view.strongest)}",
        "Holds however often it is looked at.",
    ]


def bad_lines(
    findings: list[Row], performance: list[Row], promises: list[Row], metric: str
) -> list[str]:
    """Harm in the business's unit, the metric against what was expected, broken promises."""
    lines = [plain_text(row["text"]) for row in of_kind(findings, "harm")]
    lines += metric_lines([r for r in performance if r["metric"] == metric], metric)
    lines += [
        f"Promise broken: {metric_name(str(r['metric']))} {said(r['value'])} against "
        f"{said(r['target'])}, {said(r['streak'])} checks in a row"
        for r in broken_promises(promises)
    ]
    return [_capital(line) for line in lines] or [NOT_KNOWN]


def metric_lines(rows: list[Row], metric: str) -> list[str]:
    """The gate's metric of the shortest period for which it is known: realised, else estimated."""
    order = {"day": 0, "week": 1, "window": 2}
    known = [r for r in rows if not math.isnan(number(r["value"]))]
    best = sorted(known, key=lambda r: (order.get(r["period"], 9), r["kind"] != "realised"))
    if not best:
        return []
    row, also = best[0], [r for r in best[1:] if r["period"] == best[0]["period"]]
    words = f"{metric_name(metric)} {said(row['value'])} ({interval(row['low'], row['high'])})"
    if not math.isnan(number(row["expected"])):
        words += f", expected {said(row['expected'])}"
    if row["kind"] != "realised":
        return [f"{words}; estimated, no labels yet"]
    estimates = [f"; estimated {said(r['value'])}" for r in also if r["kind"] == "estimated"]
    maturity = number(row["maturity"])
    labels = f"; on {maturity:.0%} of the labels" if maturity < 1 else "; realised"
    return ["".join([words, labels, *estimates[:1]])]


def where_lines(view: DayView) -> list[str]:
    """The weakest slices, then the slices that moved, then segment values that came or went."""
    lines = [weak_words(r) for r in of_kind(view.findings, "weak_slice")[:2]]
    if view.slices:
        names = list(dict.fromkeys(slice_words(row) for row in view.slices))
        lines.append(f"Moved in {list_words(names)}")
    lines += [
        plain_text(r["text"]) for r in of_kind(view.findings, "new_segment", "vanished_segment")[:2]
    ]
    if lines:
        return [_capital(line) for line in lines]
    return (
        ["In no segment more than in others."] if view.judged_slices and view.moved else [MISSING]
    )


def weak_words(row: Row) -> str:
    """A weak slice with how much more it loses."""
    ends = interval(row["low"], row["high"])
    return f"{plain_text(row['subject'])}: loss {said(row['value'])} higher ({ends or 'interval not known'})"


def why_lines(findings: list[Row], moved: list[Row]) -> list[str]:
    """What changed upstream, the largest part of a worse metric, concept change, what costs most."""
    lines = [plain_text(r["text"]) for r in of_kind(findings, "upstream")[:2]]
    parts = [r for r in of_kind(findings, "drop_split") if r["subject"] != "total"]
    largest = max(parts, key=lambda r: abs(number(r["value"])), default=None)
    if largest is not None:
        lines.append(f"Most of the loss: {plain_text(largest['text'])}")
    lines += [plain_text(r["text"]) for r in of_kind(findings, "concept")[:1]]
    costly = [r for r in moved if number(r["impact"]) > 0]
    if costly:
        lines.append(
            f"{column_words(costly[0])} costs most: {said(costly[0]['impact'])} loss per row"
        )
    return [_capital(line) for line in lines] or ([NOT_KNOWN] if moved else [MISSING])


def slice_words(row: Row) -> str:
    """A slice, as in "origin EWR" and "origin EWR, carrier UA"."""
    names, values = str(row["segment"]).split(","), str(row["segment_value"]).split(",")
    if len(names) != len(values):
        return f"{plain_text(row['segment'], 40)} {plain_text(row['segment_value'], 60)}"
    pairs = zip(names, values, strict=True)
    return ", ".join(f"{plain_text(n, 40)} {plain_text(v, 60)}" for n, v in pairs)


def _capital(words: str) -> str:
    """A sentence's first letter; a column's own name is left as it is."""
    first = words.split(" ", 1)[0]
    return (
        words[:1].upper() + words[1:] if first in ("the", "about", "mean", "most", "and") else words
    )
