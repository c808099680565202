"""A day in ten seconds: a headline and seven short answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from feedback_assets.performance.metrics import HIGHER_IS_BETTER
from feedback_assets.reports.day_view import DayView
from feedback_assets.reports.facts import DayFacts
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import (
    Row,
    chance,
    interval,
    list_words,
    metric_name,
    metric_word,
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


def headline(facts: DayFacts, view: DayView) -> str:
    """The day in one sentence."""
    if view.status in ("drift", "broken"):
        return _trouble(view)
    missed = broken_promises(view.promises)
    if missed:
        times = amount(int(number(missed[0]["streak"])), "time")
        return f"{metric_name(str(missed[0]['metric']))} has missed its target {times}"
    if view.status == "insufficient":
        return "Too little data to judge"
    row = told_metric(whole(view.performance), facts.metric)
    if row is not None and worse(row):
        return f"No column has moved, but {metric_word(facts.metric)} is worse than expected"
    return "Nothing material has changed"


def _trouble(view: DayView) -> str:
    broken = [column_words(row) for row in view.told if row["status"] == "broken"]
    moved = [_placed(row) for row in view.told if row["status"] != "broken"]
    since = f" since about {view.since}" if view.since else ""
    parts = [f"{list_words(broken)} {'are' if len(broken) > 1 else 'is'} broken"] if broken else []
    if moved:
        parts.append(f"{list_words(moved)} {'have' if len(moved) > 1 else 'has'} moved{since}")
    return _capital(", ".join(parts) or "Something has moved")


def _placed(row: Row) -> str:
    where = f" where {slice_words(row)}" if plain_text(row["segment"]) else ""
    return f"{column_words(row)}{where}"


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
        f"{_capital(_placed(row))}: {plain_text(row['size']) or plain_text(row['reason'])}"
        for row in view.told[:SHOWN]
    ]
    if len(view.told) > SHOWN:
        lines.append(f"and {len(view.told) - SHOWN} more, listed below")
    return lines or [_capital(view.reason) or NOT_KNOWN]


def _since(view: DayView) -> list[str]:
    dates: dict[str, list[str]] = {}
    for row in view.told:
        if plain_text(row["since"]):
            dates.setdefault(plain_text(row["since"]), []).append(_placed(row))
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
    lines += metric_lines(performance, metric)
    lines += [
        f"Promise broken: {metric_name(str(r['metric']))} {said(r['value'])} against "
        f"{said(r['target'])}, {said(r['streak'])} checks in a row"
        for r in broken_promises(promises)
    ]
    return [_capital(line) for line in lines] or [NOT_KNOWN]


def told_metric(rows: list[Row], metric: str) -> Row | None:
    """The metric of the shortest period for which it is known: realised, else estimated."""
    order = {"day": 0, "week": 1, "window": 2}
    known = [r for r in rows if r["metric"] == metric and not math.isnan(number(r["value"]))]
    known.sort(key=lambda r: (order.get(r["period"], 9), r["kind"] != "realised"))
    return known[0] if known else None


def worse(row: Row) -> bool:
    """Whether the whole interval is worse than expected; False if that is not known."""
    low, high, expected = (number(row[n]) for n in ("low", "high", "expected"))
    return high < expected if row["metric"] in HIGHER_IS_BETTER else low > expected


def metric_lines(rows: list[Row], metric: str) -> list[str]:
    """The metric with its interval beside what was expected and what was estimated."""
    row = told_metric(rows, metric)
    if row is None:
        return []
    words = f"{metric_name(metric)} {said(row['value'])} ({interval(row['low'], row['high'])})"
    if not math.isnan(number(row["expected"])):
        words += f", {'worse than the ' if worse(row) else ''}expected {said(row['expected'])}"
    if row["kind"] != "realised":
        return [f"{words}; estimated, no labels yet"]
    same = [r for r in rows if r["metric"] == metric and r["period"] == row["period"]]
    estimates = [f"; estimated {said(r['value'])}" for r in same if r["kind"] == "estimated"]
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
