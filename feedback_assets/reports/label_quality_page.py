"""The page of label quality: who answers how well, which labels are wrong, what they bought."""

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from feedback_assets.config.schema import Config
from feedback_assets.reports.day_page import page_css
from feedback_assets.reports.hrefs import safe_href
from feedback_assets.reports.label_quality_words import (
    cards,
    doubt_words,
    habit_words,
    headline,
    outcome,
    owner_name,
    story,
)
from feedback_assets.reports.pages import render_page, template_text
from feedback_assets.reports.plain import plain_text
from feedback_assets.reports.rows import Row, count, interval, number, percent, said
from feedback_assets.reports.svg import line, tag
from feedback_assets.reports.words import MISSING, amount

SHOWN_PEOPLE = 30
SHOWN_ROWS = 15
SHOWN_PAIRS = 8
WIDTH = 130.0
_EDGE = 4.0


def label_quality_page(report: Row, config: Config, links: Mapping[str, str] | None = None) -> str:
    """The page as HTML text: no script, nothing from outside.

    Args:
        report: What `assets.label_evidence.label_evidence` gave, and `worth`: a list with a row a
            metric (`name`, `value`, `low`, `high`, `plain_value`, `plain_low`, `plain_high`,
            `words`, `percent`), or None.
        config: The loop's.
        links: Words to the relative address of another page; others are left out.

    Returns:
        A whole page; values of the data are shown as text only.
    """
    word, tone = outcome(report)
    hrefs = {plain_text(words): safe_href(href) for words, href in (links or {}).items()}
    people = [_person(row, report) for row in report["annotators"]]
    return render_page(
        "label_quality.html.j2",
        css=page_css()
        + Markup(template_text("evaluation.css") + template_text("label_quality.css")),  # noqa: S704 - our own files
        title=f"{plain_text(config.title)}: label quality",
        eyebrow=f"{plain_text(config.title)} · labels as known at {_moment(report['as_of'])}",
        headline=headline(report),
        story=story(report),
        outcome=word,
        tone=tone,
        cards=cards(report),
        links={words: href for words, href in hrefs.items() if href},
        confidence=f"{report['confidence']:.0%}",
        people=people[:SHOWN_PEOPLE],
        more_people=people[SHOWN_PEOPLE:],
        numeric=config.label.kind == "regression",
        habits=[_habit(row, config) for row in report["habits"]],
        pairs=[_pair(row) for row in report["pairs"] if row["kappa"] is not None][:SHOWN_PAIRS],
        audit=_audit(report["audit"], config),
        errors=_errors(report, config),
        disputed=_split([_dispute(row, config) for row in report["disputed"]]),
        disputed_rows=amount(report["disputed_rows"], "row"),
        conflicts=_conflicts(report["conflicts"]),
        worth=[_worth(row) for row in report.get("worth") or []],
    )


def share_line(value: Any, low: Any, high: Any, tone: str = "") -> Markup:
    """A share with its interval on a line from 0 to 1; nothing where it is not known."""
    share, ends = number(value), (number(low), number(high))
    if not math.isfinite(share):
        return Markup("")

    def x(at: float) -> float:
        return _EDGE + min(max(at, 0.0), 1.0) * (WIDTH - 2 * _EDGE)

    parts = [line(x(0), 7, x(1), 7, class_="ground")]
    if all(map(math.isfinite, ends)):
        parts.append(line(x(ends[0]), 7, x(ends[1]), 7, class_=f"range {tone or 'known'}"))
    parts.append(tag("circle", cx=x(share), cy=7, r=3.5, class_=tone or "candidate"))
    words = f"{percent(share)}, {percent(ends[0])} to {percent(ends[1])}"
    return tag("svg", tag("title", words), *parts, viewBox=f"0 0 {WIDTH:g} 14", width=WIDTH,
               height=14, class_="bar", role="img", aria_label=words)  # fmt: skip


def _person(row: Row, report: Row) -> dict[str, Any]:
    others = [r["agreement"] for r in report["annotators"]]
    usual = sorted(v for v in others if v is not None)
    middle = usual[len(usual) // 2] if usual else None
    high = row["agreement_high"]
    low = middle is not None and high is not None and high < middle
    changed = [h for h in report["habits"] if h["annotator"] == row["annotator"]]
    return {
        "name": plain_text(row["annotator"], 60) or "(empty)",
        "since": _day(row["first_at"]),
        "until": _day(row["last_at"]),
        "answers": count(row["answers"]),
        "skips": count(row["skips"]) if row["skips"] else "",
        "minutes": _minutes(row["minutes"]),
        "agreement": percent(row["agreement"]),
        "shared": count(row["shared"]),
        "bar": share_line(row["agreement"], row["agreement_low"], high, "bad" if low else ""),
        "below": low,
        "kappa": said(row["kappa"], 2),
        "golden": percent(row["golden_right"]),
        "golden_rows": count(row["golden"]) if row["golden"] else "",
        "golden_interval": _percents(row["golden_low"], row["golden_high"]),
        "golden_bar": share_line(row["golden_right"], row["golden_low"], row["golden_high"]),
        "saw_opinion": percent(row["saw_opinion"]) if row["saw_opinion"] else "",
        "changed": f"changed since {min(_day(h['since']) for h in changed)}" if changed else "",
    }


def _habit(row: Row, config: Config) -> dict[str, str]:
    p = number(row["chance"])
    rare = f"1 in {float(f'{1 / p:.1g}'):,.0f}" if p > 1e-9 else "less than 1 in a billion"
    return {
        "name": plain_text(row["annotator"], 60),
        "words": habit_words({**row, "about": _label(row["about"], config)}),
        "since": _day(row["since"]),
        "chance": rare,
    }


def _pair(row: Row) -> dict[str, str]:
    return {
        "first": plain_text(row["first"], 40),
        "second": plain_text(row["second"], 40),
        "rows": count(row["rows"]),
        "agreed": percent(row["agreed"]),
        "kappa": said(row["kappa"], 2),
        "interval": interval(row["low"], row["high"], 2),
    }


def _audit(audit: Row | None, config: Config) -> dict[str, Any] | None:
    if not audit or not audit["rows"]:
        return None
    return {
        "share": percent(audit["share"]),
        "interval": _percents(audit["low"], audit["high"]),
        "rows": count(audit["rows"]),
        "right": count(audit["right"]),
        "bar": share_line(audit["share"], audit["low"], audit["high"]),
        "asked": percent(audit["asked"]) if audit["asked"] is not None else "",
        "auditors": ", ".join(plain_text(name, 40) for name in audit["auditors"]),
        "wrong": _split(
            [
                {
                    "id": plain_text(row["prediction_id"], 80),
                    "label": _label(row["label"], config),
                    "source": owner_name(row["source"]) or "not said",
                    "audit": _label(row["audit"], config),
                    "when": _day(row["audited_at"]),
                }
                for row in audit["wrong"]
            ]
        ),
    }


def _errors(report: Row, config: Config) -> dict[str, Any] | None:
    errors = report["errors"]
    if not errors:
        return None
    owners = [
        {
            "name": owner_name(row["owner"]),
            "rows": count(row["rows"]),
            "doubtful": count(row["doubtful"]),
            "share": percent(row["share"]),
        }
        for row in errors["owners"]
    ]
    return {
        "words": doubt_words(report),
        "listed": _split(
            [
                {
                    "id": plain_text(row["prediction_id"], 80),
                    "label": _label(row["label"], config),
                    "meant": _label(row["meant"], config),
                    "doubt": percent(row["doubt"]),
                    "owner": owner_name(row.get("label_principal") or row.get("label_source") or "unnamed"),
                    "when": _day(row["event_time"]),
                }
                for row in errors["listed"]
            ]
        ),
        "owners": owners[:SHOWN_ROWS] if len(owners) > 1 else [],
    }  # fmt: skip


def _dispute(row: Row, config: Config) -> dict[str, str]:
    return {
        "id": plain_text(row["prediction_id"], 80),
        "said": plain_text(row["said"], 160),
        "likeliest": _label(row["value"], config),
        "chance": percent(row["confidence"]),
    }


def _conflicts(conflicts: Row | None) -> dict[str, Any] | None:
    if not conflicts or not conflicts["groups"]:
        return None
    return {
        "groups": amount(conflicts["groups"], "group"),
        "rows": amount(conflicts["rows"], "row"),
        "telling": conflicts["telling"],
        "twin_share": percent(conflicts["twin_share"]),
        "listed": _split(
            [
                {
                    "ids": [plain_text(name, 60) for name in row["ids"]],
                    "more": row["rows"] - len(row["ids"]),
                    "said": plain_text(row["said"], 120),
                    "features": plain_text(row["features"], 160),
                    "rows": count(row["rows"]),
                }
                for row in conflicts["listed"]
            ]
        ),
    }


def _worth(row: Row) -> dict[str, str]:
    say = percent if row.get("percent") else said
    both = {
        name: f"{say(row[f'{prefix}low'])} to {say(row[f'{prefix}high'])}"
        for name, prefix in (("interval", ""), ("plain_interval", "plain_"))
    }
    return {
        "name": plain_text(row["name"], 60),
        "value": say(row["value"]),
        "plain": say(row["plain_value"]),
        "words": plain_text(row["words"]),
        **both,
    }


def _label(value: Any, config: Config) -> str:
    """A label in the words that people read, where the file has some for it."""
    whole = isinstance(value, float) and config.label.kind == "binary"
    spelled = plain_text(int(value) if whole else value, 60)
    return plain_text(config.review.words.get(spelled, spelled), 60)


def _split(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows that are shown at once, and the rest."""
    return {"shown": rows[:SHOWN_ROWS], "more": rows[SHOWN_ROWS:]}


def _minutes(value: Any) -> str:
    known = number(value)
    if not math.isfinite(known):
        return MISSING
    return f"{known * 60:.0f} s" if known < 1 else f"{known:.1f} min"


def _percents(low: Any, high: Any) -> str:
    return f"{percent(low)} to {percent(high)}" if math.isfinite(number(low)) else ""


def _day(value: Any) -> str:
    return plain_text(value)[:10]


def _moment(value: Any) -> str:
    return plain_text(value)[:16].replace("T", " ")
